# tests of qmgr
if HAVE_CMOCKA
check_PROGRAMS += tests/qmgr/backoff_test
TESTS += tests/qmgr/backoff_test
tests_qmgr_backoff_test_SOURCES = tests/qmgr/backoff_test.c qmgr/backoff.c qmgr/backoff.h tests/test.h
tests_qmgr_backoff_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_backoff_test_LDADD = $(test_libs)
endif
