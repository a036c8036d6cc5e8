# tests/sandbox: the daemons' own objects, linked with a lib/service that answers probes. A daemon
# joins with three lines here and a row in daemons_test.c.
if HAVE_CMOCKA
check_LIBRARIES += tests/sandbox/libprobe.a
tests_sandbox_libprobe_a_SOURCES = lib/service/service.c
tests_sandbox_libprobe_a_CPPFLAGS = $(AM_CPPFLAGS) -DPOSTHOUSE_PROBE
probe_libs = tests/sandbox/libprobe.a

# A line each, so that branches that add daemons do not meet.
probe_daemons =
probe_daemons += tests/sandbox/addrd_probe
probe_daemons += tests/sandbox/authd_probe
probe_daemons += tests/sandbox/bounce_probe
probe_daemons += tests/sandbox/connectd_probe
probe_daemons += tests/sandbox/discard_probe
probe_daemons += tests/sandbox/dnsd_probe
probe_daemons += tests/sandbox/error_probe
probe_daemons += tests/sandbox/fetchd_probe
probe_daemons += tests/sandbox/keyd_probe
probe_daemons += tests/sandbox/limitd_probe
probe_daemons += tests/sandbox/lmtp_probe
probe_daemons += tests/sandbox/local_probe
probe_daemons += tests/sandbox/logd_probe
probe_daemons += tests/sandbox/pickup_probe
probe_daemons += tests/sandbox/pipe_probe
probe_daemons += tests/sandbox/qmgr_probe
probe_daemons += tests/sandbox/reportd_probe
probe_daemons += tests/sandbox/smtp_probe
probe_daemons += tests/sandbox/smtpd_probe
probe_daemons += tests/sandbox/stsd_probe
probe_daemons += tests/sandbox/submitd_probe
probe_daemons += tests/sandbox/verify_probe
probe_daemons += tests/sandbox/virtual_probe
tests_sandbox_logd_probe_SOURCES = $(logd_logd_SOURCES)
tests_sandbox_logd_probe_LDADD = $(probe_libs) $(logd_logd_LDADD)
tests_sandbox_submitd_probe_SOURCES = $(submitd_submitd_SOURCES)
tests_sandbox_submitd_probe_LDADD = $(probe_libs) $(submitd_submitd_LDADD)
tests_sandbox_smtpd_probe_SOURCES = $(smtpd_smtpd_SOURCES)
tests_sandbox_smtpd_probe_LDADD = $(probe_libs) $(smtpd_smtpd_LDADD)
tests_sandbox_addrd_probe_SOURCES = $(addrd_addrd_SOURCES)
tests_sandbox_addrd_probe_LDADD = $(probe_libs) $(addrd_addrd_LDADD)
tests_sandbox_authd_probe_SOURCES = $(authd_authd_SOURCES)
tests_sandbox_authd_probe_LDADD = $(probe_libs) $(authd_authd_LDADD)
tests_sandbox_dnsd_probe_SOURCES = $(dnsd_dnsd_SOURCES)
tests_sandbox_dnsd_probe_LDADD = $(probe_libs) $(dnsd_dnsd_LDADD)
tests_sandbox_limitd_probe_SOURCES = $(limitd_limitd_SOURCES)
tests_sandbox_limitd_probe_LDADD = $(probe_libs) $(limitd_limitd_LDADD)
tests_sandbox_qmgr_probe_SOURCES = $(qmgr_qmgr_SOURCES)
tests_sandbox_qmgr_probe_LDADD = $(probe_libs) $(qmgr_qmgr_LDADD)
tests_sandbox_local_probe_SOURCES = $(local_local_SOURCES)
tests_sandbox_local_probe_LDADD = $(probe_libs) $(local_local_LDADD)
tests_sandbox_virtual_probe_SOURCES = $(local_virtual_SOURCES)
tests_sandbox_virtual_probe_LDADD = $(probe_libs) $(local_virtual_LDADD)
tests_sandbox_bounce_probe_SOURCES = $(bounce_bounce_SOURCES)
tests_sandbox_bounce_probe_LDADD = $(probe_libs) $(bounce_bounce_LDADD)
tests_sandbox_pickup_probe_SOURCES = $(pickup_pickup_SOURCES)
tests_sandbox_pickup_probe_LDADD = $(probe_libs) $(pickup_pickup_LDADD)
tests_sandbox_smtp_probe_SOURCES = $(smtp_smtp_SOURCES)
tests_sandbox_smtp_probe_LDADD = $(probe_libs) $(smtp_smtp_LDADD)
tests_sandbox_error_probe_SOURCES = $(error_error_SOURCES)
tests_sandbox_error_probe_LDADD = $(probe_libs) $(error_error_LDADD)
tests_sandbox_discard_probe_SOURCES = $(error_discard_SOURCES)
tests_sandbox_discard_probe_LDADD = $(probe_libs) $(error_discard_LDADD)
tests_sandbox_pipe_probe_SOURCES = $(local_pipe_SOURCES)
tests_sandbox_pipe_probe_LDADD = $(probe_libs) $(local_pipe_LDADD)
tests_sandbox_lmtp_probe_SOURCES = $(smtp_lmtp_SOURCES)
tests_sandbox_lmtp_probe_LDADD = $(probe_libs) $(smtp_lmtp_LDADD)
tests_sandbox_connectd_probe_SOURCES = $(connectd_connectd_SOURCES)
tests_sandbox_connectd_probe_LDADD = $(probe_libs) $(connectd_connectd_LDADD)
tests_sandbox_fetchd_probe_SOURCES = $(fetchd_fetchd_SOURCES)
tests_sandbox_fetchd_probe_LDADD = $(probe_libs) $(fetchd_fetchd_LDADD)
tests_sandbox_stsd_probe_SOURCES = $(stsd_stsd_SOURCES)
tests_sandbox_stsd_probe_LDADD = $(probe_libs) $(stsd_stsd_LDADD)
tests_sandbox_keyd_probe_SOURCES = $(keyd_keyd_SOURCES)
tests_sandbox_keyd_probe_LDADD = $(probe_libs) $(keyd_keyd_LDADD)
tests_sandbox_reportd_probe_SOURCES = $(reportd_reportd_SOURCES)
tests_sandbox_reportd_probe_LDADD = $(probe_libs) $(reportd_reportd_LDADD)
tests_sandbox_verify_probe_SOURCES = $(verify_verify_SOURCES)
tests_sandbox_verify_probe_LDADD = $(probe_libs) $(verify_verify_LDADD)

check_PROGRAMS += tests/sandbox/daemons_test $(probe_daemons)
TESTS += tests/sandbox/daemons_test
tests_sandbox_daemons_test_SOURCES = tests/sandbox/daemons_test.c tests/daemon.c tests/daemon.h \
	tests/test.h
tests_sandbox_daemons_test_LDADD = $(test_libs)
EXTRA_tests_sandbox_daemons_test_DEPENDENCIES = $(probe_daemons)
endif
