# tests of qmgr
if HAVE_CMOCKA
check_PROGRAMS += tests/qmgr/backoff_test
TESTS += tests/qmgr/backoff_test
tests_qmgr_backoff_test_SOURCES = tests/qmgr/backoff_test.c qmgr/backoff.c qmgr/backoff.h tests/test.h
tests_qmgr_backoff_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_backoff_test_LDADD = $(test_libs)
check_PROGRAMS += tests/qmgr/capacity_test
TESTS += tests/qmgr/capacity_test
tests_qmgr_capacity_test_SOURCES = tests/qmgr/capacity_test.c qmgr/capacity.c qmgr/capacity.h tests/test.h
tests_qmgr_capacity_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_capacity_test_LDADD = $(test_libs)

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

check_PROGRAMS += tests/qmgr/recovered_test
TESTS += tests/qmgr/recovered_test
tests_qmgr_recovered_test_SOURCES = tests/qmgr/recovered_test.c qmgr/recovered.c qmgr/recovered.h \
	tests/test.h
tests_qmgr_recovered_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_recovered_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/unreported_test
TESTS += tests/qmgr/unreported_test
tests_qmgr_unreported_test_SOURCES = tests/qmgr/unreported_test.c qmgr/unreported.c \
	qmgr/unreported.h tests/test.h
tests_qmgr_unreported_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_unreported_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/late_test
TESTS += tests/qmgr/late_test
tests_qmgr_late_test_SOURCES = tests/qmgr/late_test.c qmgr/late.c qmgr/late.h tests/test.h
tests_qmgr_late_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_late_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/buckets_test
TESTS += tests/qmgr/buckets_test
tests_qmgr_buckets_test_SOURCES = tests/qmgr/buckets_test.c qmgr/buckets.c qmgr/buckets.h tests/test.h
tests_qmgr_buckets_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_buckets_test_LDADD = $(test_libs)

check_PROGRAMS += tests/qmgr/clog_test
TESTS += tests/qmgr/clog_test
tests_qmgr_clog_test_SOURCES = tests/qmgr/clog_test.c qmgr/clog.c qmgr/clog.h tests/test.h
tests_qmgr_clog_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_qmgr_clog_test_LDADD = $(test_libs)
endif
