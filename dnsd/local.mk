# dnsd: answers DNS questions, one cache for all.
dnsd_parts = \
	dnsd/cache.c dnsd/cache.h \
	dnsd/lookup.c dnsd/lookup.h \
	dnsd/resolver.c dnsd/resolver.h \
	dnsd/servers.c dnsd/servers.h
include tests/dnsd/local.mk
