# tests of authd
if HAVE_CMOCKA
authd_tests = tests/authd/authd_test
check_PROGRAMS += $(authd_tests)
TESTS += $(authd_tests)
tests_authd_authd_test_SOURCES = tests/authd/authd_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_authd_authd_test_LDADD = $(test_libs)
endif
