# tests of lib/dnswire
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/dnswire/name_test tests/lib/dnswire/answer_test
TESTS += tests/lib/dnswire/name_test tests/lib/dnswire/answer_test
tests_lib_dnswire_name_test_SOURCES = tests/lib/dnswire/name_test.c tests/test.h
tests_lib_dnswire_name_test_LDADD = $(test_libs)
tests_lib_dnswire_answer_test_SOURCES = tests/lib/dnswire/answer_test.c \
	tests/lib/dnswire/message.c tests/lib/dnswire/message.h tests/test.h
tests_lib_dnswire_answer_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/dnswire_answer_fuzz tests/fuzz/dnswire_name_fuzz
tests_fuzz_dnswire_answer_fuzz_SOURCES = tests/fuzz/dnswire_answer_fuzz.c $(fuzz_main)
tests_fuzz_dnswire_answer_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_dnswire_answer_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_dnswire_name_fuzz_SOURCES = tests/fuzz/dnswire_name_fuzz.c $(fuzz_main)
tests_fuzz_dnswire_name_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_dnswire_name_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
