# smtpd: the SMTP server.
daemon_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/main.c
smtpd_smtpd_LDADD = $(posthouse_libs) $(SSL_LIBS) $(DB_LIBS)
