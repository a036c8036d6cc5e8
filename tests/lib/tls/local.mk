# tests of lib/tls
if HAVE_CMOCKA
tls_tests = tests/lib/tls/settings_test tests/lib/tls/stream_test
check_PROGRAMS += $(tls_tests)
TESTS += $(tls_tests)
tests_lib_tls_settings_test_SOURCES = tests/lib/tls/settings_test.c tests/test.h
tests_lib_tls_settings_test_LDADD = $(test_libs) $(SSL_LIBS)
tests_lib_tls_stream_test_SOURCES = tests/lib/tls/stream_test.c tests/test.h
tests_lib_tls_stream_test_LDADD = $(test_libs) $(SSL_LIBS)
check_PROGRAMS += tests/lib/tls/binding_test
TESTS += tests/lib/tls/binding_test
tests_lib_tls_binding_test_SOURCES = tests/lib/tls/binding_test.c tests/test.h
tests_lib_tls_binding_test_LDADD = $(test_libs) $(SSL_LIBS)
check_PROGRAMS += tests/lib/tls/tickets_test
TESTS += tests/lib/tls/tickets_test
tests_lib_tls_tickets_test_SOURCES = tests/lib/tls/tickets_test.c tests/test.h
tests_lib_tls_tickets_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/tls/scheme_test
TESTS += tests/lib/tls/scheme_test
tests_lib_tls_scheme_test_SOURCES = tests/lib/tls/scheme_test.c tests/test.h
tests_lib_tls_scheme_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/tls/chain_test
TESTS += tests/lib/tls/chain_test
tests_lib_tls_chain_test_SOURCES = tests/lib/tls/chain_test.c tests/keyd/certificates.c \
	tests/keyd/certificates.h tests/test.h
tests_lib_tls_chain_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/tls/gathered_test
TESTS += tests/lib/tls/gathered_test
tests_lib_tls_gathered_test_SOURCES = tests/lib/tls/gathered_test.c tests/keyd/certificates.c \
	tests/keyd/certificates.h tests/test.h
tests_lib_tls_gathered_test_LDADD = $(test_libs) $(SSL_LIBS)
endif
fuzz_targets += tests/fuzz/tls_settings_fuzz
tests_fuzz_tls_settings_fuzz_SOURCES = tests/fuzz/tls_settings_fuzz.c $(fuzz_main)
tests_fuzz_tls_settings_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_tls_settings_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/tls_chain_fuzz
tests_fuzz_tls_chain_fuzz_SOURCES = tests/fuzz/tls_chain_fuzz.c $(fuzz_main)
tests_fuzz_tls_chain_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_tls_chain_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
