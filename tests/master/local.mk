# tests of master
if HAVE_CMOCKA
check_PROGRAMS += tests/master/testd
tests_master_testd_SOURCES = tests/master/testd.c
tests_master_testd_LDADD = $(posthouse_libs)
endif
