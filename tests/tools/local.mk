# tests of the commands
if HAVE_CMOCKA
check_PROGRAMS += tests/tools/privilege_test
TESTS += tests/tools/privilege_test
tests_tools_privilege_test_SOURCES = tests/tools/privilege_test.c tests/test.h \
	tools/tool_privilege.c tools/tool_privilege.h
tests_tools_privilege_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_tools_privilege_test_LDADD = $(test_libs) $(DB_LIBS)
check_PROGRAMS += tests/tools/login_sender_test
TESTS += tests/tools/login_sender_test
tests_tools_login_sender_test_SOURCES = tests/tools/login_sender_test.c tests/test.h \
	tools/login_sender.c tools/login_sender.h
tests_tools_login_sender_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
tests_tools_login_sender_test_LDADD = $(test_libs) $(DB_LIBS)
endif
