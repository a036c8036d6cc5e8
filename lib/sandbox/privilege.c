/* sandbox/privilege - what a process gives away before its filter: descriptors, limits, root
 * directory, groups, ids and capabilities.
 * Interface: sandbox_limit_resources(), sandbox_close_descriptors(), sandbox_drop_privilege(). */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

#ifdef __GLIBC__
#define LIMITED_RESOURCE __rlimit_resource_t
#else
#define LIMITED_RESOURCE int
#endif

static bool set_limit(LIMITED_RESOURCE resource, uint64_t value)
{
    struct rlimit old;
    if (getrlimit(resource, &old) != 0)
        return false;
    struct rlimit limit = {value, value};
    if (setrlimit(resource, &limit) == 0)
        return true;
    /* Who may not raise the hard limit (an ordinary user, root in many a container) keeps to it. */
    if (errno != EPERM || value <= old.rlim_max)
        return false;
    limit = (struct rlimit){old.rlim_max, old.rlim_max};
    return setrlimit(resource, &limit) == 0;
}

bool sandbox_limit_resources(const struct sandbox_profile *profile, const char **step)
{
    *step = "forbid core dumps"; /* they would carry mail and secrets to the disk */
    if (!set_limit(RLIMIT_CORE, 0))
        return false;
    *step = "limit descriptors";
    if (profile->descriptor_limit && !set_limit(RLIMIT_NOFILE, profile->descriptor_limit))
        return false;
    *step = "limit processes";
    return !profile->process_limit || set_limit(RLIMIT_NPROC, profile->process_limit);
}

static int compare_fds(const void *left, const void *right)
{
    int a, b;
    memcpy(&a, left, sizeof(a));
    memcpy(&b, right, sizeof(b));
    return (a > b) - (a < b);
}

bool sandbox_close_descriptors(const struct sandbox_profile *profile, const char **step)
{
    bool is_done = false;
    *step = "close inherited descriptors";
    int *kept = malloc((profile->kept_fd_count + 1) * sizeof(*kept));
    if (!kept)
        return false;
    if (profile->kept_fd_count)
        memcpy(kept, profile->kept_fds, profile->kept_fd_count * sizeof(*kept));
    qsort(kept, profile->kept_fd_count, sizeof(*kept), compare_fds);
    unsigned first = STDERR_FILENO + 1;
    for (size_t i = 0; i < profile->kept_fd_count; i++) {
        if (kept[i] < (int)first)
            continue;
        const unsigned fd = (unsigned)kept[i];
        if (fd > first && close_range(first, fd - 1, 0) != 0)
            goto done;
        first = fd + 1;
    }
    is_done = close_range(first, ~0U, 0) == 0;
done:
    free(kept);
    return is_done;
}

/* Root that only forks keeps the two capabilities that forking users' workers takes, and nobody
 * keeps any that a later exec or change of user could bring back. */
static bool reduce_capabilities(unsigned promises)
{
    const uint32_t kept = promises & SANDBOX_SPAWN ? 1U << CAP_SETUID | 1U << CAP_SETGID : 0;
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return false;
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
        {.effective = kept, .permitted = kept, .inheritable = 0}};
    return syscall(SYS_capset, &header, data) == 0;
}

static bool ids_are(uid_t uid, gid_t gid)
{
    uid_t real_uid, effective_uid, saved_uid;
    gid_t real_gid, effective_gid, saved_gid;
    return getresuid(&real_uid, &effective_uid, &saved_uid) == 0 &&
           getresgid(&real_gid, &effective_gid, &saved_gid) == 0 && real_uid == uid &&
           effective_uid == uid && saved_uid == uid && real_gid == gid && effective_gid == gid &&
           saved_gid == gid;
}

static bool refuse(int error_number)
{
    errno = error_number;
    return false;
}

static bool stay_who_we_are(const struct sandbox_profile *profile, const char **step)
{
    const uid_t uid = profile->uid == SANDBOX_SAME_USER ? getuid() : profile->uid;
    const gid_t gid = profile->gid == SANDBOX_SAME_GROUP ? getgid() : profile->gid;
    *step = "be the user that the profile names, without root";
    if (!ids_are(uid, gid))
        return refuse(EPERM);
    return true;
}

bool sandbox_drop_privilege(const struct sandbox_profile *profile, const char **step)
{
    if (geteuid() != 0)
        return stay_who_we_are(profile, step);

    *step = "know which user to become";
    if (profile->uid == SANDBOX_SAME_USER || profile->gid == SANDBOX_SAME_GROUP ||
        (profile->uid == 0 && !(profile->promises & SANDBOX_SPAWN)))
        return refuse(EINVAL);
    *step = "change the root directory";
    if (profile->root_directory && (chroot(profile->root_directory) != 0 || chdir("/") != 0))
        return false;
    *step = "drop groups";
    if (setgroups(1, &profile->gid) != 0)
        return false;
    *step = "change the group";
    if (setresgid(profile->gid, profile->gid, profile->gid) != 0)
        return false;
    /* The bounding set is reduced while still allowed to, the rest goes with the uid. */
    *step = "drop capabilities";
    if (profile->uid == 0)
        return reduce_capabilities(profile->promises) && ids_are(0, profile->gid);
    for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            return false;
    *step = "change the user";
    if (setresuid(profile->uid, profile->uid, profile->uid) != 0)
        return false;
    *step = "see that the user changed for good";
    if (!ids_are(profile->uid, profile->gid) || setresuid(0, 0, 0) == 0 || setresgid(0, 0, 0) == 0)
        return refuse(EPERM);
    return true;
}
