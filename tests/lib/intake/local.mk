# tests of lib/intake
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/intake/intake_test tests/lib/intake/header_test
TESTS += tests/lib/intake/intake_test tests/lib/intake/header_test
tests_lib_intake_header_test_SOURCES = tests/lib/intake/header_test.c tests/test.h
tests_lib_intake_header_test_LDADD = $(test_libs)
tests_lib_intake_intake_test_SOURCES = tests/lib/intake/intake_test.c tests/test.h
tests_lib_intake_intake_test_LDADD = $(test_libs)
endif
