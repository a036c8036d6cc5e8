/* tests/lib/sandbox/child - fork, enter, run, report through a pipe. */
#include "sandbox_test.h"

#include <grp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"

bool mode_is_possible(enum sandbox_test_mode mode)
{
    return mode == MODE_ORDINARY || geteuid() == 0;
}

const char *mode_name(enum sandbox_test_mode mode)
{
    return mode == MODE_ROOT ? "root" : "ordinary";
}

static bool become_ordinary(struct sandbox_profile *profile)
{
    profile->uid = SANDBOX_SAME_USER;
    profile->gid = SANDBOX_SAME_GROUP;
    return geteuid() != 0 ||
           (setgroups(0, NULL) == 0 && setresgid(TEST_GID, TEST_GID, TEST_GID) == 0 &&
            setresuid(TEST_UID, TEST_UID, TEST_UID) == 0);
}

static void run_child(enum sandbox_test_mode mode, const struct sandbox_profile *wanted,
                      child_body *body, void *context, int report_fd)
{
    struct child_result result = {.has_entered = false};
    struct sandbox_profile profile = *wanted;
    int *kept = calloc(profile.kept_fd_count + 1, sizeof(*kept));
    for (size_t i = 0; i < profile.kept_fd_count; i++)
        kept[i] = profile.kept_fds[i];
    kept[profile.kept_fd_count++] = report_fd;
    profile.kept_fds = kept;
    sandbox_warm_up_common();
    if (!sandbox_warm_up_crypto())
        _exit(1);
    if (mode == MODE_ROOT || become_ordinary(&profile))
        result.has_entered = sandbox_enter(&profile, &result.error);
    if (result.has_entered) {
        result.value = body(context);
        result.has_returned = true;
    }
    if (write(report_fd, &result, sizeof(result)) != sizeof(result))
        _exit(1);
    _exit(0);
}

struct child_result run_in_sandbox(enum sandbox_test_mode mode,
                                   const struct sandbox_profile *profile, child_body *body,
                                   void *context)
{
    struct child_result result = {.has_entered = true};
    int report[2], status = 0;
    assert_int_equal(pipe(report), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_child(mode, profile, body, context, report[1]);
    (void)close(report[1]);
    if (read(report[0], &result, sizeof(result)) != sizeof(result))
        result.has_returned = false;
    (void)close(report[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        result.death_signal = WTERMSIG(status);
    return result;
}

void expect_zero(const char *what, enum sandbox_test_mode mode, const struct child_result *result)
{
    if (!result->has_entered)
        fail_msg("%s as %s: cannot %s: %s", what, mode_name(mode), result->error.step,
                 strerror(result->error.error_number));
    if (!result->has_returned)
        fail_msg("%s as %s: signal %d", what, mode_name(mode), result->death_signal);
    if (result->value != 0)
        fail_msg("%s as %s: line %d", what, mode_name(mode), result->value);
}

void expect_works(const char *what, const struct sandbox_profile *profile, child_body *body,
                  void *context)
{
    for (enum sandbox_test_mode mode = 0; mode < MODE_COUNT; mode++) {
        if (!mode_is_possible(mode))
            continue;
        const struct child_result result = run_in_sandbox(mode, profile, body, context);
        expect_zero(what, mode, &result);
    }
}
