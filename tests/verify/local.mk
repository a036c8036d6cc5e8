# tests of verify
if HAVE_CMOCKA
check_PROGRAMS += tests/verify/cache_test
TESTS += tests/verify/cache_test
tests_verify_cache_test_SOURCES = tests/verify/cache_test.c tests/test.h $(verify_parts)
tests_verify_cache_test_LDADD = $(test_libs)
endif

fuzz_targets += tests/fuzz/verify_record_fuzz
tests_fuzz_verify_record_fuzz_SOURCES = tests/fuzz/verify_record_fuzz.c $(fuzz_main) \
	verify/record.c verify/record.h
tests_fuzz_verify_record_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_verify_record_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
