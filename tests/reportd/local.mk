# tests of reportd
if HAVE_CMOCKA
check_PROGRAMS += tests/reportd/reportd_test
TESTS += tests/reportd/reportd_test
tests_reportd_reportd_test_SOURCES = tests/reportd/reportd_test.c tests/test.h $(reportd_parts)
tests_reportd_reportd_test_LDADD = $(test_libs) $(ZLIB_LIBS)
endif

fuzz_targets += tests/fuzz/tlsrpt_line_fuzz
tests_fuzz_tlsrpt_line_fuzz_SOURCES = tests/fuzz/tlsrpt_line_fuzz.c $(fuzz_main) \
	reportd/line.c reportd/line.h
tests_fuzz_tlsrpt_line_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_tlsrpt_line_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
