# tests/poison: daemons that break down on purpose; tests/system/poison_test.py puts them in place
# of the installed ones.
poison_programs = tests/poison/bounce tests/poison/pickup tests/poison/qmgr \
	tests/poison/smtp tests/poison/smtpd
check_PROGRAMS += $(poison_programs)
poison_ldflags = $(AM_LDFLAGS) -Wl,--wrap=maillog_delivery -Wl,--wrap=maillog_active \
	-Wl,--wrap=dsn_append_notice -Wl,--wrap=maillog_pickup -Wl,--wrap=session_vrfy
tests_poison_bounce_SOURCES = $(bounce_bounce_SOURCES) tests/poison/deadly.c
tests_poison_bounce_LDADD = $(bounce_bounce_LDADD) $(addrd_addrd_LDADD) $(SSL_LIBS)
tests_poison_bounce_LDFLAGS = $(poison_ldflags)
tests_poison_pickup_SOURCES = $(pickup_pickup_SOURCES) tests/poison/deadly.c
tests_poison_pickup_LDADD = $(pickup_pickup_LDADD) $(addrd_addrd_LDADD) $(SSL_LIBS)
tests_poison_pickup_LDFLAGS = $(poison_ldflags)
tests_poison_qmgr_SOURCES = $(qmgr_qmgr_SOURCES) tests/poison/deadly.c
tests_poison_qmgr_LDADD = $(qmgr_qmgr_LDADD) $(addrd_addrd_LDADD) $(SSL_LIBS)
tests_poison_qmgr_LDFLAGS = $(poison_ldflags)
tests_poison_smtp_SOURCES = $(smtp_smtp_SOURCES) tests/poison/deadly.c
tests_poison_smtp_LDADD = $(smtp_smtp_LDADD) $(addrd_addrd_LDADD)
tests_poison_smtp_LDFLAGS = $(poison_ldflags)
tests_poison_smtpd_SOURCES = $(smtpd_smtpd_SOURCES) tests/poison/deadly.c
tests_poison_smtpd_LDADD = $(smtpd_smtpd_LDADD) $(addrd_addrd_LDADD) $(SSL_LIBS)
tests_poison_smtpd_LDFLAGS = $(poison_ldflags)
