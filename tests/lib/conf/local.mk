# tests of lib/conf
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/conf/check_test tests/lib/conf/conf_test tests/lib/conf/edit_test
TESTS += tests/lib/conf/check_test tests/lib/conf/conf_test tests/lib/conf/edit_test
tests_lib_conf_check_test_SOURCES = tests/lib/conf/check_test.c tests/test.h
tests_lib_conf_check_test_LDADD = $(test_libs)
tests_lib_conf_conf_test_SOURCES = tests/lib/conf/conf_test.c tests/test.h
tests_lib_conf_conf_test_LDADD = $(test_libs)
tests_lib_conf_edit_test_SOURCES = tests/lib/conf/edit_test.c tests/test.h
tests_lib_conf_edit_test_LDADD = $(test_libs)
endif
