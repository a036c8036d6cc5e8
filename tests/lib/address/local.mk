# tests of lib/address
if HAVE_CMOCKA
address_tests = tests/lib/address/address_test tests/lib/address/host_list_test \
	tests/lib/address/idn_test tests/lib/address/proxy_header_test \
	tests/lib/address/scan_test tests/lib/address/vectors_test \
	tests/lib/address/verp_test
check_PROGRAMS += $(address_tests)
TESTS += $(address_tests)
tests_lib_address_host_list_test_SOURCES = tests/lib/address/host_list_test.c tests/test.h
tests_lib_address_host_list_test_LDADD = $(test_libs)
tests_lib_address_proxy_header_test_SOURCES = tests/lib/address/proxy_header_test.c tests/test.h
tests_lib_address_proxy_header_test_LDADD = $(test_libs)
tests_lib_address_idn_test_SOURCES = tests/lib/address/idn_test.c tests/test.h
tests_lib_address_idn_test_LDADD = $(test_libs)
tests_lib_address_address_test_SOURCES = tests/lib/address/address_test.c tests/test.h
tests_lib_address_address_test_LDADD = $(test_libs)
tests_lib_address_scan_test_SOURCES = tests/lib/address/scan_test.c tests/test.h
tests_lib_address_scan_test_LDADD = $(test_libs)
tests_lib_address_verp_test_SOURCES = tests/lib/address/verp_test.c tests/test.h
tests_lib_address_verp_test_LDADD = $(test_libs)
tests_lib_address_vectors_test_SOURCES = tests/lib/address/vectors_test.c tests/test.h
tests_lib_address_vectors_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/address_fuzz tests/fuzz/address_idn_fuzz tests/fuzz/proxy_header_fuzz
tests_fuzz_proxy_header_fuzz_SOURCES = tests/fuzz/proxy_header_fuzz.c $(fuzz_main)
tests_fuzz_proxy_header_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_proxy_header_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_address_idn_fuzz_SOURCES = tests/fuzz/address_idn_fuzz.c $(fuzz_main)
tests_fuzz_address_idn_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_address_idn_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_address_fuzz_SOURCES = tests/fuzz/address_fuzz.c $(fuzz_main)
tests_fuzz_address_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_address_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/address_scan_fuzz
tests_fuzz_address_scan_fuzz_SOURCES = tests/fuzz/address_scan_fuzz.c $(fuzz_main)
tests_fuzz_address_scan_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_address_scan_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
