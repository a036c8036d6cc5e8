/* tests/lib/sandbox/sockets - what the promises about sockets let through, and to which ports. */
#include "sandbox_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

struct socket_fds {
    int ends[2]; /* a socket pair */
    int listener;
    int peer; /* connected to listener, outside */
    uint16_t port, other_port;
    int landlock_version;
};

static int pass_descriptor(int through, int fd)
{
    char byte = 'x';
    struct iovec content = {&byte, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {.bytes = {0}};
    struct msghdr message = {.msg_iov = &content,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    return sendmsg(through, &message, 0) == 1 ? 0 : -1;
}

static int use_sockets(void *context)
{
    const struct socket_fds *fds = context;
    char byte;
    EXPECT(pass_descriptor(fds->ends[0], STDIN_FILENO) == 0);
    struct iovec content = {&byte, 1};
    char control[CMSG_SPACE(sizeof(int))];
    struct msghdr message = {.msg_iov = &content,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    EXPECT(recvmsg(fds->ends[1], &message, MSG_CMSG_CLOEXEC) == 1);
    EXPECT(message.msg_controllen > 0);
    const int accepted = accept4(fds->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT(accepted >= 0);
    const int one = 1;
    EXPECT(setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == 0);
    int error_number;
    socklen_t length = sizeof(error_number);
    EXPECT(getsockopt(accepted, SOL_SOCKET, SO_ERROR, &error_number, &length) == 0);
    struct sockaddr_in address;
    length = sizeof(address);
    EXPECT(getpeername(accepted, (struct sockaddr *)(void *)&address, &length) == 0);
    EXPECT(send(accepted, "220", 3, MSG_NOSIGNAL) == 3);
    EXPECT(recv(accepted, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
    EXPECT(write(accepted, " ", 1) == 1);
    EXPECT(close(accepted) == 0);
    return 0;
}

static int listen_on_loopback(uint16_t *port)
{
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)(void *)&address, length), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)(void *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&address, sizeof(address)) == 0)
        return fd;
    const int saved_errno = errno;
    (void)close(fd);
    errno = saved_errno;
    return -1;
}

static void test_streams_accept_and_descriptors(void **state)
{
    (void)state;
    for (enum sandbox_test_mode mode = 0; mode < MODE_COUNT; mode++) {
        if (!mode_is_possible(mode))
            continue;
        struct socket_fds fds;
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds.ends), 0);
        fds.listener = listen_on_loopback(&fds.port);
        fds.peer = connect_to(fds.port);
        assert_true(fds.peer >= 0);
        const int kept[] = {fds.ends[0], fds.ends[1], fds.listener};
        const struct sandbox_profile profile = {.promises = SANDBOX_STREAMS | SANDBOX_ACCEPT |
                                                            SANDBOX_RECEIVE_FDS,
                                                .uid = TEST_UID,
                                                .gid = TEST_GID,
                                                .kept_fds = kept,
                                                .kept_fd_count = ARRAY_LENGTH(kept)};
        const struct child_result result = run_in_sandbox(mode, &profile, use_sockets, &fds);
        expect_zero("streams", mode, &result);
        (void)close(fds.ends[0]);
        (void)close(fds.ends[1]);
        (void)close(fds.listener);
        (void)close(fds.peer);
    }
}

/* ---- sockets of its own ---- */

static int connect_out(void *context)
{
    const struct socket_fds *ports = context;
    const int fd = connect_to(ports->port);
    EXPECT(fd >= 0);
    EXPECT(ports->landlock_version < 4 || (connect_to(ports->other_port) < 0 && errno == EACCES));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(ports->port)};
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(ports->landlock_version < 4 ||
           bind(server, (struct sockaddr *)(void *)&address, sizeof(address)) < 0);
    address.sin_port = 0;
    EXPECT(bind(server, (struct sockaddr *)(void *)&address, sizeof(address)) == 0);
    EXPECT(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) < 0);
    return 0;
}

/* Ways to a port that Landlock does not grant, past connect() on a socket of TCP. */
static int go_around_ports(void *context)
{
    const struct socket_fds *ports = context;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(ports->other_port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct iovec text = {.iov_base = (char[]){"x"}, .iov_len = 1};
    const struct msghdr message = {
        .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &text, .msg_iovlen = 1};
    const int multipath = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    EXPECT(multipath < 0 ||
           connect(multipath, (struct sockaddr *)(void *)&address, sizeof(address)) < 0);
    int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(tcp >= 0 && sendto(tcp, "x", 1, MSG_FASTOPEN, (struct sockaddr *)(void *)&address,
                              sizeof(address)) < 0);
    tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(tcp >= 0 && sendmsg(tcp, &message, MSG_FASTOPEN) < 0);
    tcp = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP);
    EXPECT(tcp >= 0);
    return 0;
}

static int send_datagram(void *context)
{
    const struct socket_fds *ports = context;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(ports->port)};
    const int datagrams = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT(sendto(datagrams, "x", 1, 0, (struct sockaddr *)(void *)&address, sizeof(address)) == 1);
    return 0;
}

static void test_connect(void **state)
{
    (void)state;
    struct socket_fds ports = {.landlock_version = sandbox_landlock_version()};
    const int listener = listen_on_loopback(&ports.port);
    const int other = listen_on_loopback(&ports.other_port);
    struct sandbox_profile profile = {.promises =
                                          SANDBOX_CONNECT | SANDBOX_STREAMS | SANDBOX_RECEIVE_FDS,
                                      .uid = TEST_UID,
                                      .gid = TEST_GID,
                                      .connect_ports = &ports.port,
                                      .connect_port_count = 1};
    expect_works("connect", &profile, connect_out, &ports);
    expect_works("connect, past the ports", &profile, go_around_ports, &ports);
    profile.promises |= SANDBOX_DATAGRAMS;
    expect_works("datagrams", &profile, send_datagram, &ports);
    expect_works("datagrams, past the ports", &profile, go_around_ports, &ports);
    (void)close(listener);
    (void)close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_streams_accept_and_descriptors),
        cmocka_unit_test(test_connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
