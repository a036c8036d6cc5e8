# fetchd: HTTPS for daemons that may not.
fetchd_parts = \
	fetchd/serve.c fetchd/serve.h \
	fetchd/trust.c fetchd/trust.h \
	fetchd/uri.c fetchd/uri.h \
	fetchd/web.c fetchd/web.h
daemon_PROGRAMS += fetchd/fetchd
fetchd_fetchd_SOURCES = fetchd/main.c $(fetchd_parts)
fetchd_fetchd_LDADD = $(posthouse_libs) $(CURL_LIBS) $(SSL_LIBS)
include tests/fetchd/local.mk
