# tests of lib/sasl
if HAVE_CMOCKA
sasl_tests = tests/lib/sasl/client_test tests/lib/sasl/message_test tests/lib/sasl/scram_test \
	tests/lib/sasl/server_test
check_PROGRAMS += $(sasl_tests)
TESTS += $(sasl_tests)
tests_lib_sasl_client_test_SOURCES = tests/lib/sasl/client_test.c tests/test.h
tests_lib_sasl_client_test_LDADD = $(test_libs) $(SASL_LIBS)
tests_lib_sasl_message_test_SOURCES = tests/lib/sasl/message_test.c tests/test.h
tests_lib_sasl_message_test_LDADD = $(test_libs) $(SASL_LIBS)
tests_lib_sasl_scram_test_SOURCES = tests/lib/sasl/scram_test.c tests/test.h
tests_lib_sasl_scram_test_LDADD = $(test_libs) $(SASL_LIBS)
tests_lib_sasl_server_test_SOURCES = tests/lib/sasl/server_test.c tests/test.h
tests_lib_sasl_server_test_LDADD = $(test_libs) $(SASL_LIBS)
if HAVE_GSASL
check_PROGRAMS += tests/lib/sasl/gsasl_test
TESTS += tests/lib/sasl/gsasl_test
tests_lib_sasl_gsasl_test_SOURCES = tests/lib/sasl/gsasl_test.c tests/test.h
tests_lib_sasl_gsasl_test_CPPFLAGS = $(AM_CPPFLAGS) $(GSASL_CFLAGS)
tests_lib_sasl_gsasl_test_LDADD = $(test_libs) $(SASL_LIBS) $(GSASL_LIBS)
endif
endif
fuzz_targets += tests/fuzz/sasl_message_fuzz tests/fuzz/sasl_exchange_fuzz
tests_fuzz_sasl_message_fuzz_SOURCES = tests/fuzz/sasl_message_fuzz.c $(fuzz_main)
tests_fuzz_sasl_message_fuzz_LDADD = $(posthouse_libs) $(SASL_LIBS)
tests_fuzz_sasl_message_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_sasl_exchange_fuzz_SOURCES = tests/fuzz/sasl_exchange_fuzz.c $(fuzz_main)
tests_fuzz_sasl_exchange_fuzz_LDADD = $(posthouse_libs) $(SASL_LIBS)
tests_fuzz_sasl_exchange_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
