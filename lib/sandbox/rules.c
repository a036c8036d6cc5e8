/* sandbox/rules - the table of system calls behind the promises.
 * A call that stands nowhere here is answered with ENOSYS and noted once. Everything a daemon does
 * per message is allowed without looking at arguments: the kernel decides such calls from a
 * bitmap, without running the filter. */
#include "config.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "sandbox/sandbox_private.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

#define ALWAYS 0

#define ALLOW(promises, name)                                                                      \
    {                                                                                              \
        (promises), 0, SANDBOX_ALLOW, (name),                                                      \
        {                                                                                          \
            {                                                                                      \
                SANDBOX_ANY, 0, 0, 0                                                               \
            }                                                                                      \
        }                                                                                          \
    }
#define IF_EQUAL(number, wanted)                                                                   \
    {                                                                                              \
        SANDBOX_EQUAL, (number), 0, (wanted)                                                       \
    }
#define IF_MASKED(number, mask, wanted)                                                            \
    {                                                                                              \
        SANDBOX_MASKED, (number), (mask), (wanted)                                                 \
    }
#define ALLOW_IF(promises, name, ...)                                                              \
    {                                                                                              \
        (promises), 0, SANDBOX_ALLOW, (name),                                                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
/* Out of force where one of the promises is made. */
#define KILL_IF(promises_against, name, ...)                                                       \
    {                                                                                              \
        ALWAYS, (promises_against), SANDBOX_KILL, (name),                                          \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* A new thread shares everything and makes no name space; a fork shares nothing. CSIGNAL's byte is
 * left out of the masks. */
#define CLONE_NEW_ANY                                                                              \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define CLONE_THREAD_SHARES (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)
#define CLONE_FORK_REFUSES                                                                         \
    (CLONE_THREAD_SHARES | CLONE_VFORK | CLONE_PTRACE | CLONE_PARENT | CLONE_NEW_ANY)

/* What an open may not say that only reads; __O_TMPFILE is O_TMPFILE without O_DIRECTORY. */
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))
#define OPEN_APPENDS (O_ACCMODE | O_APPEND | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY))

#define SOCKET_TYPE 0xfu /* without SOCK_CLOEXEC and SOCK_NONBLOCK */

#define FILES (SANDBOX_OPEN_READ | SANDBOX_CHANGE_FILES)
/* Who shares a listening socket with other processes could end it for all of them, by shutdown(),
 * by a filter of packets or by having it block, and that would outlast it: so sockets that came
 * from elsewhere are left as they are, and only who makes its own may do more. */
#define OWN_SOCKETS (SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_NSS)
#define SOCKETS                                                                                    \
    (SANDBOX_STREAMS | SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_SYSLOG | SANDBOX_NSS)

