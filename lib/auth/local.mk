# lib/auth: layer 8, the client of authd, and what both sides of the channel know.
lib_libposthouse_a_SOURCES += \
	lib/auth/client.c lib/auth/client.h \
	lib/auth/mechanism.h lib/auth/result.h \
	lib/auth/relay.c lib/auth/relay.h
