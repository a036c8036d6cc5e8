# tests of lib/queuestore
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/queuestore/store_test
TESTS += tests/lib/queuestore/store_test
tests_lib_queuestore_store_test_SOURCES = tests/lib/queuestore/store_test.c tests/test.h
tests_lib_queuestore_store_test_LDADD = $(test_libs)
tests_lib_queuestore_store_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=renameat
endif
