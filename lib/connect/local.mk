# lib/connect: layer 7, the client of connectd.
lib_libposthouse_a_SOURCES += lib/connect/client.c lib/connect/client.h
