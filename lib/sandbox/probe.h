/* sandbox/probe - try, from inside a sandbox, what must not work.
 * Interface: sandbox_probe() does one forbidden thing and says what came of it, if it lives;
 * sandbox_probe_expected() says what should. The tests run each probe in a child of their own, and
 * builds made for it (-DPOSTHOUSE_PROBE) inside each real daemon, on a control message.
 * Callers: tests/lib/sandbox, lib/service in such builds. */
#ifndef SANDBOX_PROBE_H
#define SANDBOX_PROBE_H

#include "sandbox/sandbox.h"

enum sandbox_probe {
    SANDBOX_PROBE_EXEC,
    SANDBOX_PROBE_OPEN_READ,
    SANDBOX_PROBE_OPEN_WRITE,
    SANDBOX_PROBE_OPEN_BENEATH,
    SANDBOX_PROBE_STAT,
    SANDBOX_PROBE_UNLINK,
    SANDBOX_PROBE_CHMOD,
    SANDBOX_PROBE_CHROOT,
    SANDBOX_PROBE_MOUNT,
    SANDBOX_PROBE_SOCKET_INET,
    SANDBOX_PROBE_SOCKET_DATAGRAM, /* UDP */
    SANDBOX_PROBE_SOCKET_MULTIPATH,
    SANDBOX_PROBE_SOCKET_UNIX,
    SANDBOX_PROBE_SOCKET_LOCAL_STREAM,
    SANDBOX_PROBE_SOCKET_PACKET,
    SANDBOX_PROBE_SOCKETPAIR,
    SANDBOX_PROBE_CONNECT,
    SANDBOX_PROBE_FAST_OPEN, /* sendto MSG_FASTOPEN */
    SANDBOX_PROBE_BIND,
    SANDBOX_PROBE_LISTEN,
    SANDBOX_PROBE_ACCEPT,
    SANDBOX_PROBE_SHUTDOWN,
    SANDBOX_PROBE_FILTER_PACKETS, /* setsockopt SO_ATTACH_FILTER */
    SANDBOX_PROBE_MAKE_BLOCKING,
    SANDBOX_PROBE_FORK,
    SANDBOX_PROBE_THREAD,
    SANDBOX_PROBE_USER_NAMESPACE,
    SANDBOX_PROBE_UNSHARE,
    SANDBOX_PROBE_PTRACE,
    SANDBOX_PROBE_READ_PARENT_MEMORY,
    SANDBOX_PROBE_KILL_PARENT,
    SANDBOX_PROBE_SETUID,
    SANDBOX_PROBE_SETGROUPS,
    SANDBOX_PROBE_RAISE_LIMIT,
    SANDBOX_PROBE_MAP_EXECUTABLE,
    SANDBOX_PROBE_MAKE_EXECUTABLE,
    SANDBOX_PROBE_MAP_WRITABLE_CODE,
    SANDBOX_PROBE_IO_URING,
    SANDBOX_PROBE_BPF,
    SANDBOX_PROBE_KEYCTL,
    SANDBOX_PROBE_PERF,
    SANDBOX_PROBE_USERFAULTFD,
    SANDBOX_PROBE_SECCOMP,
    SANDBOX_PROBE_LOAD_MODULE,
    SANDBOX_PROBE_SET_CLOCK,
    SANDBOX_PROBE_TERMINAL_INPUT, /* ioctl TIOCSTI */
    SANDBOX_PROBE_MAKE_DUMPABLE,
    SANDBOX_PROBE_SYSTEM_V_SHARED_MEMORY,
    SANDBOX_PROBE_UNKNOWN_CALL,
    SANDBOX_PROBE_COUNT
};

enum sandbox_probe_verdict {
    SANDBOX_PROBE_KILLED,   /* SIGSYS ends the process */
    SANDBOX_PROBE_REFUSED,  /* an error is returned */
    SANDBOX_PROBE_PERMITTED /* it is one of the promises */
};

MUST_USE const char *sandbox_probe_name(enum sandbox_probe probe);

/* Written down beside the probe, apart from the table that the filter is made of. */
MUST_USE enum sandbox_probe_verdict sandbox_probe_expected(enum sandbox_probe probe,
                                                           unsigned promises);

/* 0 when it worked (undone as far as that goes), otherwise errno. May not return. */
MUST_USE int sandbox_probe(enum sandbox_probe probe);

#endif
