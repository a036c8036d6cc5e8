/* sandbox/sandbox - the order of the steps into a sandbox.
 * Interface: sandbox_enter(). */
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

enum { LEAVING_THREAD_TRIES = 100 };

/* Landlock and the bounding set are the calling thread's own: a second thread would stay outside.
 * Where /proc is not mounted this cannot be known and is taken for true. */
static int count_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks)
        return 1;
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(tasks));)
        count += entry->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

/* A thread that was joined (the warm-up has one) stays in the list for a moment. */
static bool is_single_threaded(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int tries = 0; count_threads() > 1; tries++) {
        if (tries == LEAVING_THREAD_TRIES)
            return false;
        (void)nanosleep(&pause, NULL);
    }
    return true;
}

static bool load_filter(const struct sandbox_filter *filter)
{
    struct sock_fprog program = {filter->instruction_count, filter->instructions};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

static bool enter(const struct sandbox_profile *profile, const char **step)
{
    const struct sandbox_filter *filter = profile->filter;
    *step = "have no second thread";
    if (!is_single_threaded()) {
        errno = EBUSY;
        return false;
    }
    *step = "compile the filter";
    if (!filter && !(filter = sandbox_filter_create(profile->promises, profile->explain_kills)))
        return false;
    if (!sandbox_close_descriptors(profile, step))
        return false;
    *step = "name the permitted paths";
    const int ruleset_fd = sandbox_landlock_prepare(profile);
    if (ruleset_fd < 0 && errno != ENOSYS && errno != EOPNOTSUPP)
        return false;
    if (!sandbox_limit_resources(profile, step) || !sandbox_drop_privilege(profile, step))
        return false;

    *step = "forbid tracing";
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) /* changing uid may have set it again */
        return false;
    *step = "forbid new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return false;
    *step = "restrict paths and ports";
    if (ruleset_fd >= 0 && (!sandbox_landlock_restrict(ruleset_fd) || close(ruleset_fd) != 0))
        return false;
    *step = "catch refused system calls";
    if (!sandbox_trap_install(filter, profile->on_note, profile->note_context))
        return false;
    *step = "load the system call filter";
    return load_filter(filter);
}

bool sandbox_enter(const struct sandbox_profile *profile, struct sandbox_error *error)
{
    *error = (struct sandbox_error){.step = "start"};
    if (enter(profile, &error->step))
        return true;
    error->error_number = errno;
    return false;
}
