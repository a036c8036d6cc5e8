# lib/sts: layer 7, the client of stsd.
lib_libposthouse_a_SOURCES += lib/sts/client.c lib/sts/client.h
