# tests of lib/conf
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/conf/networks_test
TESTS += tests/lib/conf/networks_test
tests_lib_conf_networks_test_SOURCES = tests/lib/conf/networks_test.c tests/test.h
tests_lib_conf_networks_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/conf/check_test tests/lib/conf/conf_test tests/lib/conf/edit_test \
	tests/lib/conf/manual_test tests/lib/conf/pipe_command_test
TESTS += tests/lib/conf/check_test tests/lib/conf/conf_test tests/lib/conf/edit_test \
	tests/lib/conf/manual_test tests/lib/conf/pipe_command_test
tests_lib_conf_pipe_command_test_SOURCES = tests/lib/conf/pipe_command_test.c tests/test.h
tests_lib_conf_pipe_command_test_LDADD = $(test_libs)
tests_lib_conf_check_test_SOURCES = tests/lib/conf/check_test.c tests/test.h
tests_lib_conf_check_test_LDADD = $(test_libs)
tests_lib_conf_conf_test_SOURCES = tests/lib/conf/conf_test.c tests/test.h
tests_lib_conf_conf_test_LDADD = $(test_libs)
tests_lib_conf_edit_test_SOURCES = tests/lib/conf/edit_test.c tests/test.h
tests_lib_conf_edit_test_LDADD = $(test_libs)
tests_lib_conf_manual_test_SOURCES = tests/lib/conf/manual_test.c tests/test.h
tests_lib_conf_manual_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/main_cf_fuzz tests/fuzz/master_cf_fuzz tests/fuzz/conf_expand_fuzz
fuzz_targets += tests/fuzz/pipe_command_fuzz
tests_fuzz_pipe_command_fuzz_SOURCES = tests/fuzz/pipe_command_fuzz.c $(fuzz_main)
tests_fuzz_pipe_command_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_pipe_command_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_main_cf_fuzz_SOURCES = tests/fuzz/main_cf_fuzz.c $(fuzz_main)
tests_fuzz_main_cf_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_main_cf_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_master_cf_fuzz_SOURCES = tests/fuzz/master_cf_fuzz.c $(fuzz_main)
tests_fuzz_master_cf_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_master_cf_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_conf_expand_fuzz_SOURCES = tests/fuzz/conf_expand_fuzz.c $(fuzz_main)
tests_fuzz_conf_expand_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_conf_expand_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
