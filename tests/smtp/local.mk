# tests of smtp
if HAVE_CMOCKA
smtp_tests = tests/smtp/content_test tests/smtp/downgrade_test \
	tests/smtp/extensions_test tests/smtp/lmtp_test tests/smtp/mirror_test \
	tests/smtp/wire_test tests/smtp/hosts_file_test \
	tests/smtp/plan_test tests/smtp/smtp_test tests/smtp/tables_test \
	tests/smtp/tls_test tests/smtp/policy_test tests/smtp/dane_test \
	tests/smtp/requiretls_test tests/smtp/reuse_test tests/smtp/sts_test
check_PROGRAMS += $(smtp_tests)
TESTS += $(smtp_tests)
tests_smtp_content_test_SOURCES = tests/smtp/content_test.c $(smtp_world)
tests_smtp_content_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_plan_test_SOURCES = tests/smtp/plan_test.c smtp/nexthop.c smtp/nexthop.h \
	smtp/plan.c smtp/plan.h tests/test.h
tests_smtp_plan_test_LDADD = $(test_libs)
smtp_world = tests/smtp/certificates.c tests/smtp/certificates.h tests/smtp/conversation.c tests/smtp/conversation.h tests/smtp/world.c \
	tests/smtp/world.h tests/daemon.c tests/daemon.h tests/test.h
tests_smtp_policy_test_SOURCES = tests/smtp/policy_test.c $(smtp_world)
tests_smtp_policy_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_requiretls_test_SOURCES = tests/smtp/requiretls_test.c $(smtp_world)
tests_smtp_requiretls_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_reuse_test_SOURCES = tests/smtp/reuse_test.c $(smtp_world)
tests_smtp_reuse_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_sts_test_SOURCES = tests/smtp/sts_test.c $(smtp_world)
tests_smtp_sts_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_dane_test_SOURCES = tests/smtp/dane_test.c $(smtp_world)
tests_smtp_dane_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_tls_test_SOURCES = tests/smtp/tls_test.c $(smtp_world)
tests_smtp_tls_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_tables_test_SOURCES = tests/smtp/tables_test.c $(smtp_world)
tests_smtp_tables_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_smtp_test_SOURCES = tests/smtp/smtp_test.c $(smtp_world)
tests_smtp_extensions_test_SOURCES = tests/smtp/extensions_test.c $(smtp_world)
tests_smtp_extensions_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_lmtp_test_SOURCES = tests/smtp/lmtp_test.c $(smtp_world)
tests_smtp_lmtp_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_mirror_test_SOURCES = tests/smtp/mirror_test.c smtp/mirror.c smtp/mirror.h tests/test.h
tests_smtp_hosts_file_test_SOURCES = tests/smtp/hosts_file_test.c smtp/hosts_file.c \
	smtp/hosts_file.h tests/test.h
tests_smtp_hosts_file_test_LDADD = $(test_libs)
tests_smtp_wire_test_SOURCES = tests/smtp/wire_test.c smtp/wire.c smtp/wire.h tests/test.h
tests_smtp_wire_test_LDADD = $(test_libs)
tests_smtp_mirror_test_LDADD = $(test_libs)
tests_smtp_smtp_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_smtp_downgrade_test_SOURCES = tests/smtp/downgrade_test.c smtp/downgrade.c \
	smtp/downgrade.h tests/test.h
tests_smtp_downgrade_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/smtp_downgrade_fuzz
tests_fuzz_smtp_downgrade_fuzz_SOURCES = tests/fuzz/smtp_downgrade_fuzz.c smtp/downgrade.c \
	smtp/downgrade.h $(fuzz_main)
tests_fuzz_smtp_downgrade_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_downgrade_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/smtp_hosts_file_fuzz
tests_fuzz_smtp_hosts_file_fuzz_SOURCES = tests/fuzz/smtp_hosts_file_fuzz.c smtp/hosts_file.c \
	smtp/hosts_file.h $(fuzz_main)
tests_fuzz_smtp_hosts_file_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_hosts_file_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/smtp_wire_fuzz
tests_fuzz_smtp_wire_fuzz_SOURCES = tests/fuzz/smtp_wire_fuzz.c smtp/wire.c smtp/wire.h $(fuzz_main)
tests_fuzz_smtp_wire_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_wire_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/smtp_greeting_fuzz
tests_fuzz_smtp_greeting_fuzz_SOURCES = tests/fuzz/smtp_greeting_fuzz.c smtp/greeting_facts.c \
	smtp/greeting_facts.h $(fuzz_main)
tests_fuzz_smtp_greeting_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_greeting_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
