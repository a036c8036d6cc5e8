# tests of lib/limit; the client is tested with limitd (tests/limitd/limitd_test)
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/limit/load_test
TESTS += tests/lib/limit/load_test
tests_lib_limit_load_test_SOURCES = tests/lib/limit/load_test.c tests/test.h
tests_lib_limit_load_test_LDADD = $(test_libs)
endif
