# tests of limitd's parts
if HAVE_CMOCKA
limitd_tests = tests/limitd/counters_test tests/limitd/peaks_test tests/limitd/services_test \
	tests/limitd/snapshot_test
check_PROGRAMS += $(limitd_tests)
TESTS += $(limitd_tests)
tests_limitd_counters_test_SOURCES = tests/limitd/counters_test.c limitd/counters.c tests/test.h
tests_limitd_counters_test_LDADD = $(test_libs)
tests_limitd_peaks_test_SOURCES = tests/limitd/peaks_test.c limitd/peaks.c tests/test.h
tests_limitd_peaks_test_LDADD = $(test_libs)
tests_limitd_services_test_SOURCES = tests/limitd/services_test.c limitd/services.c tests/test.h
tests_limitd_services_test_LDADD = $(test_libs)
tests_limitd_snapshot_test_SOURCES = tests/limitd/snapshot_test.c limitd/counters.c \
	limitd/snapshot.c tests/test.h
tests_limitd_snapshot_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/limit_snapshot_fuzz
tests_fuzz_limit_snapshot_fuzz_SOURCES = tests/fuzz/limit_snapshot_fuzz.c limitd/counters.c \
	limitd/snapshot.c $(fuzz_main)
tests_fuzz_limit_snapshot_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_limit_snapshot_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
