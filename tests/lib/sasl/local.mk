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
endif
