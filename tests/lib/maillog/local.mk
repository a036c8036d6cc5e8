# tests of lib/maillog
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/maillog/client_test tests/lib/maillog/lines_test
TESTS += tests/lib/maillog/client_test tests/lib/maillog/lines_test
tests_lib_maillog_client_test_SOURCES = tests/lib/maillog/client_test.c tests/test.h
tests_lib_maillog_client_test_LDADD = $(test_libs)
tests_lib_maillog_lines_test_SOURCES = tests/lib/maillog/lines_test.c tests/test.h
tests_lib_maillog_lines_test_LDADD = $(test_libs)
endif

fuzz_targets += tests/fuzz/log_record_fuzz
tests_fuzz_log_record_fuzz_SOURCES = tests/fuzz/log_record_fuzz.c $(fuzz_main)
tests_fuzz_log_record_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_log_record_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
