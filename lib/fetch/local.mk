# lib/fetch: layer 7, the client of fetchd.
lib_libposthouse_a_SOURCES += lib/fetch/client.c lib/fetch/client.h
