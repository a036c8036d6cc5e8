# tests of the client's side of lib/tls
if HAVE_CMOCKA
tls_client_tests = tests/lib/tls/policy_test tests/lib/tls/sessions_test tests/lib/tls/verify_test
check_PROGRAMS += $(tls_client_tests)
TESTS += $(tls_client_tests)
tests_lib_tls_policy_test_SOURCES = tests/lib/tls/policy_test.c tests/test.h
tests_lib_tls_policy_test_LDADD = $(test_libs)
tests_lib_tls_sessions_test_SOURCES = tests/lib/tls/sessions_test.c tests/test.h
tests_lib_tls_sessions_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_lib_tls_verify_test_SOURCES = tests/lib/tls/verify_test.c tests/smtp/certificates.c \
	tests/smtp/certificates.h tests/test.h
tests_lib_tls_verify_test_LDADD = $(test_libs) $(SSL_LIBS)
endif
fuzz_targets += tests/fuzz/tls_policy_fuzz
tests_fuzz_tls_policy_fuzz_SOURCES = tests/fuzz/tls_policy_fuzz.c $(fuzz_main)
tests_fuzz_tls_policy_fuzz_LDADD = $(posthouse_libs) $(SSL_LIBS)
tests_fuzz_tls_policy_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
