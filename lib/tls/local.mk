# lib/tls: layer 7, TLS over streams. Programs that use it add $(SSL_LIBS) after $(posthouse_libs).
# A line each, so that branches that add files do not meet.
lib_libposthouse_a_SOURCES += lib/tls/authorities.c lib/tls/authorities.h
lib_libposthouse_a_SOURCES += lib/tls/binding.c lib/tls/binding.h
lib_libposthouse_a_SOURCES += lib/tls/certificate.c lib/tls/certificate.h
lib_libposthouse_a_SOURCES += lib/tls/chain.c lib/tls/chain.h
lib_libposthouse_a_SOURCES += lib/tls/check.c lib/tls/check.h
lib_libposthouse_a_SOURCES += lib/tls/ciphers.c lib/tls/ciphers.h
lib_libposthouse_a_SOURCES += lib/tls/client.c lib/tls/client.h
lib_libposthouse_a_SOURCES += lib/tls/dane.c lib/tls/dane.h
lib_libposthouse_a_SOURCES += lib/tls/facts.c lib/tls/facts.h
lib_libposthouse_a_SOURCES += lib/tls/gathered.c lib/tls/gathered.h
lib_libposthouse_a_SOURCES += lib/tls/guard.c lib/tls/guard.h
lib_libposthouse_a_SOURCES += lib/tls/identity.c lib/tls/identity.h
lib_libposthouse_a_SOURCES += lib/tls/key_files.c lib/tls/key_files.h
lib_libposthouse_a_SOURCES += lib/tls/keys.c lib/tls/keys.h
lib_libposthouse_a_SOURCES += lib/tls/options.c lib/tls/options.h
lib_libposthouse_a_SOURCES += lib/tls/policy.c lib/tls/policy.h
lib_libposthouse_a_SOURCES += lib/tls/protocols.c lib/tls/protocols.h
lib_libposthouse_a_SOURCES += lib/tls/provider.c lib/tls/provider.h
lib_libposthouse_a_SOURCES += lib/tls/scheme.c lib/tls/scheme.h
lib_libposthouse_a_SOURCES += lib/tls/server.c lib/tls/server.h
lib_libposthouse_a_SOURCES += lib/tls/sessions.c lib/tls/sessions.h
lib_libposthouse_a_SOURCES += lib/tls/settings.c lib/tls/settings.h
lib_libposthouse_a_SOURCES += lib/tls/stream.c lib/tls/stream.h
lib_libposthouse_a_SOURCES += lib/tls/tickets.c lib/tls/tickets.h
lib_libposthouse_a_SOURCES += lib/tls/verify.c lib/tls/verify.h
