# lib/smtpserver: the process around SMTP sessions, for smtpd and submitd.
lib_libposthouse_a_SOURCES += \
	lib/smtpserver/listeners.c lib/smtpserver/listeners.h \
	lib/smtpserver/server.c lib/smtpserver/server.h \
	lib/smtpserver/settings.c lib/smtpserver/settings.h \
	lib/smtpserver/tables.c lib/smtpserver/tables.h \
	lib/smtpserver/tls.c lib/smtpserver/tls.h
