# bounce: writes delivery status notifications.
bounce_parts = bounce/original.c bounce/original.h bounce/request.c bounce/request.h
daemon_PROGRAMS += bounce/bounce
bounce_bounce_SOURCES = bounce/main.c bounce/clients.c bounce/clients.h \
	bounce/notice.c bounce/notice.h bounce/writer.c bounce/writer.h $(bounce_parts)
bounce_bounce_LDADD = $(posthouse_libs)
include tests/bounce/local.mk
