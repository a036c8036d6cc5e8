# lib/smtp: the grammar of SMTP, both sides; no order of commands.
lib_libposthouse_a_SOURCES += \
	lib/smtp/address_field.c lib/smtp/address_field.h \
	lib/smtp/auth_command.c lib/smtp/auth_command.h \
	lib/smtp/command.c lib/smtp/command.h \
	lib/smtp/content.c lib/smtp/content.h \
	lib/smtp/data.c lib/smtp/data.h \
	lib/smtp/date.c lib/smtp/date.h \
	lib/smtp/ehlo.c lib/smtp/ehlo.h \
	lib/smtp/header.c lib/smtp/header.h \
	lib/smtp/header_cut.c lib/smtp/header_cut.h \
	lib/smtp/line_ends.c lib/smtp/line_ends.h \
	lib/smtp/parameter.c lib/smtp/parameter.h \
	lib/smtp/received.c lib/smtp/received.h \
	lib/smtp/reply.c lib/smtp/reply.h \
	lib/smtp/transcript.c lib/smtp/transcript.h \
	lib/smtp/verb.c lib/smtp/verb.h
