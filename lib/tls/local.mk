# lib/tls: layer 7, TLS over streams. Programs that use it add $(SSL_LIBS) after $(posthouse_libs).
lib_libposthouse_a_SOURCES += \
	lib/tls/check.c lib/tls/check.h \
	lib/tls/ciphers.c lib/tls/ciphers.h \
	lib/tls/options.c lib/tls/options.h \
	lib/tls/protocols.c lib/tls/protocols.h \
	lib/tls/settings.c lib/tls/settings.h \
	lib/tls/stream.c lib/tls/stream.h
