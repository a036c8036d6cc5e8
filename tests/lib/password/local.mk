# tests of lib/password
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/password/scheme_test
TESTS += tests/lib/password/scheme_test
tests_lib_password_scheme_test_SOURCES = tests/lib/password/scheme_test.c tests/test.h
tests_lib_password_scheme_test_LDADD = $(test_libs) $(SASL_LIBS) $(PASSWORD_LIBS)
endif
