/* tests/lib/sandbox/probe - each promise set against each forbidden thing, each in a child. */
#include "sandbox_test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "sandbox/probe.h"

static const struct {
    const char *name;
    unsigned promises;
} promise_sets[] = {
    {"nothing", 0},
    {"streams and accept", SANDBOX_RECEIVE_FDS | SANDBOX_STREAMS | SANDBOX_ACCEPT},
    {"descriptors", SANDBOX_RECEIVE_FDS | SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC},
    {"threads", SANDBOX_RECEIVE_FDS | SANDBOX_THREADS},
    {"read files", SANDBOX_READ_FILES},
    {"append files, syslog", SANDBOX_APPEND_FILES | SANDBOX_SYSLOG},
    {"queue directory, threads", SANDBOX_QUEUE_DIRECTORY | SANDBOX_THREADS | SANDBOX_RECEIVE_FDS},
    {"maildir", SANDBOX_MAILDIR | SANDBOX_RECEIVE_FDS},
    {"connect", SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_RECEIVE_FDS},
    {"connect, datagrams", SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_RECEIVE_FDS},
    {"name services", SANDBOX_NSS | SANDBOX_READ_FILES},
    {"socket pairs", SANDBOX_SOCKETPAIR | SANDBOX_RECEIVE_FDS},
    {"spawn", SANDBOX_SPAWN | SANDBOX_NSS | SANDBOX_MAILDIR | SANDBOX_RECEIVE_FDS},
};

static int run_probe(void *context)
{
    return sandbox_probe(*(const enum sandbox_probe *)context);
}

static enum sandbox_probe_verdict verdict_of(const struct child_result *result)
{
    if (result->death_signal == SIGSYS)
        return SANDBOX_PROBE_KILLED;
    return result->value == 0 ? SANDBOX_PROBE_PERMITTED : SANDBOX_PROBE_REFUSED;
}

static void probe_everything(enum sandbox_test_mode mode, const char *root_directory)
{
    static const char *const verdict_names[] = {"killed", "refused", "permitted"};
    for (size_t i = 0; i < ARRAY_LENGTH(promise_sets); i++) {
        const unsigned promises = promise_sets[i].promises;
        struct sandbox_filter *filter = sandbox_filter_create(promises, false);
        assert_non_null(filter);
        for (enum sandbox_probe probe = 0; probe < SANDBOX_PROBE_COUNT; probe++) {
            const struct sandbox_profile profile = {.promises = promises,
                                                    .uid = TEST_UID,
                                                    .gid = TEST_GID,
                                                    .root_directory = root_directory,
                                                    .filter = filter};
            const struct child_result result = run_in_sandbox(mode, &profile, run_probe, &probe);
            const enum sandbox_probe_verdict expected = sandbox_probe_expected(probe, promises);
            if (!result.has_entered)
                fail_msg("cannot %s: %s", result.error.step, strerror(result.error.error_number));
            if (!result.has_returned && result.death_signal != SIGSYS)
                fail_msg("%s, %s: signal %d", promise_sets[i].name, sandbox_probe_name(probe),
                         result.death_signal);
            if (verdict_of(&result) != expected)
                fail_msg("as %s, having promised %s: %s was %s (%s), expected %s", mode_name(mode),
                         promise_sets[i].name, sandbox_probe_name(probe),
                         verdict_names[verdict_of(&result)], strerror(result.value),
                         verdict_names[expected]);
        }
        sandbox_filter_destroy(&filter);
    }
}

static void test_probes_as_ordinary_user(void **state)
{
    (void)state;
    probe_everything(MODE_ORDINARY, NULL);
}

static void test_probes_as_root(void **state)
{
    (void)state;
    if (!mode_is_possible(MODE_ROOT))
        skip();
    char root[] = "/tmp/posthouse-sandbox-XXXXXX";
    assert_non_null(mkdtemp(root));
    probe_everything(MODE_ROOT, root);
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probes_as_ordinary_user),
        cmocka_unit_test(test_probes_as_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
