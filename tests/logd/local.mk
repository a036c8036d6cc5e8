# tests of logd
if HAVE_CMOCKA
logd_tests = tests/logd/format_test tests/logd/destination_test tests/logd/order_test \
	tests/logd/logd_test
check_PROGRAMS += $(logd_tests)
TESTS += $(logd_tests)
tests_logd_format_test_SOURCES = tests/logd/format_test.c $(logd_parts) tests/test.h
tests_logd_format_test_LDADD = $(test_libs)
tests_logd_destination_test_SOURCES = tests/logd/destination_test.c $(logd_parts) tests/test.h
tests_logd_destination_test_LDADD = $(test_libs)
tests_logd_order_test_SOURCES = tests/logd/order_test.c $(logd_parts) tests/test.h
tests_logd_order_test_LDADD = $(test_libs)
tests_logd_logd_test_SOURCES = tests/logd/logd_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_logd_logd_test_LDADD = $(test_libs)
endif
