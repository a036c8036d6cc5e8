# tests of keyd's parts, and of keyd with its client
if HAVE_CMOCKA
keyd_tests = tests/keyd/heirloom_test tests/keyd/keyd_test tests/keyd/signable_test \
	tests/keyd/turns_test
check_PROGRAMS += $(keyd_tests)
TESTS += $(keyd_tests)
tests_keyd_keyd_test_SOURCES = tests/keyd/keyd_test.c tests/keyd/fixture.c \
	tests/keyd/fixture.h tests/keyd/certificates.c tests/keyd/certificates.h $(keyd_parts) tests/test.h
tests_keyd_keyd_test_LDADD = $(test_libs) $(DB_LIBS) $(SSL_LIBS)
tests_keyd_turns_test_SOURCES = tests/keyd/turns_test.c tests/keyd/fixture.c \
	tests/keyd/fixture.h tests/keyd/certificates.c tests/keyd/certificates.h $(keyd_parts) tests/test.h
tests_keyd_turns_test_LDADD = $(test_libs) $(DB_LIBS) $(SSL_LIBS)
tests_keyd_heirloom_test_SOURCES = tests/keyd/heirloom_test.c tests/keyd/certificates.c \
	tests/keyd/certificates.h keyd/heirloom.c keyd/heirloom.h keyd/key_set.c keyd/key_set.h tests/test.h
tests_keyd_heirloom_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_keyd_signable_test_SOURCES = tests/keyd/signable_test.c keyd/signable.c tests/test.h
tests_keyd_signable_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/keyd_signable_fuzz
tests_fuzz_keyd_signable_fuzz_SOURCES = tests/fuzz/keyd_signable_fuzz.c keyd/signable.c $(fuzz_main)
tests_fuzz_keyd_signable_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_keyd_signable_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/keyd_heirloom_fuzz
tests_fuzz_keyd_heirloom_fuzz_SOURCES = tests/fuzz/keyd_heirloom_fuzz.c keyd/heirloom.c \
	keyd/heirloom.h keyd/key_set.c keyd/key_set.h $(fuzz_main)
tests_fuzz_keyd_heirloom_fuzz_LDADD = $(posthouse_libs) $(SSL_LIBS)
tests_fuzz_keyd_heirloom_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
