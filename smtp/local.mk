# smtp: delivers mail to other servers.
smtp_parts = \
	smtp/agent.c smtp/agent.h \
	smtp/body.c smtp/body.h \
	smtp/downgrade.c smtp/downgrade.h \
	smtp/delivery.c smtp/delivery.h \
	smtp/keep.c smtp/keep.h \
	smtp/nexthop.c smtp/nexthop.h \
	smtp/plan.c smtp/plan.h \
	smtp/resolve.c smtp/resolve.h \
	smtp/connection.c smtp/connection.h \
	smtp/transaction.c smtp/transaction.h
daemon_PROGRAMS += smtp/smtp
smtp_smtp_SOURCES = smtp/main.c $(smtp_parts)
smtp_smtp_LDADD = $(posthouse_libs)
include tests/smtp/local.mk
