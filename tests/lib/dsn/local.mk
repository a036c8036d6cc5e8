# tests of lib/dsn
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/dsn/report_test tests/lib/dsn/template_test
TESTS += tests/lib/dsn/report_test tests/lib/dsn/template_test \
	tests/lib/dsn/report_check.sh
tests_lib_dsn_report_test_SOURCES = tests/lib/dsn/report_test.c tests/test.h
tests_lib_dsn_report_test_LDADD = $(test_libs)
tests_lib_dsn_template_test_SOURCES = tests/lib/dsn/template_test.c tests/test.h
tests_lib_dsn_template_test_LDADD = $(test_libs)
endif
dist_check_SCRIPTS += tests/lib/dsn/report_check.sh
EXTRA_DIST += tests/lib/dsn/report_check.py

fuzz_targets += tests/fuzz/dsn_report_fuzz
tests_fuzz_dsn_report_fuzz_SOURCES = tests/fuzz/dsn_report_fuzz.c $(fuzz_main)
tests_fuzz_dsn_report_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_dsn_report_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)

fuzz_targets += tests/fuzz/dsn_template_fuzz
tests_fuzz_dsn_template_fuzz_SOURCES = tests/fuzz/dsn_template_fuzz.c $(fuzz_main)
tests_fuzz_dsn_template_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_dsn_template_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
