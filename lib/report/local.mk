# lib/report: layer 7, the client of reportd.
lib_libposthouse_a_SOURCES += lib/report/client.c lib/report/client.h
