# smtp: delivers mail to other servers.
smtp_parts = \
	smtp/authenticate.c smtp/authenticate.h \
	smtp/agent.c smtp/agent.h \
	smtp/anchors.c smtp/anchors.h \
	smtp/body.c smtp/body.h \
	smtp/downgrade.c smtp/downgrade.h \
	smtp/delivery.c smtp/delivery.h \
	smtp/domain_policy.c smtp/domain_policy.h \
	smtp/envelope.c smtp/envelope.h \
	smtp/generic.c smtp/generic.h \
	smtp/greeting.c smtp/greeting.h \
	smtp/greeting_facts.c smtp/greeting_facts.h \
	smtp/hosts_file.c smtp/hosts_file.h \
	smtp/keep.c smtp/keep.h \
	smtp/nexthop.c smtp/nexthop.h \
	smtp/notice.c smtp/notice.h \
	smtp/plan.c smtp/plan.h \
	smtp/process.c smtp/process.h \
	smtp/protection.c smtp/protection.h \
	smtp/resolve.c smtp/resolve.h \
	smtp/session_report.c smtp/session_report.h \
	smtp/stage.c smtp/stage.h \
	smtp/starttls.c smtp/starttls.h \
	smtp/connection.c smtp/connection.h \
	smtp/tables.c smtp/tables.h \
	smtp/tlsa.c smtp/tlsa.h \
	smtp/wire.c smtp/wire.h \
	smtp/transaction.c smtp/transaction.h
daemon_PROGRAMS += smtp/smtp
smtp_smtp_SOURCES = smtp/main.c $(smtp_parts)
smtp_smtp_LDADD = $(posthouse_libs) $(SSL_LIBS) $(DB_LIBS)
# lmtp: the same to mail stores.
daemon_PROGRAMS += smtp/lmtp
smtp_lmtp_SOURCES = smtp/lmtp.c smtp/mirror.c smtp/mirror.h $(smtp_parts)
smtp_lmtp_LDADD = $(posthouse_libs) $(SSL_LIBS) $(DB_LIBS)
include tests/smtp/local.mk