const struct sandbox_rule sandbox_rules[] = {
    /* Memory. No page is made executable after the start: code comes from the program files. */
    ALLOW(ALWAYS, "brk"),
    ALLOW_IF(ALWAYS, "mmap", IF_MASKED(2, PROT_EXEC, 0)),
    ALLOW_IF(ALWAYS, "mprotect", IF_MASKED(2, PROT_EXEC, 0)),
    ALLOW_IF(SANDBOX_NSS, "mmap", IF_MASKED(2, PROT_EXEC | PROT_WRITE, PROT_EXEC)),
    ALLOW_IF(SANDBOX_NSS, "mprotect", IF_MASKED(2, PROT_EXEC | PROT_WRITE, PROT_EXEC)),
    KILL_IF(SANDBOX_NSS, "mmap", IF_MASKED(2, PROT_EXEC, PROT_EXEC)),
    KILL_IF(SANDBOX_NSS, "mprotect", IF_MASKED(2, PROT_EXEC, PROT_EXEC)),
    ALLOW(ALWAYS, "munmap"),
    ALLOW(ALWAYS, "mremap"),
    ALLOW(ALWAYS, "madvise"),

    /* Descriptors that are there. */
    ALLOW(ALWAYS, "read"),
    ALLOW(ALWAYS, "readv"),
    ALLOW(ALWAYS, "write"),
    ALLOW(ALWAYS, "writev"),
    ALLOW(ALWAYS, "close"),
    ALLOW(ALWAYS, "close_range"),
    ALLOW(ALWAYS, "dup"),
    ALLOW(ALWAYS, "dup2"),
    ALLOW(ALWAYS, "dup3"),
    ALLOW(ALWAYS, "fstat"),
    /* The C library's fstat; a path beside AT_EMPTY_PATH still tells whether a file exists, which
     * the empty root answers. */
    ALLOW_IF(ALWAYS, "newfstatat", IF_MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_DUPFD)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_DUPFD_CLOEXEC)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_GETFD)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_SETFD)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_GETFL)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_SETFL), IF_MASKED(2, O_NONBLOCK, O_NONBLOCK)),
    ALLOW_IF(OWN_SOCKETS, "fcntl", IF_EQUAL(1, F_SETFL)),
    ALLOW_IF(ALWAYS, "fcntl", IF_EQUAL(1, F_GET_SEALS)),
    ALLOW_IF(ALWAYS, "ioctl", IF_EQUAL(1, FIONREAD)),
    ALLOW_IF(OWN_SOCKETS, "ioctl", IF_EQUAL(1, FIONBIO)),
    ALLOW_IF(SANDBOX_CONNECT_LOCAL, "ioctl", IF_EQUAL(1, TIOCOUTQ)), /* what a peer has not read */
    ALLOW_IF(ALWAYS, "ioctl", IF_EQUAL(1, TCGETS)),                  /* isatty, asked by stdio */

    /* The event loop, time, signals to oneself, threads that are there. */
    ALLOW(ALWAYS, "epoll_create1"),
    ALLOW(ALWAYS, "epoll_ctl"),
    ALLOW(ALWAYS, "epoll_wait"),
    ALLOW(ALWAYS, "epoll_pwait"),
    ALLOW(ALWAYS, "epoll_pwait2"),
    ALLOW(ALWAYS, "poll"),
    ALLOW(ALWAYS, "ppoll"),
    ALLOW(ALWAYS, "select"),
    ALLOW(ALWAYS, "pselect6"),
    ALLOW(ALWAYS, "eventfd2"),
    ALLOW(ALWAYS, "timerfd_create"),
    ALLOW(ALWAYS, "timerfd_settime"),
    ALLOW(ALWAYS, "pipe2"),
    ALLOW(ALWAYS, "signalfd4"),
    ALLOW(ALWAYS, "clock_gettime"),
    ALLOW(ALWAYS, "clock_getres"),
    ALLOW(ALWAYS, "clock_nanosleep"),
    ALLOW(ALWAYS, "nanosleep"),
    ALLOW(ALWAYS, "gettimeofday"),
    ALLOW(ALWAYS, "time"),
    ALLOW(ALWAYS, "getrandom"),
    ALLOW(ALWAYS, "futex"),
    ALLOW(ALWAYS, "set_robust_list"),
    ALLOW(ALWAYS, "rseq"),
    ALLOW(ALWAYS, "sched_yield"),
    ALLOW(ALWAYS, "sched_getaffinity"),
    ALLOW(ALWAYS, "getcpu"),
    ALLOW(ALWAYS, "rt_sigaction"),
    ALLOW(ALWAYS, "rt_sigprocmask"),
    ALLOW(ALWAYS, "rt_sigreturn"),
    ALLOW(ALWAYS, "sigaltstack"),
    ALLOW(ALWAYS, "restart_syscall"),
    ALLOW_IF(ALWAYS, "tgkill", IF_EQUAL(2, SIGABRT)), /* abort() */
    ALLOW(ALWAYS, "exit"),
    ALLOW(ALWAYS, "exit_group"),
    ALLOW(ALWAYS, "getpid"),
    ALLOW(ALWAYS, "gettid"),
    ALLOW(ALWAYS, "getppid"),
    ALLOW(ALWAYS, "getuid"),
    ALLOW(ALWAYS, "geteuid"),
    ALLOW(ALWAYS, "getgid"),
    ALLOW(ALWAYS, "getegid"),
    ALLOW(ALWAYS, "getrusage"),
    ALLOW(ALWAYS, "sysinfo"), /* qsort asks how much memory there is */
    ALLOW_IF(ALWAYS, "prlimit64", IF_EQUAL(0, 0), IF_EQUAL(2, 0)), /* its own limits, to read */
    ALLOW_IF(ALWAYS, "prctl", IF_EQUAL(0, PR_SET_NAME)),
    ALLOW_IF(ALWAYS, "prctl", IF_EQUAL(0, PR_GET_NAME)),
    ALLOW_IF(ALWAYS, "prctl", IF_EQUAL(0, PR_SET_VMA)),

    /* clone3 hides its flags in memory; the C library then uses clone. */
    {ALWAYS, 0, SANDBOX_ABSENT, "clone3", {{SANDBOX_ANY, 0, 0, 0}}},
    ALLOW_IF(SANDBOX_THREADS, "clone",
             IF_MASKED(0, CLONE_THREAD_SHARES | CLONE_NEW_ANY | CLONE_VFORK | CLONE_PTRACE,
                       CLONE_THREAD_SHARES)),
    ALLOW_IF(SANDBOX_SPAWN, "clone", IF_MASKED(0, CLONE_FORK_REFUSES, 0)),

    ALLOW(SANDBOX_RECEIVE_FDS | OWN_SOCKETS, "recvmsg"),
    /* MSG_FASTOPEN connects, and Landlock is not asked to which port. */
    ALLOW_IF(SANDBOX_RECEIVE_FDS | OWN_SOCKETS, "sendmsg", IF_MASKED(2, MSG_FASTOPEN, 0)),

    /* Without an address: a socket that is not connected sends nowhere. */
    ALLOW_IF(SOCKETS, "sendto", IF_EQUAL(4, 0)),
    ALLOW_IF(SANDBOX_DATAGRAMS, "sendto", IF_MASKED(3, MSG_FASTOPEN, 0)), /* c-ares */
    ALLOW(SANDBOX_NSS, "sendmmsg"),
    ALLOW(SANDBOX_NSS, "recvmmsg"),
    ALLOW(SOCKETS, "recvfrom"),
    ALLOW(OWN_SOCKETS | SANDBOX_SHUTDOWN, "shutdown"),
    ALLOW(SOCKETS, "getsockopt"),
    ALLOW_IF(SANDBOX_ACCEPT, "getsockopt", IF_EQUAL(2, SO_PEERCRED)), /* whose command it is */
    ALLOW(SOCKETS, "getsockname"),
    ALLOW(SOCKETS, "getpeername"),
    ALLOW_IF(SOCKETS, "setsockopt", IF_EQUAL(1, IPPROTO_TCP), IF_EQUAL(2, TCP_NODELAY)),
    ALLOW_IF(OWN_SOCKETS, "setsockopt", IF_EQUAL(1, SOL_SOCKET)),
    ALLOW_IF(OWN_SOCKETS, "setsockopt", IF_EQUAL(1, IPPROTO_TCP)),
    ALLOW_IF(OWN_SOCKETS, "setsockopt", IF_EQUAL(1, IPPROTO_IP)),
    ALLOW_IF(OWN_SOCKETS, "setsockopt", IF_EQUAL(1, IPPROTO_IPV6)),
    ALLOW(SANDBOX_ACCEPT, "accept4"),
    ALLOW(SANDBOX_ACCEPT, "accept"),

    /* Other protocols than TCP (MPTCP is one) know nothing of the ports that Landlock grants. */
    ALLOW_IF(SANDBOX_CONNECT | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET),
             IF_MASKED(1, SOCKET_TYPE, SOCK_STREAM), IF_EQUAL(2, 0)),
    ALLOW_IF(SANDBOX_CONNECT | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET),
             IF_MASKED(1, SOCKET_TYPE, SOCK_STREAM), IF_EQUAL(2, IPPROTO_TCP)),
    ALLOW_IF(SANDBOX_CONNECT | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET6),
             IF_MASKED(1, SOCKET_TYPE, SOCK_STREAM), IF_EQUAL(2, 0)),
    ALLOW_IF(SANDBOX_CONNECT | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET6),
             IF_MASKED(1, SOCKET_TYPE, SOCK_STREAM), IF_EQUAL(2, IPPROTO_TCP)),
    ALLOW_IF(SANDBOX_DATAGRAMS | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET),
             IF_MASKED(1, SOCKET_TYPE, SOCK_DGRAM)),
    ALLOW_IF(SANDBOX_DATAGRAMS | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_INET6),
             IF_MASKED(1, SOCKET_TYPE, SOCK_DGRAM)),
    ALLOW_IF(SANDBOX_SYSLOG | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_UNIX),
             IF_MASKED(1, SOCKET_TYPE, SOCK_DGRAM)),
    ALLOW_IF(SANDBOX_CONNECT_LOCAL | SANDBOX_NSS, "socket", IF_EQUAL(0, AF_UNIX),
             IF_MASKED(1, SOCKET_TYPE, SOCK_STREAM)),
    ALLOW_IF(SANDBOX_NSS, "socket", IF_EQUAL(0, AF_NETLINK)), /* which addresses this host has */
    ALLOW(OWN_SOCKETS | SANDBOX_CONNECT_LOCAL | SANDBOX_SYSLOG, "connect"),
    /* A source address; Landlock lets TCP bind to no port of its choice, listen stays forbidden. */
    ALLOW(OWN_SOCKETS, "bind"),

    ALLOW(SANDBOX_READ_FD, "pread64"),
    ALLOW(SANDBOX_READ_FD, "preadv"),
    ALLOW(SANDBOX_READ_FD | SANDBOX_WRITE_FD, "lseek"),
    ALLOW(SANDBOX_READ_FD, "fadvise64"),
    ALLOW(SANDBOX_WRITE_FD, "pwrite64"),
    ALLOW(SANDBOX_WRITE_FD, "pwritev"),
    ALLOW(SANDBOX_WRITE_FD, "ftruncate"),
    ALLOW(SANDBOX_WRITE_FD, "fallocate"),
    ALLOW(SANDBOX_SYNC, "fsync"),
    ALLOW(SANDBOX_SYNC, "fdatasync"),
    ALLOW(SANDBOX_SYNC, "syncfs"),
    ALLOW(SANDBOX_LOCK, "flock"),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_GETLK)),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_SETLK)),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_SETLKW)),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_OFD_GETLK)),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_OFD_SETLK)),
    ALLOW_IF(SANDBOX_LOCK, "fcntl", IF_EQUAL(1, F_OFD_SETLKW)),

    ALLOW_IF(SANDBOX_OPEN_READ | SANDBOX_NSS, "openat", IF_MASKED(2, OPEN_WRITES, O_RDONLY)),
    ALLOW_IF(SANDBOX_OPEN_READ | SANDBOX_NSS, "open", IF_MASKED(1, OPEN_WRITES, O_RDONLY)),
    ALLOW_IF(SANDBOX_OPEN_APPEND, "openat", IF_MASKED(2, OPEN_APPENDS, O_WRONLY | O_APPEND)),
    ALLOW_IF(SANDBOX_OPEN_APPEND, "open", IF_MASKED(1, OPEN_APPENDS, O_WRONLY | O_APPEND)),
    ALLOW(SANDBOX_CHANGE_FILES, "openat"),
    ALLOW(SANDBOX_CHANGE_FILES, "open"),
    ALLOW(SANDBOX_OPEN_BENEATH, "openat2"),
    ALLOW(FILES | SANDBOX_OPEN_APPEND | SANDBOX_NSS, "newfstatat"),
    ALLOW(FILES | SANDBOX_OPEN_APPEND | SANDBOX_NSS, "stat"),
    ALLOW(FILES | SANDBOX_OPEN_APPEND | SANDBOX_NSS, "lstat"),
    ALLOW(FILES | SANDBOX_NSS, "statx"),
    ALLOW(FILES | SANDBOX_NSS, "access"),
    ALLOW(FILES | SANDBOX_NSS, "faccessat"),
    ALLOW(FILES | SANDBOX_NSS, "faccessat2"),
    ALLOW(FILES | SANDBOX_NSS, "readlink"),
    ALLOW(FILES | SANDBOX_NSS, "readlinkat"),
    ALLOW(FILES | SANDBOX_NSS, "getdents64"),
    ALLOW(FILES, "statfs"),
    ALLOW(FILES, "fstatfs"),
    ALLOW(SANDBOX_NSS, "pread64"),
    ALLOW(SANDBOX_NSS, "lseek"),
    ALLOW(SANDBOX_NSS, "uname"),
    ALLOW(SANDBOX_CHANGE_FILES, "rename"),
    ALLOW(SANDBOX_CHANGE_FILES, "renameat"),
    ALLOW(SANDBOX_CHANGE_FILES, "renameat2"),
    ALLOW(SANDBOX_CHANGE_FILES, "link"),
    ALLOW(SANDBOX_CHANGE_FILES, "linkat"),
    ALLOW(SANDBOX_CHANGE_FILES, "unlink"),
    ALLOW(SANDBOX_CHANGE_FILES, "unlinkat"),
    ALLOW(SANDBOX_CHANGE_FILES, "mkdir"),
    ALLOW(SANDBOX_CHANGE_FILES, "mkdirat"),
    ALLOW(SANDBOX_CHANGE_FILES, "rmdir"),
    ALLOW(SANDBOX_CHANGE_FILES, "utimensat"),
    ALLOW(SANDBOX_CHANGE_FILES, "fchmod"),
    ALLOW(SANDBOX_CHANGE_FILES, "umask"),

    /* The forking part of local: children become their user and enter a sandbox of their own,
     * which can only be narrower than the filter they were born with. */
    ALLOW(SANDBOX_SPAWN, "fork"),
    ALLOW(SANDBOX_SPAWN, "wait4"),
    ALLOW(SANDBOX_SPAWN, "waitid"),
    ALLOW(SANDBOX_SPAWN, "setresuid"),
    ALLOW(SANDBOX_SPAWN, "setresgid"),
    ALLOW(SANDBOX_SPAWN, "setgroups"),
    ALLOW(SANDBOX_SPAWN, "getgroups"),
    ALLOW(SANDBOX_SPAWN, "getresuid"),
    ALLOW(SANDBOX_SPAWN, "getresgid"),
    ALLOW(SANDBOX_SPAWN, "capset"),
    ALLOW(SANDBOX_SPAWN, "seccomp"),
    ALLOW(SANDBOX_SPAWN, "landlock_create_ruleset"),
    ALLOW(SANDBOX_SPAWN, "landlock_add_rule"),
    ALLOW(SANDBOX_SPAWN, "landlock_restrict_self"),
    ALLOW_IF(SANDBOX_SPAWN, "prlimit64", IF_EQUAL(0, 0)),
    ALLOW_IF(SANDBOX_SPAWN, "prctl", IF_EQUAL(0, PR_SET_NO_NEW_PRIVS)),
    ALLOW_IF(SANDBOX_SPAWN, "prctl", IF_EQUAL(0, PR_SET_DUMPABLE), IF_EQUAL(1, 0)),
    ALLOW_IF(SANDBOX_SPAWN, "prctl", IF_EQUAL(0, PR_SET_PDEATHSIG)),
    ALLOW_IF(SANDBOX_SPAWN | SANDBOX_SOCKETPAIR, "socketpair", IF_EQUAL(0, AF_UNIX)),

