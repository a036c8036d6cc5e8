# connectd: connects to local servers that the configuration names.
connectd_parts = connectd/paths.c connectd/paths.h connectd/serve.c connectd/serve.h
daemon_PROGRAMS += connectd/connectd
connectd_connectd_SOURCES = connectd/main.c $(connectd_parts)
connectd_connectd_LDADD = $(posthouse_libs)
include tests/connectd/local.mk
