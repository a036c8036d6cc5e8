# tests of lib/crew
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/crew/crew_test
TESTS += tests/lib/crew/crew_test
tests_lib_crew_crew_test_SOURCES = tests/lib/crew/crew_test.c tests/test.h
tests_lib_crew_crew_test_LDADD = $(test_libs)
endif
