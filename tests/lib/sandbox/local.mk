# tests of lib/sandbox
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/sandbox/paths_test tests/lib/sandbox/probe_test \
	tests/lib/sandbox/promise_test tests/lib/sandbox/sockets_test
TESTS += tests/lib/sandbox/paths_test tests/lib/sandbox/probe_test tests/lib/sandbox/promise_test \
	tests/lib/sandbox/sockets_test
tests_lib_sandbox_paths_test_SOURCES = tests/lib/sandbox/paths_test.c tests/test.h
tests_lib_sandbox_paths_test_LDADD = $(test_libs)
tests_lib_sandbox_probe_test_SOURCES = tests/lib/sandbox/probe_test.c \
	tests/lib/sandbox/child.c tests/lib/sandbox/sandbox_test.h tests/test.h
tests_lib_sandbox_probe_test_LDADD = $(test_libs)
tests_lib_sandbox_promise_test_SOURCES = tests/lib/sandbox/promise_test.c \
	tests/lib/sandbox/child.c tests/lib/sandbox/sandbox_test.h tests/test.h
tests_lib_sandbox_promise_test_LDADD = $(test_libs)
tests_lib_sandbox_sockets_test_SOURCES = tests/lib/sandbox/sockets_test.c \
	tests/lib/sandbox/child.c tests/lib/sandbox/sandbox_test.h tests/test.h
tests_lib_sandbox_sockets_test_LDADD = $(test_libs)
endif
