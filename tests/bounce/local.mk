# tests of bounce
if HAVE_CMOCKA
check_PROGRAMS += tests/bounce/bounce_test
TESTS += tests/bounce/bounce_test
tests_bounce_bounce_test_SOURCES = tests/bounce/bounce_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_bounce_bounce_test_LDADD = $(test_libs)
endif
