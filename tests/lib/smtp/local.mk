# tests of lib/smtp
if HAVE_CMOCKA
check_PROGRAMS += tests/lib/smtp/grammar_test tests/lib/smtp/content_test \
	tests/lib/smtp/address_field_test
TESTS += tests/lib/smtp/grammar_test tests/lib/smtp/content_test tests/lib/smtp/address_field_test
tests_lib_smtp_address_field_test_SOURCES = tests/lib/smtp/address_field_test.c tests/test.h
tests_lib_smtp_address_field_test_LDADD = $(test_libs)
tests_lib_smtp_grammar_test_SOURCES = tests/lib/smtp/grammar_test.c tests/test.h
tests_lib_smtp_grammar_test_LDADD = $(test_libs)
tests_lib_smtp_content_test_SOURCES = tests/lib/smtp/content_test.c tests/test.h
tests_lib_smtp_content_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/smtp/auth_command_test
TESTS += tests/lib/smtp/auth_command_test
tests_lib_smtp_auth_command_test_SOURCES = tests/lib/smtp/auth_command_test.c tests/test.h
tests_lib_smtp_auth_command_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/smtp/header_cut_test
TESTS += tests/lib/smtp/header_cut_test
tests_lib_smtp_header_cut_test_SOURCES = tests/lib/smtp/header_cut_test.c tests/test.h
tests_lib_smtp_header_cut_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/smtp/line_ends_test
TESTS += tests/lib/smtp/line_ends_test
tests_lib_smtp_line_ends_test_SOURCES = tests/lib/smtp/line_ends_test.c tests/test.h
tests_lib_smtp_line_ends_test_LDADD = $(test_libs)
check_PROGRAMS += tests/lib/smtp/transcript_test
TESTS += tests/lib/smtp/transcript_test
tests_lib_smtp_transcript_test_SOURCES = tests/lib/smtp/transcript_test.c tests/test.h
tests_lib_smtp_transcript_test_LDADD = $(test_libs)
endif
fuzz_targets += tests/fuzz/smtp_auth_command_fuzz
tests_fuzz_smtp_auth_command_fuzz_SOURCES = tests/fuzz/smtp_auth_command_fuzz.c $(fuzz_main)
tests_fuzz_smtp_auth_command_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_auth_command_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/smtp_command_fuzz tests/fuzz/smtp_reply_fuzz tests/fuzz/smtp_data_fuzz \
	tests/fuzz/smtp_header_fuzz tests/fuzz/smtp_header_cut_fuzz \
	tests/fuzz/smtp_address_field_fuzz tests/fuzz/smtp_address_list_fuzz
tests_fuzz_smtp_address_list_fuzz_SOURCES = tests/fuzz/smtp_address_list_fuzz.c $(fuzz_main)
tests_fuzz_smtp_address_list_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_address_list_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_address_field_fuzz_SOURCES = tests/fuzz/smtp_address_field_fuzz.c $(fuzz_main)
tests_fuzz_smtp_address_field_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_address_field_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_header_cut_fuzz_SOURCES = tests/fuzz/smtp_header_cut_fuzz.c $(fuzz_main)
tests_fuzz_smtp_header_cut_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_header_cut_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_command_fuzz_SOURCES = tests/fuzz/smtp_command_fuzz.c $(fuzz_main)
tests_fuzz_smtp_command_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_command_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_reply_fuzz_SOURCES = tests/fuzz/smtp_reply_fuzz.c $(fuzz_main)
tests_fuzz_smtp_reply_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_reply_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_data_fuzz_SOURCES = tests/fuzz/smtp_data_fuzz.c $(fuzz_main)
tests_fuzz_smtp_data_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_data_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
tests_fuzz_smtp_header_fuzz_SOURCES = tests/fuzz/smtp_header_fuzz.c $(fuzz_main)
tests_fuzz_smtp_header_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_smtp_header_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
