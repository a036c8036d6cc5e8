/* sandbox/probe - the forbidden things, one function each.
 * Raw system calls where the C library would choose another call or refuse by itself. */
#include "sandbox/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { UNKNOWN_CALL_NUMBER = 500 };

static int result_of(long returned)
{
    return returned < 0 ? errno : 0;
}

static int result_of_fd(long fd)
{
    if (fd < 0)
        return errno;
    (void)close((int)fd); /* nothing was written */
    return 0;
}

static int probe_exec(void)
{
    char path[] = "/bin/true";
    char *const arguments[] = {path, NULL}, *const environment[] = {NULL};
    return result_of(execve(path, arguments, environment));
}

static int probe_open_read(void)
{
    return result_of_fd(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int probe_open_write(void)
{
    return result_of_fd(syscall(SYS_openat, AT_FDCWD, "/var/tmp/posthouse-sandbox-probe",
                                O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

static int probe_open_beneath(void)
{
    const uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 0}; /* struct open_how */
    return result_of_fd(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static int probe_stat(void)
{
    struct stat status;
    return result_of(syscall(SYS_newfstatat, AT_FDCWD, "/", &status, 0));
}

static int probe_unlink(void)
{
    return result_of(unlinkat(AT_FDCWD, "/var/tmp/posthouse-sandbox-probe-absent", 0));
}

static int probe_chmod(void)
{
    return result_of(syscall(SYS_fchmodat, AT_FDCWD, "/etc/passwd", 0644));
}

static int probe_chroot(void)
{
    return result_of(chroot("/"));
}

static int probe_mount(void)
{
    return result_of(syscall(SYS_mount, "none", "/", "tmpfs", 0UL, NULL));
}

static int probe_socket_inet(void)
{
    return result_of_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int probe_socket_datagram(void)
{
    return result_of_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int probe_socket_multipath(void)
{
    return result_of_fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP));
}

static int probe_socket_unix(void)
{
    return result_of_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int probe_socket_local_stream(void)
{
    return result_of_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int probe_socket_packet(void)
{
    return result_of_fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int probe_socketpair(void)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return errno;
    (void)close(ends[0]);
    return result_of_fd(ends[1]);
}

/* On a descriptor that is none: what counts is whether the kernel gets to say so. */
static int unless_bad_descriptor(long returned)
{
    return returned < 0 && errno != EBADF ? errno : 0;
}

static int probe_connect(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    return unless_bad_descriptor(
        connect(-1, (const struct sockaddr *)(const void *)&address, sizeof(address)));
}

static int probe_fast_open(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9)};
    return unless_bad_descriptor(sendto(-1, "x", 1, MSG_FASTOPEN,
                                        (const struct sockaddr *)(const void *)&address,
                                        sizeof(address)));
}

static int probe_bind(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};
    return unless_bad_descriptor(
        bind(-1, (const struct sockaddr *)(const void *)&address, sizeof(address)));
}

static int probe_listen(void)
{
    return unless_bad_descriptor(listen(-1, 1));
}

static int probe_accept(void)
{
    return unless_bad_descriptor(accept4(-1, NULL, NULL, SOCK_CLOEXEC));
}

static int probe_shutdown(void)
{
    return unless_bad_descriptor(shutdown(-1, SHUT_RD));
}

static int probe_filter_packets(void)
{
    return unless_bad_descriptor(setsockopt(-1, SOL_SOCKET, SO_ATTACH_FILTER, NULL, 0));
}

static int probe_make_blocking(void)
{
    return unless_bad_descriptor(fcntl(-1, F_SETFL, 0));
}

static int probe_fork(void)
{
    const pid_t child = fork();
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(0);
    return result_of(waitpid(child, NULL, 0));
}

static void *return_at_once(void *argument)
{
    return argument;
}

static int probe_thread(void)
{
    pthread_t thread;
    const int error_number = pthread_create(&thread, NULL, return_at_once, NULL);
    return error_number ? error_number : pthread_join(thread, NULL);
}

static int probe_user_namespace(void)
{
    const long child =
        syscall(SYS_clone, (unsigned long)(CLONE_NEWUSER | SIGCHLD), NULL, NULL, NULL, NULL);
    if (child < 0)
        return errno;
    if (child == 0)
        _exit(0);
    return result_of(waitpid((pid_t)child, NULL, 0));
}

static int probe_unshare(void)
{
    return result_of(unshare(CLONE_NEWUSER));
}

static int probe_ptrace(void)
{
    return result_of(syscall(SYS_ptrace, 16L /* attach */, (long)getppid(), 0L, 0L));
}

static int probe_read_parent_memory(void)
{
    char byte;
    const struct iovec here = {&byte, 1}, there = {&byte, 1};
    return result_of(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int probe_kill_parent(void)
{
    return result_of(kill(getppid(), 0));
}

static int probe_setuid(void)
{
    return result_of(syscall(SYS_setresuid, 0L, 0L, 0L));
}

static int probe_setgroups(void)
{
    return result_of(syscall(SYS_setgroups, 0L, NULL));
}

static int probe_raise_limit(void)
{
    const struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return result_of(syscall(SYS_prlimit64, 0L, (long)RLIMIT_CORE, &limit, NULL));
}

static int probe_map_executable(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? errno : result_of(munmap(page, 4096));
}

static int change_page(int protection)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return errno;
    const int error_number = result_of(mprotect(page, 4096, protection));
    (void)munmap(page, 4096);
    return error_number;
}

static int probe_make_executable(void)
{
    return change_page(PROT_READ | PROT_EXEC);
}

static int probe_map_writable_code(void)
{
    return change_page(PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int probe_io_uring(void)
{
    uint8_t parameters[120] = {0}; /* struct io_uring_params */
    return result_of_fd(syscall(SYS_io_uring_setup, 1L, parameters));
}

static int probe_bpf(void)
{
    uint8_t attributes[64] = {0};
    return result_of(syscall(SYS_bpf, 0L, attributes, sizeof(attributes)));
}

static int probe_keyctl(void)
{
    return result_of(syscall(SYS_keyctl, 0L /* get id */, -3L /* session */, 0L));
}

static int probe_perf(void)
{
    uint8_t attributes[64] = {0};
    return result_of_fd(syscall(SYS_perf_event_open, attributes, 0L, -1L, -1L, 0L));
}

static int probe_userfaultfd(void)
{
    return result_of_fd(syscall(SYS_userfaultfd, (long)O_CLOEXEC));
}

static int probe_seccomp(void)
{
    const uint32_t action = 0x7fff0000; /* asks whether "allow" exists, changes nothing */
    return result_of(syscall(SYS_seccomp, 2L, 0L, &action));
}

static int probe_load_module(void)
{
    return result_of(syscall(SYS_init_module, NULL, 0L, ""));
}

static int probe_set_clock(void)
{
    const struct timespec time = {.tv_nsec = -1}; /* never valid: harmless even for root */
    return result_of(syscall(SYS_clock_settime, 0L, &time));
}

static int probe_terminal_input(void)
{
    return result_of(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int probe_make_dumpable(void)
{
    return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int probe_system_v_shared_memory(void)
{
    return result_of(syscall(SYS_shmget, 0L /* private */, 4096L, 0600L));
}

static int probe_unknown_call(void)
{
    return result_of(syscall(UNKNOWN_CALL_NUMBER));
}

#define OPENERS (SANDBOX_OPEN_READ | SANDBOX_CHANGE_FILES | SANDBOX_OPEN_APPEND)
#define SOCKETS_OF_ITS_OWN (SANDBOX_CONNECT | SANDBOX_DATAGRAMS | SANDBOX_NSS)
#define OPENERS_OF_SOCKETS (SOCKETS_OF_ITS_OWN | SANDBOX_CONNECT_LOCAL | SANDBOX_SYSLOG)
#define NEVER 0
#define ALL_PROMISES (~0U)

/* Killed unless one of the promises under "survives"; then refused, or under "works" it works.
 * Probes of files name paths that no daemon is given, hence "survives" and never "works". */
static const struct {
    const char *name;
    unsigned survives;
    unsigned works;
    int (*run)(void);
} probes[SANDBOX_PROBE_COUNT] = {
    [SANDBOX_PROBE_EXEC] = {"exec", NEVER, NEVER, probe_exec},
    [SANDBOX_PROBE_OPEN_READ] = {"open_read", OPENERS | SANDBOX_NSS, NEVER, probe_open_read},
    [SANDBOX_PROBE_OPEN_WRITE] = {"open_write", OPENERS | SANDBOX_NSS, NEVER, probe_open_write},
    [SANDBOX_PROBE_OPEN_BENEATH] = {"open_beneath", SANDBOX_OPEN_BENEATH, NEVER,
                                    probe_open_beneath},
    [SANDBOX_PROBE_STAT] = {"stat", ALL_PROMISES, OPENERS | SANDBOX_NSS, probe_stat},
    [SANDBOX_PROBE_UNLINK] = {"unlink", ALL_PROMISES, NEVER, probe_unlink},
    [SANDBOX_PROBE_CHMOD] = {"chmod", NEVER, NEVER, probe_chmod},
    [SANDBOX_PROBE_CHROOT] = {"chroot", NEVER, NEVER, probe_chroot},
    [SANDBOX_PROBE_MOUNT] = {"mount", NEVER, NEVER, probe_mount},
    [SANDBOX_PROBE_SOCKET_INET] = {"socket_inet", OPENERS_OF_SOCKETS, SANDBOX_CONNECT | SANDBOX_NSS,
                                   probe_socket_inet},
    [SANDBOX_PROBE_SOCKET_DATAGRAM] = {"socket_datagram", OPENERS_OF_SOCKETS,
                                       SANDBOX_DATAGRAMS | SANDBOX_NSS, probe_socket_datagram},
    [SANDBOX_PROBE_SOCKET_MULTIPATH] = {"socket_multipath", OPENERS_OF_SOCKETS, NEVER,
                                        probe_socket_multipath},
    [SANDBOX_PROBE_SOCKET_UNIX] = {"socket_unix", OPENERS_OF_SOCKETS, SANDBOX_SYSLOG | SANDBOX_NSS,
                                   probe_socket_unix},
    [SANDBOX_PROBE_SOCKET_PACKET] = {"socket_packet", OPENERS_OF_SOCKETS, NEVER,
                                     probe_socket_packet},
    [SANDBOX_PROBE_SOCKET_LOCAL_STREAM] = {"socket_local_stream", OPENERS_OF_SOCKETS,
                                           SANDBOX_CONNECT_LOCAL | SANDBOX_NSS,
                                           probe_socket_local_stream},
    [SANDBOX_PROBE_SOCKETPAIR] = {"socketpair", SANDBOX_SPAWN | SANDBOX_SOCKETPAIR,
                                  SANDBOX_SPAWN | SANDBOX_SOCKETPAIR, probe_socketpair},
    [SANDBOX_PROBE_CONNECT] = {"connect", OPENERS_OF_SOCKETS, OPENERS_OF_SOCKETS, probe_connect},
    [SANDBOX_PROBE_FAST_OPEN] = {"fast_open", ALL_PROMISES, NEVER, probe_fast_open},
    [SANDBOX_PROBE_BIND] = {"bind", SOCKETS_OF_ITS_OWN, SOCKETS_OF_ITS_OWN, probe_bind},
    [SANDBOX_PROBE_LISTEN] = {"listen", NEVER, NEVER, probe_listen},
    [SANDBOX_PROBE_ACCEPT] = {"accept", ALL_PROMISES, SANDBOX_ACCEPT, probe_accept},
    [SANDBOX_PROBE_SHUTDOWN] = {"shutdown", ALL_PROMISES, SOCKETS_OF_ITS_OWN | SANDBOX_SHUTDOWN,
                                probe_shutdown},
    [SANDBOX_PROBE_FILTER_PACKETS] = {"filter_packets", ALL_PROMISES, SOCKETS_OF_ITS_OWN,
                                      probe_filter_packets},
    [SANDBOX_PROBE_MAKE_BLOCKING] = {"make_blocking", ALL_PROMISES, SOCKETS_OF_ITS_OWN,
                                     probe_make_blocking},
    [SANDBOX_PROBE_FORK] = {"fork", SANDBOX_SPAWN | SANDBOX_THREADS, SANDBOX_SPAWN, probe_fork},
    /* pthread_create() blocks every signal meanwhile, and a trap that meets a blocked SIGSYS kills.
     */
    [SANDBOX_PROBE_THREAD] = {"thread", SANDBOX_THREADS, SANDBOX_THREADS, probe_thread},
    [SANDBOX_PROBE_USER_NAMESPACE] = {"user_namespace", SANDBOX_SPAWN | SANDBOX_THREADS, NEVER,
                                      probe_user_namespace},
    [SANDBOX_PROBE_UNSHARE] = {"unshare", NEVER, NEVER, probe_unshare},
    [SANDBOX_PROBE_PTRACE] = {"ptrace", NEVER, NEVER, probe_ptrace},
    [SANDBOX_PROBE_READ_PARENT_MEMORY] = {"read_parent_memory", NEVER, NEVER,
                                          probe_read_parent_memory},
    [SANDBOX_PROBE_KILL_PARENT] = {"kill_parent", NEVER, NEVER, probe_kill_parent},
    [SANDBOX_PROBE_SETUID] = {"setuid", SANDBOX_SPAWN, NEVER, probe_setuid},
    [SANDBOX_PROBE_SETGROUPS] = {"setgroups", SANDBOX_SPAWN, NEVER, probe_setgroups},
    [SANDBOX_PROBE_RAISE_LIMIT] = {"raise_limit", ALL_PROMISES, NEVER, probe_raise_limit},
    [SANDBOX_PROBE_MAP_EXECUTABLE] = {"map_executable", SANDBOX_NSS, SANDBOX_NSS,
                                      probe_map_executable},
    [SANDBOX_PROBE_MAKE_EXECUTABLE] = {"make_executable", SANDBOX_NSS, SANDBOX_NSS,
                                       probe_make_executable},
    [SANDBOX_PROBE_MAP_WRITABLE_CODE] = {"map_writable_code", SANDBOX_NSS, NEVER,
                                         probe_map_writable_code},
    [SANDBOX_PROBE_IO_URING] = {"io_uring", NEVER, NEVER, probe_io_uring},
    [SANDBOX_PROBE_BPF] = {"bpf", NEVER, NEVER, probe_bpf},
    [SANDBOX_PROBE_KEYCTL] = {"keyctl", NEVER, NEVER, probe_keyctl},
    [SANDBOX_PROBE_PERF] = {"perf", NEVER, NEVER, probe_perf},
    [SANDBOX_PROBE_USERFAULTFD] = {"userfaultfd", NEVER, NEVER, probe_userfaultfd},
    [SANDBOX_PROBE_SECCOMP] = {"seccomp", SANDBOX_SPAWN, SANDBOX_SPAWN, probe_seccomp},
    [SANDBOX_PROBE_LOAD_MODULE] = {"load_module", NEVER, NEVER, probe_load_module},
    [SANDBOX_PROBE_SET_CLOCK] = {"set_clock", NEVER, NEVER, probe_set_clock},
    [SANDBOX_PROBE_TERMINAL_INPUT] = {"terminal_input", ALL_PROMISES, NEVER, probe_terminal_input},
    [SANDBOX_PROBE_MAKE_DUMPABLE] = {"make_dumpable", ALL_PROMISES, NEVER, probe_make_dumpable},
    [SANDBOX_PROBE_SYSTEM_V_SHARED_MEMORY] = {"system_v_shared_memory", ALL_PROMISES, NEVER,
                                              probe_system_v_shared_memory},
    [SANDBOX_PROBE_UNKNOWN_CALL] = {"unknown_call", ALL_PROMISES, NEVER, probe_unknown_call},
};

const char *sandbox_probe_name(enum sandbox_probe probe)
{
    return probes[probe].name;
}

enum sandbox_probe_verdict sandbox_probe_expected(enum sandbox_probe probe, unsigned promises)
{
    if (probes[probe].works & promises)
        return SANDBOX_PROBE_PERMITTED;
    const bool survives_always = probes[probe].survives == ALL_PROMISES;
    return survives_always || (probes[probe].survives & promises) ? SANDBOX_PROBE_REFUSED
                                                                  : SANDBOX_PROBE_KILLED;
}

int sandbox_probe(enum sandbox_probe probe)
{
    return probes[probe].run();
}
