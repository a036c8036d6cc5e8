# tests of lib/tlsrpt
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/tlsrpt/tlsrpt_test
TESTS += tests/lib/tlsrpt/tlsrpt_test
tests_lib_tlsrpt_tlsrpt_test_SOURCES = tests/lib/tlsrpt/tlsrpt_test.c tests/test.h
tests_lib_tlsrpt_tlsrpt_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/tlsrpt_record_fuzz
tests_fuzz_tlsrpt_record_fuzz_SOURCES = tests/fuzz/tlsrpt_record_fuzz.c $(fuzz_main)
tests_fuzz_tlsrpt_record_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_tlsrpt_record_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
