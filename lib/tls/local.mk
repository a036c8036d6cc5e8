# lib/tls: layer 7, TLS over streams. Programs that use it add $(SSL_LIBS) after $(posthouse_libs).
lib_libposthouse_a_SOURCES += \
	lib/tls/authorities.c lib/tls/authorities.h \
	lib/tls/binding.c lib/tls/binding.h \
	lib/tls/certificate.c lib/tls/certificate.h \
	lib/tls/check.c lib/tls/check.h \
	lib/tls/ciphers.c lib/tls/ciphers.h \
	lib/tls/client.c lib/tls/client.h \
	lib/tls/dane.c lib/tls/dane.h \
	lib/tls/facts.c lib/tls/facts.h \
	lib/tls/options.c lib/tls/options.h \
	lib/tls/policy.c lib/tls/policy.h \
	lib/tls/protocols.c lib/tls/protocols.h \
	lib/tls/server.c lib/tls/server.h \
	lib/tls/sessions.c lib/tls/sessions.h \
	lib/tls/settings.c lib/tls/settings.h \
	lib/tls/stream.c lib/tls/stream.h \
	lib/tls/verify.c lib/tls/verify.h
	lib/tls/chain.c lib/tls/chain.h \
	lib/tls/identity.c lib/tls/identity.h \
	lib/tls/key_files.c lib/tls/key_files.h \
	lib/tls/keys.c lib/tls/keys.h \
	lib/tls/provider.c lib/tls/provider.h \
	lib/tls/scheme.c lib/tls/scheme.h \
	lib/tls/tickets.c lib/tls/tickets.h