#ifdef POSTHOUSE_SANITIZERS
    /* What the sanitizers' run-time libraries ask for, and nothing else: the filter stays on. */
    ALLOW(ALWAYS, "mincore"),
    ALLOW(ALWAYS, "uname"),
    ALLOW(ALWAYS, "readlink"),
    ALLOW(ALWAYS, "readlinkat"),
    ALLOW(ALWAYS, "getrlimit"),
#endif
};
const size_t sandbox_rule_count = ARRAY_LENGTH(sandbox_rules);

/* What an intruder would want first. A library never does these by surprise, or is warmed up. */
const char *const sandbox_forbidden_calls[] = {
    "execve",
    "execveat",
    /* files */
    "open",
    "openat",
    "openat2",
    "creat",
    "open_by_handle_at",
    "name_to_handle_at",
    "memfd_secret",
    "mknod",
    "mknodat",
    "chroot",
    "pivot_root",
    "mount",
    "umount2",
    "umount",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "quotactl",
    "quotactl_fd",
    "fanotify_init",
    "chown",
    "lchown",
    "fchownat",
    "chmod",
    "fchmodat",
    /* sockets */
    "socket",
    "socketpair",
    "socketcall",
    "connect",
    "bind",
    "listen",
    /* other processes */
    "fork",
    "vfork",
    "clone",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "pidfd_getfd",
    "pidfd_open",
    "pidfd_send_signal",
    "kcmp",
    "kill",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "setns",
    "unshare",
    "perf_event_open",
    "migrate_pages",
    "move_pages",
    "sched_setscheduler",
    "sched_setattr",
    "setpriority",
    "ioprio_set",
    /* who this process is */
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setfsuid",
    "setfsgid",
    "setgroups",
    "capset",
    "personality",
    "setsid",
    "setpgid",
    "setrlimit",
    "seccomp",
    "landlock_create_ruleset",
    "landlock_add_rule",
    "landlock_restrict_self",
    /* ways around a filter, and the kernel's wide open doors */
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "io_setup",
    "bpf",
    "userfaultfd",
    "keyctl",
    "add_key",
    "request_key",
    "modify_ldt",
    "iopl",
    "ioperm",
    "vmsplice",
    "pkey_mprotect",
    /* the machine */
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "syslog",
    "sethostname",
    "setdomainname",
    "settimeofday",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "vhangup",
    "nfsservctl",
    "lookup_dcookie",
};
const size_t sandbox_forbidden_call_count = ARRAY_LENGTH(sandbox_forbidden_calls);
