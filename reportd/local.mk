# reportd: counts TLS sessions and reports on them.
reportd_parts = \
	reportd/counters.c reportd/counters.h \
	reportd/document.c reportd/document.h \
	reportd/line.c reportd/line.h
daemon_PROGRAMS += reportd/reportd
reportd_reportd_SOURCES = reportd/main.c reportd/deliver.c reportd/deliver.h \
	reportd/server.c reportd/server.h $(reportd_parts)
reportd_reportd_LDADD = $(posthouse_libs) $(ZLIB_LIBS)
include tests/reportd/local.mk
