# keyd: holds the private keys and signs handshakes.
keyd_parts = \
	keyd/heirloom.c keyd/heirloom.h \
	keyd/key_set.c keyd/key_set.h \
	keyd/names.c keyd/names.h \
	keyd/serve.c keyd/serve.h \
	keyd/signable.c keyd/signable.h \
	keyd/succession.c keyd/succession.h \
	keyd/ticket_keys.c keyd/ticket_keys.h \
	keyd/vault.c keyd/vault.h
daemon_PROGRAMS += keyd/keyd
keyd_keyd_SOURCES = keyd/main.c $(keyd_parts)
keyd_keyd_LDADD = $(posthouse_libs) $(DB_LIBS)
include tests/keyd/local.mk
