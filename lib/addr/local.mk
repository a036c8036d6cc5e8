# lib/addr: layer 7, the client of addrd.
lib_libposthouse_a_SOURCES += lib/addr/ahead.c lib/addr/ahead.h lib/addr/client.c lib/addr/client.h lib/addr/recent.c lib/addr/recent.h
