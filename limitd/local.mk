# limitd: counts for everybody who serves clients.
limitd_parts = \
	limitd/counters.c limitd/counters.h \
	limitd/peaks.c limitd/peaks.h \
	limitd/serve.c limitd/serve.h \
	limitd/services.c limitd/services.h \
	limitd/snapshot.c limitd/snapshot.h \
	limitd/store.c limitd/store.h
daemon_PROGRAMS += limitd/limitd
limitd_limitd_SOURCES = limitd/main.c $(limitd_parts)
limitd_limitd_LDADD = $(posthouse_libs)
include tests/limitd/local.mk
