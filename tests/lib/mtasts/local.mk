# tests of lib/mtasts
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/mtasts/mtasts_test
TESTS += tests/lib/mtasts/mtasts_test
tests_lib_mtasts_mtasts_test_SOURCES = tests/lib/mtasts/mtasts_test.c tests/test.h
tests_lib_mtasts_mtasts_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/mtasts_policy_fuzz tests/fuzz/mtasts_record_fuzz
tests_fuzz_mtasts_policy_fuzz_SOURCES = tests/fuzz/mtasts_policy_fuzz.c $(fuzz_main)
tests_fuzz_mtasts_policy_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_mtasts_policy_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_mtasts_record_fuzz_SOURCES = tests/fuzz/mtasts_record_fuzz.c $(fuzz_main)
tests_fuzz_mtasts_record_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_mtasts_record_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
