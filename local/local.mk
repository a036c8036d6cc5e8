# local/: local and virtual, on one Maildir delivery engine, and pipe, which gives mail to commands.
local_engine_sources = \
	local/commit.c local/commit.h local/commit_private.h local/commit_work.c \
	local/earlier.c local/earlier.h \
	local/maildir.c local/maildir.h \
	local/maildir_cache.c local/maildir_cache.h \
	local/maildir_name.c local/maildir_name.h \
	local/maildir_open.c local/maildir_open.h \
	local/mbox.c local/mbox.h \
	local/quota.c local/quota.h \
	local/rendition.c local/rendition.h

local_agent_sources = \
	local/deliverer.c local/deliverer.h \
	local/dispatch.c local/dispatch.h \
	local/root_part.c local/root_part.h \
	local/worker.c local/worker.h

daemon_PROGRAMS += local/local local/virtual local/pipe
local_local_SOURCES = local/local.c \
	local/attributes.c local/attributes.h \
	local/biff.c local/biff.h \
	local/course.c local/course.h \
	local/delivery.c local/delivery.h \
	local/destinations.c local/destinations.h \
	local/environment.c local/environment.h \
	local/expansion.c local/expansion.h \
	local/forwarder.c local/forwarder.h \
	local/identity.c local/identity.h \
	local/loops.c local/loops.h \
	local/runner.c local/runner.h \
	local/stages.c local/stages.h \
	$(local_agent_sources) $(local_engine_sources)
local_local_LDADD = $(posthouse_libs) $(DB_LIBS)
local_virtual_SOURCES = local/virtual.c local/owner.c local/owner.h \
	local/owners.c local/owners.h \
	$(local_agent_sources) $(local_engine_sources)
local_virtual_LDADD = $(posthouse_libs) $(DB_LIBS)

local_pipe_SOURCES = local/pipe.c local/pipe_arguments.c local/pipe_arguments.h \
	local/pipe_copy.c local/pipe_copy.h local/pipe_run.c local/pipe_run.h \
	local/environment.c local/environment.h local/dispatch.c local/dispatch.h local/root_part.c local/root_part.h
local_pipe_LDADD = $(posthouse_libs) $(DB_LIBS)

if HAVE_CMOCKA
check_PROGRAMS += tests/local/batch_test
TESTS += tests/local/batch_test
tests_local_batch_test_SOURCES = tests/local/batch_test.c tests/local/content.h tests/test.h $(local_engine_sources)
tests_local_batch_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/maildir_test
TESTS += tests/local/maildir_test
tests_local_maildir_test_SOURCES = tests/local/maildir_test.c tests/local/content.h tests/test.h $(local_engine_sources)
tests_local_maildir_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/quota_test
TESTS += tests/local/quota_test
tests_local_quota_test_SOURCES = tests/local/quota_test.c tests/test.h local/quota.c local/quota.h
tests_local_quota_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/destinations_test
TESTS += tests/local/destinations_test
tests_local_destinations_test_SOURCES = tests/local/destinations_test.c tests/test.h \
	local/destinations.c local/destinations.h
tests_local_destinations_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/dispatch_test
TESTS += tests/local/dispatch_test
tests_local_dispatch_test_SOURCES = tests/local/dispatch_test.c tests/test.h \
	local/dispatch.c local/dispatch.h
tests_local_dispatch_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/forward_test
TESTS += tests/local/forward_test
tests_local_forward_test_SOURCES = tests/local/forward_test.c tests/test.h \
	local/attributes.c local/attributes.h local/destinations.c local/destinations.h \
	local/environment.c local/environment.h local/expansion.c local/expansion.h
tests_local_forward_test_LDADD = $(test_libs) $(DB_LIBS)
check_PROGRAMS += tests/local/identity_test
TESTS += tests/local/identity_test
tests_local_identity_test_SOURCES = tests/local/identity_test.c tests/test.h \
	local/identity.c local/identity.h
tests_local_identity_test_LDADD = $(test_libs) $(DB_LIBS)
check_PROGRAMS += tests/local/mbox_test
TESTS += tests/local/mbox_test
tests_local_mbox_test_SOURCES = tests/local/mbox_test.c tests/test.h $(local_engine_sources)
tests_local_mbox_test_LDADD = $(test_libs)
check_PROGRAMS += tests/local/agents_test
TESTS += tests/local/agents_test
tests_local_agents_test_SOURCES = tests/local/agents_test.c tests/daemon.c tests/daemon.h tests/test.h
tests_local_agents_test_LDADD = $(test_libs)
EXTRA_tests_local_agents_test_DEPENDENCIES = local/local$(EXEEXT) local/virtual$(EXEEXT)
check_PROGRAMS += tests/local/pipe_copy_test
TESTS += tests/local/pipe_copy_test
tests_local_pipe_copy_test_SOURCES = tests/local/pipe_copy_test.c tests/test.h \
	local/pipe_copy.c local/pipe_copy.h
tests_local_pipe_copy_test_LDADD = $(test_libs)
endif

fuzz_targets += tests/fuzz/local_quota_fuzz
tests_fuzz_local_quota_fuzz_SOURCES = tests/fuzz/local_quota_fuzz.c local/quota.c local/quota.h \
	$(fuzz_main)
tests_fuzz_local_quota_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_local_quota_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/local_destinations_fuzz
tests_fuzz_local_destinations_fuzz_SOURCES = tests/fuzz/local_destinations_fuzz.c \
	local/destinations.c local/destinations.h $(fuzz_main)
tests_fuzz_local_destinations_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_local_destinations_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
fuzz_targets += tests/fuzz/local_pipe_copy_fuzz
tests_fuzz_local_pipe_copy_fuzz_SOURCES = tests/fuzz/local_pipe_copy_fuzz.c $(fuzz_main) \
	local/pipe_copy.c local/pipe_copy.h
tests_fuzz_local_pipe_copy_fuzz_LDADD = $(posthouse_libs)
tests_fuzz_local_pipe_copy_fuzz_LDFLAGS = $(AM_LDFLAGS) $(fuzz_ldflags)
