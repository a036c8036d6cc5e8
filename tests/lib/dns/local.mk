# tests of lib/dns; the client is tested with dnsd (tests/dnsd/dnsd_test)
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/dns/records_test
TESTS += tests/lib/dns/records_test
tests_lib_dns_records_test_SOURCES = tests/lib/dns/records_test.c tests/test.h
tests_lib_dns_records_test_LDADD = $(test_libs)
endif
