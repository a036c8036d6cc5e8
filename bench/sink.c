/* bench/sink - an SMTP server that takes everything, keeps nothing and counts messages.
 * The count stands in a mapped file (-c), eight bytes in the machine's order, so that whoever
 * measures reads it without asking. One process, one event loop. Callers: bench/run. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048, REPLIES_MAX_BYTES = 16384, READ_BYTES = 65536, EVENTS_AT_ONCE = 64 };

/* Only CRLF.CRLF ends the content; how much of it the last bytes have matched. */
static const char ending[] = "\r\n.\r\n";

struct session {
    int fd;
    bool is_content;
    size_t matched;
    char line[LINE_MAX_BYTES];
    size_t line_length;
    char replies[REPLIES_MAX_BYTES];
    size_t reply_length;
};

static _Atomic uint64_t *message_count;

static void die(const char *what)
{
    (void)fprintf(stderr, "sink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool reply(struct session *session, const char *text)
{
    const size_t length = strlen(text);
    if (length > sizeof(session->replies) - session->reply_length)
        return false;
    memcpy(session->replies + session->reply_length, text, length);
    session->reply_length += length;
    return true;
}

static bool is_verb(const struct session *session, const char *verb)
{
    if (session->line_length < 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        if ((session->line[i] & ~0x20) != verb[i]) /* letters only, so this folds case */
            return false;
    return true;
}

/* Returns false when the session is over. */
static bool on_line(struct session *session)
{
    if (is_verb(session, "DATA")) {
        session->is_content = true;
        session->matched = 2; /* the line end before the content counts: it may be empty */
        return reply(session, "354 End data with <CR><LF>.<CR><LF>\r\n");
    }
    if (is_verb(session, "EHLO"))
        return reply(session, "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SIZE 0\r\n"
                              "250 ENHANCEDSTATUSCODES\r\n");
    if (is_verb(session, "QUIT")) {
        (void)reply(session, "221 2.0.0 Bye\r\n"); /* the session ends anyway */
        return false;
    }
    return reply(session, "250 2.0.0 Ok\r\n");
}

static bool on_bytes(struct session *session, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const char byte = bytes[i];
        if (session->is_content) {
            if (byte == ending[session->matched])
                session->matched++;
            else
                session->matched = byte == '\r' ? 1 : 0;
            if (session->matched == sizeof(ending) - 1) {
                session->is_content = false;
                atomic_fetch_add_explicit(message_count, 1, memory_order_relaxed);
                if (!reply(session, "250 2.0.0 Ok: queued as SINK\r\n"))
                    return false;
            }
        } else if (byte == '\n') {
            if (!on_line(session))
                return false;
            session->line_length = 0;
        } else if (byte != '\r') {
            if (session->line_length == sizeof(session->line))
                return false;
            session->line[session->line_length++] = byte;
        }
    }
    return true;
}

/* The replies are small and the client waits for them: a full socket buffer ends the session. */
static bool flush_replies(struct session *session)
{
    const size_t length = session->reply_length;
    session->reply_length = 0;
    return length == 0 || send(session->fd, session->replies, length,
                               MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

static void on_event(struct session *session)
{
    static char bytes[READ_BYTES];
    const ssize_t count = recv(session->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN)
        return;
    const bool goes_on = count > 0 && on_bytes(session, bytes, (size_t)count);
    if (flush_replies(session) && goes_on)
        return;
    (void)close(session->fd);
    free(session);
}

static void accept_session(int listener, int epoll_fd)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    const int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    struct session *session = calloc(1, sizeof(*session));
    if (!session)
        die("calloc");
    session->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
    if (!reply(session, "220 sink.test ESMTP\r\n") || !flush_replies(session)) {
        (void)close(fd);
        free(session);
    }
}

static void map_counter(const char *path)
{
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, sizeof(*message_count)) != 0)
        die(path);
    message_count = mmap(NULL, sizeof(*message_count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (message_count == MAP_FAILED)
        die("mmap");
    (void)close(fd);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *counter = NULL;
    unsigned long port = 0;
    for (int option; (option = getopt(argc, argv, "c:p:")) != -1;) {
        if (option == 'c')
            counter = optarg;
        else if (option == 'p')
            port = strtoul(optarg, NULL, 10);
    }
    if (!counter || port == 0 || port > 65535 || optind != argc) {
        (void)fprintf(stderr, "usage: sink -p port -c file\n");
        return 2;
    }
    map_counter(counter);
    address.sin_port = htons((uint16_t)port);
    const int one = 1;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(listener, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(listener, SOMAXCONN) != 0)
        die("listen");
    const int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) != 0)
        die("epoll");
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        const int count = epoll_wait(epoll_fd, events, EVENTS_AT_ONCE, -1);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr)
                on_event(events[i].data.ptr);
            else
                accept_session(listener, epoll_fd);
        }
    }
}
