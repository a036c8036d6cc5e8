# tests of lib/smtpsession
if HAVE_CMOCKA
smtpsession_harness = tests/lib/smtpsession/harness.c tests/lib/smtpsession/harness.h tests/test.h
smtpsession_tests = tests/lib/smtpsession/actions_test \
	tests/lib/smtpsession/chunks_test \
	tests/lib/smtpsession/extensions_test \
	tests/lib/smtpsession/misbehaviour_test \
	tests/lib/smtpsession/restrictions_test \
	tests/lib/smtpsession/session_test \
	tests/lib/smtpsession/tls_test \
	tests/lib/smtpsession/transcripts_test
check_PROGRAMS += $(smtpsession_tests)
TESTS += $(smtpsession_tests)
tests_lib_smtpsession_actions_test_SOURCES = tests/lib/smtpsession/actions_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_actions_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_chunks_test_SOURCES = tests/lib/smtpsession/chunks_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_chunks_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_extensions_test_SOURCES = tests/lib/smtpsession/extensions_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_extensions_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_misbehaviour_test_SOURCES = tests/lib/smtpsession/misbehaviour_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_misbehaviour_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_restrictions_test_SOURCES = tests/lib/smtpsession/restrictions_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_restrictions_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_session_test_SOURCES = tests/lib/smtpsession/session_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_session_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_tls_test_SOURCES = tests/lib/smtpsession/tls_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_tls_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
tests_lib_smtpsession_transcripts_test_SOURCES = tests/lib/smtpsession/transcripts_test.c \
	$(smtpsession_harness)
tests_lib_smtpsession_transcripts_test_LDADD = $(test_libs) $(SSL_LIBS) $(DB_LIBS)
endif
fuzz_targets += tests/fuzz/session_attributes_fuzz
tests_fuzz_session_attributes_fuzz_SOURCES = tests/fuzz/session_attributes_fuzz.c $(fuzz_main)
tests_fuzz_session_attributes_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_session_attributes_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
EXTRA_DIST += tests/transcripts/smtpd
