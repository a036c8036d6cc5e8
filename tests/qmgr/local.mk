# tests of qmgr
if HAVE_CMOCKA
check_PROGRAMS += tests/qmgr/backoff_test
TESTS += tests/qmgr/backoff_test
tests_qmgr_backoff_test_SOURCES = tests/qmgr/backoff_test.c qmgr/backoff.c qmgr/backoff.h tests/test.h
tests_qmgr_backoff_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_backoff_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/window_test
TESTS += tests/qmgr/window_test
tests_qmgr_window_test_SOURCES = tests/qmgr/window_test.c qmgr/window.c qmgr/window.h tests/test.h
tests_qmgr_window_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_window_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/steady_test
TESTS += tests/qmgr/steady_test
tests_qmgr_steady_test_SOURCES = tests/qmgr/steady_test.c qmgr/steady.c qmgr/steady.h tests/test.h
tests_qmgr_steady_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_steady_test_LDADD = $(test_libs)
endif
