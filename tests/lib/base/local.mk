# tests of lib/base
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/base/base_test
TESTS += tests/lib/base/base_test
tests_lib_base_base_test_SOURCES = tests/lib/base/base_test.c tests/test.h
tests_lib_base_base_test_LDADD = $(test_libs)
endif
