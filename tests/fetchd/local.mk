# tests of fetchd
if HAVE_CMOCKA
check_PROGRAMS += tests/fetchd/uri_test
TESTS += tests/fetchd/uri_test
tests_fetchd_uri_test_SOURCES = tests/fetchd/uri_test.c tests/test.h fetchd/uri.c fetchd/uri.h
tests_fetchd_uri_test_LDADD = $(test_libs)
endif

fuzz_targets += tests/fuzz/fetchd_uri_fuzz
tests_fuzz_fetchd_uri_fuzz_SOURCES = tests/fuzz/fetchd_uri_fuzz.c $(fuzz_main) \
	fetchd/uri.c fetchd/uri.h
tests_fuzz_fetchd_uri_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_fetchd_uri_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
