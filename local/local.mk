# local/: two programs, local and virtual, on one Maildir delivery engine.
local_engine_sources = \
	local/commit.c local/commit.h \
	local/earlier.c local/earlier.h \
	local/mailbox.c local/mailbox.h \
	local/mailbox_cache.c local/mailbox_cache.h \
	local/maildir.c local/maildir.h \
	local/maildir_name.c local/maildir_name.h \
	local/rendition.c local/rendition.h

if HAVE_CMOCKA
check_PROGRAMS += tests/local/maildir_test
TESTS += tests/local/maildir_test
tests_local_maildir_test_SOURCES = tests/local/maildir_test.c tests/test.h $(local_engine_sources)
tests_local_maildir_test_LDADD = $(test_libs)
endif
