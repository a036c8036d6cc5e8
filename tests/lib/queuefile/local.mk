# tests of lib/queuefile
if HAVE_CMOCKA
queuefile_tests = tests/lib/queuefile/id_test tests/lib/queuefile/preamble_test \
	tests/lib/queuefile/envelope_test tests/lib/queuefile/state_test \
	tests/lib/queuefile/drop_test tests/lib/queuefile/ranges_test
check_PROGRAMS += $(queuefile_tests)
TESTS += $(queuefile_tests)
tests_lib_queuefile_id_test_SOURCES = tests/lib/queuefile/id_test.c tests/test.h
tests_lib_queuefile_id_test_LDADD = $(test_libs)
tests_lib_queuefile_preamble_test_SOURCES = tests/lib/queuefile/preamble_test.c tests/lib/queuefile/samples.h
tests_lib_queuefile_preamble_test_LDADD = $(test_libs)
tests_lib_queuefile_envelope_test_SOURCES = tests/lib/queuefile/envelope_test.c tests/lib/queuefile/samples.h
tests_lib_queuefile_envelope_test_LDADD = $(test_libs)
tests_lib_queuefile_state_test_SOURCES = tests/lib/queuefile/state_test.c tests/lib/queuefile/samples.h
tests_lib_queuefile_state_test_LDADD = $(test_libs)
tests_lib_queuefile_drop_test_SOURCES = tests/lib/queuefile/drop_test.c tests/test.h
tests_lib_queuefile_drop_test_LDADD = $(test_libs)
tests_lib_queuefile_ranges_test_SOURCES = tests/lib/queuefile/ranges_test.c tests/test.h
tests_lib_queuefile_ranges_test_LDADD = $(test_libs)
endif

fuzz_targets += tests/fuzz/queue_preamble_fuzz tests/fuzz/queue_envelope_fuzz tests/fuzz/queue_journal_fuzz \
	tests/fuzz/queue_drop_fuzz tests/fuzz/queue_ranges_fuzz
tests_fuzz_queue_preamble_fuzz_SOURCES = tests/fuzz/queue_preamble_fuzz.c $(fuzz_main)
tests_fuzz_queue_preamble_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_queue_preamble_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_queue_envelope_fuzz_SOURCES = tests/fuzz/queue_envelope_fuzz.c $(fuzz_main)
tests_fuzz_queue_envelope_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_queue_envelope_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_queue_journal_fuzz_SOURCES = tests/fuzz/queue_journal_fuzz.c $(fuzz_main)
tests_fuzz_queue_journal_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_queue_journal_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_queue_drop_fuzz_SOURCES = tests/fuzz/queue_drop_fuzz.c $(fuzz_main)
tests_fuzz_queue_drop_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_queue_drop_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_queue_ranges_fuzz_SOURCES = tests/fuzz/queue_ranges_fuzz.c $(fuzz_main)
tests_fuzz_queue_ranges_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_queue_ranges_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
