# tests of connectd
if HAVE_CMOCKA
connectd_tests = tests/connectd/paths_test tests/connectd/unread_test
check_PROGRAMS += $(connectd_tests)
TESTS += $(connectd_tests)
tests_connectd_paths_test_SOURCES = tests/connectd/paths_test.c connectd/paths.c connectd/paths.h \
	tests/test.h
tests_connectd_paths_test_LDADD = $(test_libs)
tests_connectd_unread_test_SOURCES = tests/connectd/unread_test.c tests/daemon.c tests/daemon.h \
	tests/test.h
tests_connectd_unread_test_LDADD = $(test_libs)
endif
