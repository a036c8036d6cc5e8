# tests of connectd
if HAVE_CMOCKA
check_PROGRAMS += tests/connectd/paths_test
TESTS += tests/connectd/paths_test
tests_connectd_paths_test_SOURCES = tests/connectd/paths_test.c connectd/paths.c connectd/paths.h \
	tests/test.h
tests_connectd_paths_test_LDADD = $(test_libs)
endif
