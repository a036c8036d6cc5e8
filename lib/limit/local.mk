# lib/limit: layer 7, the client of limitd, and what both sides of the channel know.
lib_libposthouse_a_SOURCES += \
	lib/limit/client.c lib/limit/client.h \
	lib/limit/kind.c lib/limit/kind.h \
	lib/limit/load.c lib/limit/load.h
