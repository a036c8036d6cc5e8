# tests of lib/ipc
if HAVE_CMOCKA
ipc_tests = tests/lib/ipc/asker_test tests/lib/ipc/codec_test tests/lib/ipc/channel_test \
	tests/lib/ipc/helper_test
check_PROGRAMS += $(ipc_tests)
TESTS += $(ipc_tests)
tests_lib_ipc_helper_test_SOURCES = tests/lib/ipc/helper_test.c tests/test.h
tests_lib_ipc_helper_test_LDADD = $(test_libs)
tests_lib_ipc_asker_test_SOURCES = tests/lib/ipc/asker_test.c tests/test.h
tests_lib_ipc_asker_test_LDADD = $(test_libs)
tests_lib_ipc_codec_test_SOURCES = tests/lib/ipc/codec_test.c tests/test.h
tests_lib_ipc_codec_test_LDADD = $(test_libs)
tests_lib_ipc_channel_test_SOURCES = tests/lib/ipc/channel_test.c tests/test.h
tests_lib_ipc_channel_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/ipc_fuzz
tests_fuzz_ipc_fuzz_SOURCES = tests/fuzz/ipc_fuzz.c $(fuzz_main)
tests_fuzz_ipc_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_ipc_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
