# submitd: the submission server.
daemon_PROGRAMS += submitd/submitd
submitd_submitd_SOURCES = submitd/main.c submitd/submission.c submitd/submission.h
submitd_submitd_LDADD = $(posthouse_libs) $(DB_LIBS) $(SSL_LIBS)
