# dnsd: answers DNS questions, one cache for all.
dnsd_parts = \
	dnsd/cache.c dnsd/cache.h \
	dnsd/lookup.c dnsd/lookup.h \
	dnsd/resolver.c dnsd/resolver.h \
	dnsd/serve.c dnsd/serve.h \
	dnsd/servers.c dnsd/servers.h
daemon_PROGRAMS += dnsd/dnsd
dnsd_dnsd_SOURCES = dnsd/main.c $(dnsd_parts)
dnsd_dnsd_LDADD = $(posthouse_libs) $(CARES_LIBS)
include tests/dnsd/local.mk
