# smtpd: the SMTP server.
daemon_PROGRAMS += smtpd/smtpd
smtpd_smtpd_SOURCES = smtpd/main.c smtpd/listeners.c smtpd/listeners.h smtpd/server.c \
	smtpd/server.h smtpd/settings.c smtpd/settings.h smtpd/tables.c smtpd/tables.h
smtpd_smtpd_LDADD = $(posthouse_libs) $(DB_LIBS)
