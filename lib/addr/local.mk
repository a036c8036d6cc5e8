# lib/addr: layer 7, the client of addrd.
lib_libposthouse_a_SOURCES += lib/addr/client.c lib/addr/client.h
