# tests of lib/tls
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/tls/stream_test
TESTS += tests/lib/tls/stream_test
tests_lib_tls_stream_test_SOURCES = tests/lib/tls/stream_test.c tests/test.h
tests_lib_tls_stream_test_LDADD = $(test_libs) $(SSL_LIBS)
endif
