# tests of lib/sasl
if HAVE_CMOCKA
sasl_tests = tests/lib/sasl/server_test
check_PROGRAMS += $(sasl_tests)
TESTS += $(sasl_tests)
tests_lib_sasl_server_test_SOURCES = tests/lib/sasl/server_test.c tests/test.h
tests_lib_sasl_server_test_LDADD = $(test_libs) $(SASL_LIBS)
endif
