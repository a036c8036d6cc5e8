/* sandbox - what a daemon promises to do, and a process that can do no more.
 * Interface: sandbox_enter(), sandbox_filter_create(), sandbox_warm_up_common(),
 * sandbox_next_note(). A daemon states its promises in main.c; this folder turns them into closed
 * descriptors, an empty root, a uid without privilege, resource limits, Landlock rules and a
 * seccomp filter. It fails closed: where a step fails, the daemon must not serve.
 * Callers: lib/service, and local's workers. Design: ARCHITECTURE.md, "Sandbox and keys". */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

/* Beyond what every process may do (memory, time, its event loop, reading and writing descriptors
 * that it has, leaving), each promise adds the calls named beside it. */
enum sandbox_promise {
    SANDBOX_RECEIVE_FDS = 1 << 0,   /* recvmsg, sendmsg: channels, and what is passed over them */
    SANDBOX_STREAMS = 1 << 1,       /* sockets that came from elsewhere: recv, send, options */
    SANDBOX_ACCEPT = 1 << 2,        /* accept4 on a listening socket that came from elsewhere */
    SANDBOX_READ_FD = 1 << 3,       /* pread and lseek */
    SANDBOX_WRITE_FD = 1 << 4,      /* pwritev, ftruncate, fallocate */
    SANDBOX_SYNC = 1 << 5,          /* fsync, fdatasync, syncfs */
    SANDBOX_LOCK = 1 << 6,          /* flock and fcntl locks */
    SANDBOX_THREADS = 1 << 7,       /* clone, for threads of this process only */
    SANDBOX_OPEN_READ = 1 << 8,     /* open read-only, stat, list directories; see the paths */
    SANDBOX_CHANGE_FILES = 1 << 9,  /* open to write, rename, link, unlink, mkdir; see the paths */
    SANDBOX_OPEN_APPEND = 1 << 10,  /* open write-only and appending, create; see the paths */
    SANDBOX_OPEN_BENEATH = 1 << 11, /* openat2, for its RESOLVE_BENEATH */
    SANDBOX_CONNECT = 1 << 12,      /* socket and connect, TCP of IPv4 and IPv6 only */
    SANDBOX_SYSLOG = 1 << 13,       /* socket and connect, local datagrams only */
    SANDBOX_SPAWN = 1 << 14, /* fork, become another user, enter a narrower sandbox, socketpair */
    SANDBOX_NSS = 1 << 15,   /* name services: their modules, files and sockets */
    SANDBOX_SOCKETPAIR = 1 << 16,    /* socketpair, local only: channels to children */
    SANDBOX_CONNECT_LOCAL = 1 << 17, /* socket and connect, local streams only */
    SANDBOX_SHUTDOWN = 1 << 18,  /* shutdown: not for who shares a listening socket with others */
    SANDBOX_DATAGRAMS = 1 << 19, /* socket, connect and sendto, UDP of IPv4 and IPv6 only */

    /* The usual combinations. */
    SANDBOX_READ_FILES = SANDBOX_OPEN_READ | SANDBOX_READ_FD | SANDBOX_LOCK,
    SANDBOX_QUEUE_DIRECTORY =
        SANDBOX_READ_FILES | SANDBOX_CHANGE_FILES | SANDBOX_WRITE_FD | SANDBOX_SYNC,
    SANDBOX_MAILDIR = SANDBOX_QUEUE_DIRECTORY | SANDBOX_OPEN_BENEATH,
    SANDBOX_APPEND_FILES = SANDBOX_OPEN_APPEND | SANDBOX_SYNC,
};

/* Where Landlock is there, a process that may open files opens them below these only, and one that
 * names none opens none. Paths are those outside the new root. */
enum sandbox_path_access {
    SANDBOX_PATH_READ = 1 << 0,
    SANDBOX_PATH_WRITE = 1 << 1,    /* write, create, rename, remove; implies no reading */
    SANDBOX_PATH_OPTIONAL = 1 << 2, /* passed over when the path does not exist */
};

struct sandbox_path {
    const char *path;
    unsigned access; /* of enum sandbox_path_access */
};

/* A call that the filter refused, and that did not end the process. */
struct sandbox_note {
    int call_number;
    const char *call_name; /* of static life; "unknown" where libseccomp has no name */
};

/* Runs in a signal handler, in the middle of whatever was refused: async-signal-safe calls only. */
typedef void sandbox_note_function(const struct sandbox_note *note, void *context);

/* A compiled filter: a parent that forks many children makes it once. */
struct sandbox_filter;

#define SANDBOX_SAME_USER ((uid_t)-1)
#define SANDBOX_SAME_GROUP ((gid_t)-1)

/* All zero is the narrowest, with uid and gid still to be set. */
struct sandbox_profile {
    unsigned promises;
    const int *kept_fds; /* beside 0, 1 and 2; every other descriptor is closed */
    size_t kept_fd_count;
    uid_t uid; /* root: become it, and 0 only with SANDBOX_SPAWN; else: what it already is */
    gid_t gid;
    const char *root_directory; /* root: the new root directory; NULL leaves the root alone */
    const struct sandbox_path *paths;
    size_t path_count;
    const uint16_t *connect_ports; /* with SANDBOX_CONNECT: the TCP ports; NULL means any */
    size_t connect_port_count;
    uint64_t descriptor_limit;           /* RLIMIT_NOFILE; 0 leaves it as it is */
    uint64_t process_limit;              /* RLIMIT_NPROC; 0 leaves it as it is */
    const struct sandbox_filter *filter; /* made from the same promises; NULL: made on entering */
    bool explain_kills;                  /* name a forbidden call on standard error, then die */
    sandbox_note_function *on_note;      /* may be NULL */
    void *note_context;
};

struct sandbox_error {
    const char *step; /* what was being done, a literal */
    int error_number; /* errno of the step */
};

/* Closes, limits and drops everything that the profile does not name, for good and for every later
 * thread. To be called once, with a single thread, before the first byte of a peer is read. False,
 * with *error filled, when a step failed: the process is then half closed in and must end. */
MUST_USE bool sandbox_enter(const struct sandbox_profile *profile, struct sandbox_error *error);

/* NULL when memory is out. The promises must be those of the profile it is used with. */
MUST_USE struct sandbox_filter *sandbox_filter_create(unsigned promises, bool explain_kills);
void sandbox_filter_destroy(struct sandbox_filter **filter);

/* The refused calls since the start, each call number once, in no order. False: no (further) note.
 * Cheap when there is none; lib/service asks at every ping. */
MUST_USE bool sandbox_next_note(struct sandbox_note *note);

/* Landlock's version in the running kernel, 0 when it is not there. To be asked before entering. */
MUST_USE int sandbox_landlock_version(void);

/* Lets the C library do what it does lazily and by opening files: time zone, unwinder, arena
 * shrinking, random numbers. Not in it: name services, and get_nprocs(), which reads a file at
 * every call and so is to be asked before entering. */
void sandbox_warm_up_common(void);

/* For daemons that use libcrypto: no configuration file, digests, HMAC and its random numbers
 * found. False when libcrypto cannot do these. */
MUST_USE bool sandbox_warm_up_crypto(void);

#endif
