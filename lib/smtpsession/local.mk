# lib/smtpsession: the server's side of an SMTP session.
lib_libposthouse_a_SOURCES += \
	lib/smtpsession/access.c \
	lib/smtpsession/actions.c \
	lib/smtpsession/attributes.c lib/smtpsession/attributes.h \
	lib/smtpsession/auth.c \
	lib/smtpsession/ccert.c \
	lib/smtpsession/client.c \
	lib/smtpsession/commands.c \
	lib/smtpsession/data.c \
	lib/smtpsession/envelope.c \
	lib/smtpsession/etrn.c \
	lib/smtpsession/input.c \
	lib/smtpsession/judge.c lib/smtpsession/judge.h \
	lib/smtpsession/lookups.c \
	lib/smtpsession/reception.c lib/smtpsession/reception.h \
	lib/smtpsession/greet.c \
	lib/smtpsession/limits.c \
	lib/smtpsession/notice.c \
	lib/smtpsession/session.c lib/smtpsession/session.h \
	lib/smtpsession/session_private.h \
	lib/smtpsession/timing.c \
	lib/smtpsession/tls.c \
	lib/smtpsession/submission.c \
	lib/smtpsession/verify.c \
	lib/smtpsession/xclient.c
