# tests of addrd
if HAVE_CMOCKA
addrd_tests = tests/addrd/addrd_test tests/addrd/expander_test tests/addrd/resolver_test
check_PROGRAMS += $(addrd_tests)
TESTS += $(addrd_tests)
tests_addrd_addrd_test_SOURCES = tests/addrd/addrd_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_addrd_addrd_test_LDADD = $(test_libs) $(DB_LIBS)
tests_addrd_expander_test_SOURCES = tests/addrd/expander_test.c tests/test.h $(addrd_parts)
tests_addrd_expander_test_LDADD = $(test_libs) $(DB_LIBS)
tests_addrd_resolver_test_SOURCES = tests/addrd/resolver_test.c tests/test.h $(addrd_parts)
tests_addrd_resolver_test_LDADD = $(test_libs) $(DB_LIBS)
endif
