/* sandbox/landlock - which paths and ports are left, by the kernel's Landlock.
 * Interface: sandbox_landlock_prepare(), sandbox_landlock_restrict(), sandbox_landlock_version().
 * The structures and rights are those of the kernel's documentation ("Landlock: unprivileged
 * access control"); they stand here because the headers of the oldest system we build on know
 * fewer of them than the kernels we run on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

struct ruleset {
    uint64_t handled_files;
    uint64_t handled_network; /* since version 4 */
    uint64_t scoped;          /* since version 6 */
};

struct __attribute__((packed)) path_rule {
    uint64_t allowed;
    int32_t parent_fd;
};

struct port_rule {
    uint64_t allowed;
    uint64_t port;
};

enum file_right {
    FILE_EXECUTE = 1 << 0,
    FILE_WRITE = 1 << 1,
    FILE_READ = 1 << 2,
    DIRECTORY_READ = 1 << 3,
    REMOVE_DIRECTORY = 1 << 4,
    REMOVE_FILE = 1 << 5,
    MAKE_DIRECTORY = 1 << 7,
    MAKE_REGULAR = 1 << 8,
    FILE_REFER = 1 << 13,    /* since version 2: rename and link between directories */
    FILE_TRUNCATE = 1 << 14, /* since version 3 */
    FILE_IOCTL = 1 << 15,    /* since version 5: of devices */

    VERSION_1_RIGHTS = (1 << 13) - 1,
    /* What may be granted for something that is not a directory. */
    RIGHTS_OF_FILES = FILE_WRITE | FILE_READ | FILE_TRUNCATE,
};

enum { BIND_TCP = 1 << 0, CONNECT_TCP = 1 << 1 };
enum { SCOPE_ABSTRACT_SOCKETS = 1 << 0, SCOPE_SIGNALS = 1 << 1 };

int sandbox_landlock_version(void)
{
    const long version =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, CREATE_RULESET_VERSION);
    return version > 0 ? (int)version : 0;
}

static uint64_t known_file_rights(int version)
{
    return (uint64_t)VERSION_1_RIGHTS | (version >= 2 ? (uint64_t)FILE_REFER : 0) |
           (version >= 3 ? (uint64_t)FILE_TRUNCATE : 0) | (version >= 5 ? (uint64_t)FILE_IOCTL : 0);
}

static bool add_path(int ruleset_fd, int version, const struct sandbox_path *path)
{
    uint64_t allowed = 0;
    if (path->access & SANDBOX_PATH_READ)
        allowed |= FILE_READ | DIRECTORY_READ;
    if (path->access & SANDBOX_PATH_WRITE)
        allowed |= FILE_WRITE | FILE_TRUNCATE | REMOVE_FILE | REMOVE_DIRECTORY | MAKE_DIRECTORY |
                   MAKE_REGULAR | FILE_REFER;
    const int fd = open(path->path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return (path->access & SANDBOX_PATH_OPTIONAL) && (errno == ENOENT || errno == ENOTDIR);
    struct stat status;
    bool is_added = fstat(fd, &status) == 0;
    if (is_added) {
        if (!S_ISDIR(status.st_mode))
            allowed &= RIGHTS_OF_FILES;
        const struct path_rule rule = {allowed & known_file_rights(version), fd};
        is_added = syscall(SYS_landlock_add_rule, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) == 0;
    }
    const int saved_errno = errno;
    (void)close(fd); /* O_PATH: nothing was written */
    errno = saved_errno;
    return is_added;
}

static bool add_port(int ruleset_fd, uint64_t allowed, uint64_t port)
{
    const struct port_rule rule = {allowed, port};
    return syscall(SYS_landlock_add_rule, ruleset_fd, RULE_NET_PORT, &rule, 0) == 0;
}

int sandbox_landlock_prepare(const struct sandbox_profile *profile)
{
    const int version = sandbox_landlock_version();
    const bool may_connect = (profile->promises & (SANDBOX_CONNECT | SANDBOX_NSS)) != 0;
    const bool has_ports = profile->connect_ports && !(profile->promises & SANDBOX_NSS);
    if (version == 0) {
        errno = EOPNOTSUPP;
        return -1;
    }
    struct ruleset ruleset = {.handled_files = known_file_rights(version)};
    if (version >= 4) {
        ruleset.handled_network = BIND_TCP;
        if (!may_connect || has_ports)
            ruleset.handled_network |= CONNECT_TCP;
    }
    if (version >= 6)
        ruleset.scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS;
    /* Fields that the kernel does not know must be zero, and are: it takes the longer form. */
    const int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof(ruleset), 0);
    if (fd < 0)
        return -1;
    bool is_complete = true;
    for (size_t i = 0; i < profile->path_count && is_complete; i++)
        is_complete = add_path(fd, version, &profile->paths[i]);
    if (version >= 4) {
        /* A source address without a port. */
        if (may_connect && is_complete)
            is_complete = add_port(fd, BIND_TCP, 0);
        for (size_t i = 0; has_ports && i < profile->connect_port_count && is_complete; i++)
            is_complete = add_port(fd, CONNECT_TCP, profile->connect_ports[i]);
    }
    if (!is_complete) {
        const int saved_errno = errno;
        (void)close(fd);
        errno = saved_errno;
        return -1;
    }
    return fd;
}

bool sandbox_landlock_restrict(int ruleset_fd)
{
    return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) == 0;
}
