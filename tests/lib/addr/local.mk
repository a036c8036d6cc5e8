# tests of lib/addr
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/addr/client_test
TESTS += tests/lib/addr/client_test
tests_lib_addr_client_test_SOURCES = tests/lib/addr/client_test.c tests/test.h
tests_lib_addr_client_test_LDADD = $(test_libs)
endif
