# error/: two programs that deliver nowhere, error (and as a service "retry") and discard.
daemon_PROGRAMS += error/error error/discard
error_nowhere_sources = error/nowhere.c error/nowhere.h
error_error_SOURCES = error/error.c $(error_nowhere_sources)
error_error_LDADD = $(posthouse_libs) $(DB_LIBS)
error_discard_SOURCES = error/discard.c $(error_nowhere_sources)
error_discard_LDADD = $(posthouse_libs)
