# stsd: which MTA-STS policy does a domain have?
stsd_parts = stsd/cache.c stsd/cache.h stsd/record.c stsd/record.h
daemon_PROGRAMS += stsd/stsd
stsd_stsd_SOURCES = stsd/main.c stsd/look.c stsd/look.h stsd/server.c stsd/server.h $(stsd_parts)
stsd_stsd_LDADD = $(posthouse_libs)
include tests/stsd/local.mk
