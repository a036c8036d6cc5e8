# verify: would an address be taken?
verify_parts = verify/cache.c verify/cache.h verify/record.c verify/record.h \
	verify/store.c verify/store.h
daemon_PROGRAMS += verify/verify
verify_verify_SOURCES = verify/main.c verify/server.c verify/server.h $(verify_parts)
verify_verify_LDADD = $(posthouse_libs)
include tests/verify/local.mk
