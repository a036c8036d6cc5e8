# tests of stsd
if HAVE_CMOCKA
check_PROGRAMS += tests/stsd/cache_test
TESTS += tests/stsd/cache_test
tests_stsd_cache_test_SOURCES = tests/stsd/cache_test.c tests/test.h $(stsd_parts)
tests_stsd_cache_test_LDADD = $(test_libs)
check_PROGRAMS += tests/stsd/ask
dist_check_SCRIPTS += tests/stsd/stsd_test.py
TESTS += tests/stsd/stsd_test.py
tests_stsd_ask_SOURCES = tests/stsd/ask.c tests/daemon.c tests/daemon.h
tests_stsd_ask_LDADD = $(posthouse_libs)
endif

fuzz_targets += tests/fuzz/sts_record_fuzz
tests_fuzz_sts_record_fuzz_SOURCES = tests/fuzz/sts_record_fuzz.c $(fuzz_main) \
	stsd/record.c stsd/record.h
tests_fuzz_sts_record_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_sts_record_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
