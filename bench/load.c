/* bench/load - send many messages by SMTP over several sessions at once, at little cost to itself.
 * One process, one event loop; a session sends its share of the messages over one connection
 * (or a new one for each, -n), command by command or pipelined (-P, RFC 2920), over TLS (-T, after
 * STARTTLS) with a full handshake for each connection or, but for a session's first, a resumed one
 * (-R). Nobody's certificate is looked at. Ends with one line of JSON. Callers: bench/run. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SESSIONS_MAX = 10000,
    RECIPIENTS_MAX = 1000,
    REPLY_MAX_BYTES = 4096,
    EVENTS_AT_ONCE = 64,
    STALL_MS = 60000
};

enum step {
    STEP_GREETING,
    STEP_EHLO,
    STEP_STARTTLS,
    STEP_HANDSHAKE,
    STEP_MAIL,
    STEP_RCPT,
    STEP_DATA,
    STEP_CONTENT,
    STEP_QUIT
};

struct settings {
    struct sockaddr_in server;
    const char *sender;
    const char *recipient;
    size_t session_count;
    size_t message_count;
    size_t size_bytes;
    size_t recipient_count;
    bool is_pipelined;
    bool is_connection_kept;
    bool resumes;
    SSL_CTX *tls; /* NULL: cleartext */
};

struct session {
    int fd;
    enum step step;
    size_t recipients_answered;
    char reply[REPLY_MAX_BYTES];
    size_t reply_length;
    char *output;
    size_t output_length;
    size_t output_written;
    SSL *ssl;             /* NULL before STARTTLS */
    SSL_SESSION *resumed; /* of the connection before */
};

struct run {
    const struct settings *settings;
    int epoll_fd;
    size_t started; /* messages handed to a session */
    size_t accepted;
    size_t failed;
    size_t resumed; /* handshakes */
    size_t open_sessions;
    size_t output_capacity;
    char *body;
    size_t body_length;
};

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void append(struct run *run, struct session *session, const char *bytes, size_t length)
{
    if (length > run->output_capacity - session->output_length) {
        errno = ENOBUFS;
        die("output");
    }
    memcpy(session->output + session->output_length, bytes, length);
    session->output_length += length;
}

static void append_text(struct run *run, struct session *session, const char *text)
{
    append(run, session, text, strlen(text));
}

/* With several recipients the number goes before the address, as Postfix's smtp-source does it. */
static void append_recipient(struct run *run, struct session *session, size_t number)
{
    char line[512];
    if (run->settings->recipient_count == 1)
        (void)snprintf(line, sizeof(line), "RCPT TO:<%s>\r\n", run->settings->recipient);
    else
        (void)snprintf(line, sizeof(line), "RCPT TO:<%zu%s>\r\n", number + 1,
                       run->settings->recipient);
    append_text(run, session, line);
}

static void append_content(struct run *run, struct session *session)
{
    char header[1024];
    (void)snprintf(header, sizeof(header),
                   "From: <%s>\r\nTo: <%s>\r\nSubject: load\r\n"
                   "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                   "Message-ID: <%zu.%d.%ld@load.test>\r\n\r\n",
                   run->settings->sender, run->settings->recipient, run->started, (int)getpid(),
                   (long)time(NULL));
    append_text(run, session, header);
    append(run, session, run->body, run->body_length);
    append_text(run, session, ".\r\n");
}

static void append_mail(struct run *run, struct session *session)
{
    char line[512];
    (void)snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n", run->settings->sender);
    append_text(run, session, line);
    if (!run->settings->is_pipelined)
        return;
    for (size_t i = 0; i < run->settings->recipient_count; i++)
        append_recipient(run, session, i);
    append_text(run, session, "DATA\r\n");
}

static void connect_session(struct run *run, struct session *session)
{
    const int one = 1;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (session->fd < 0)
        die("socket");
    if (connect(session->fd, (const struct sockaddr *)&run->settings->server,
                sizeof(run->settings->server)) != 0)
        die("connect");
    (void)setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    session->step = STEP_GREETING;
    session->reply_length = 0;
    session->output_length = session->output_written = 0;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
    if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, session->fd, &event) != 0)
        die("epoll_ctl");
    run->open_sessions++;
}

static void close_session(struct run *run, struct session *session)
{
    if (session->ssl && run->settings->resumes) {
        SSL_SESSION_free(session->resumed);
        session->resumed = SSL_get1_session(session->ssl);
    }
    if (session->ssl)
        (void)SSL_shutdown(session->ssl); /* one that was not is not resumable */
    SSL_free(session->ssl);
    session->ssl = NULL;
    ERR_clear_error();
    (void)close(session->fd);
    session->fd = -1;
    run->open_sessions--;
}

static void want(struct run *run, struct session *session, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = session};
    if (epoll_ctl(run->epoll_fd, EPOLL_CTL_MOD, session->fd, &event) != 0)
        die("epoll_ctl");
}

/* Both: bytes moved, 0 when the connection is gone, -1 when it cannot be done yet. */
static ssize_t receive(struct session *session, char *bytes, size_t size)
{
    if (!session->ssl) {
        const ssize_t count = recv(session->fd, bytes, size, MSG_DONTWAIT);
        return count >= 0 ? count : errno == EAGAIN ? -1 : 0;
    }
    const int count = SSL_read(session->ssl, bytes, (int)size);
    return count > 0 ? count : SSL_get_error(session->ssl, count) == SSL_ERROR_WANT_READ ? -1 : 0;
}

static ssize_t transmit(struct session *session, const char *bytes, size_t size)
{
    if (!session->ssl) {
        const ssize_t count = send(session->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        return count > 0 ? count : count < 0 && errno == EAGAIN ? -1 : 0;
    }
    const int count = SSL_write(session->ssl, bytes, (int)size);
    return count > 0 ? count : SSL_get_error(session->ssl, count) == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static void start_tls(struct run *run, struct session *session)
{
    if (fcntl(session->fd, F_SETFL, O_NONBLOCK) != 0)
        die("fcntl");
    session->ssl = SSL_new(run->settings->tls);
    if (!session->ssl || SSL_set_fd(session->ssl, session->fd) != 1)
        die("SSL_new");
    if (session->resumed)
        (void)SSL_set_session(session->ssl, session->resumed);
    SSL_set_connect_state(session->ssl);
    session->step = STEP_HANDSHAKE;
}

/* Returns false when it failed; at its end the session goes on with EHLO. */
static bool shake_hands(struct run *run, struct session *session)
{
    const int result = SSL_do_handshake(session->ssl);
    if (result == 1) {
        run->resumed += SSL_session_reused(session->ssl) ? 1 : 0;
        session->step = STEP_EHLO;
        append_text(run, session, "EHLO load.test\r\n");
        return true;
    }
    const int why = SSL_get_error(session->ssl, result);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        want(run, session, why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLIN | EPOLLOUT);
        return true;
    }
    (void)fprintf(stderr, "load: handshake: %s\n", ERR_reason_error_string(ERR_peek_error()));
    run->failed++;
    return false;
}

/* Returns false when the connection is gone. */
static bool flush_output(struct run *run, struct session *session)
{
    const size_t length_before = session->output_length;
    const bool was_waiting = session->output_written > 0;
    while (session->output_written < session->output_length) {
        const ssize_t count = transmit(session, session->output + session->output_written,
                                       session->output_length - session->output_written);
        if (count < 0) {
            want(run, session, EPOLLIN | EPOLLOUT);
            return true;
        }
        if (count == 0)
            return false;
        session->output_written += (size_t)count;
    }
    session->output_length = session->output_written = 0;
    if (was_waiting && length_before > 0)
        want(run, session, EPOLLIN);
    return true;
}

/* The next message, or QUIT when none is left. */
static void start_message(struct run *run, struct session *session)
{
    if (run->started >= run->settings->message_count) {
        session->step = STEP_QUIT;
        append_text(run, session, "QUIT\r\n");
        return;
    }
    run->started++;
    session->recipients_answered = 0;
    session->step = STEP_MAIL;
    append_mail(run, session);
}

/* One complete reply; returns false when the session ends here. */
static bool on_reply(struct run *run, struct session *session, const char *line)
{
    const struct settings *settings = run->settings;
    const char expected = session->step == STEP_DATA ? '3' : '2';
    if (line[0] != expected) {
        (void)fprintf(stderr, "load: step %d: %.200s\n", (int)session->step, line);
        run->failed++;
        return false;
    }
    switch (session->step) {
    case STEP_GREETING:
        session->step = STEP_EHLO;
        append_text(run, session, "EHLO load.test\r\n");
        break;
    case STEP_EHLO:
        if (settings->tls && !session->ssl) {
            session->step = STEP_STARTTLS;
            append_text(run, session, "STARTTLS\r\n");
        } else {
            start_message(run, session);
        }
        break;
    case STEP_STARTTLS:
        start_tls(run, session);
        break;
    case STEP_HANDSHAKE: /* nothing is said in cleartext */
        return false;
    case STEP_MAIL:
        session->step = STEP_RCPT;
        if (!settings->is_pipelined)
            append_recipient(run, session, 0);
        break;
    case STEP_RCPT:
        session->recipients_answered++;
        if (session->recipients_answered == settings->recipient_count) {
            session->step = STEP_DATA;
            if (!settings->is_pipelined)
                append_text(run, session, "DATA\r\n");
        } else if (!settings->is_pipelined) {
            append_recipient(run, session, session->recipients_answered);
        }
        break;
    case STEP_DATA:
        session->step = STEP_CONTENT;
        append_content(run, session);
        break;
    case STEP_CONTENT:
        run->accepted++;
        if (settings->is_connection_kept) {
            start_message(run, session);
        } else {
            session->step = STEP_QUIT;
            append_text(run, session, "QUIT\r\n");
        }
        break;
    case STEP_QUIT:
        return false;
    }
    return true;
}

/* Takes complete replies out of the buffer; returns false when the session ends. */
static bool take_replies(struct run *run, struct session *session)
{
    size_t start = 0;
    for (;;) {
        char *line = session->reply + start;
        char *end = memchr(line, '\n', session->reply_length - start);
        if (!end)
            break;
        start += (size_t)(end - line) + 1;
        *end = '\0';
        if (end - line >= 4 && line[3] == '-')
            continue; /* more lines of this reply follow: RFC 5321 section 4.2.1 */
        if (!on_reply(run, session, line))
            return false;
    }
    memmove(session->reply, session->reply + start, session->reply_length - start);
    session->reply_length -= start;
    return session->reply_length < REPLY_MAX_BYTES;
}

/* All that is at hand; returns false when the session ends. */
static bool take_input(struct run *run, struct session *session)
{
    if (session->step == STEP_HANDSHAKE)
        return shake_hands(run, session);
    for (;;) {
        const ssize_t count = receive(session, session->reply + session->reply_length,
                                      REPLY_MAX_BYTES - session->reply_length);
        if (count < 0)
            return true;
        if (count == 0) {
            run->failed += session->step == STEP_QUIT ? 0 : 1;
            return false;
        }
        session->reply_length += (size_t)count;
        if (!take_replies(run, session))
            return false;
        if (session->step == STEP_HANDSHAKE)
            return shake_hands(run, session);
        if (!session->ssl)
            return true;
    }
}

static void on_event(struct run *run, struct session *session, uint32_t events)
{
    bool is_alive = true;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || session->step == STEP_HANDSHAKE)
        is_alive = take_input(run, session);
    if (is_alive)
        is_alive = flush_output(run, session);
    if (is_alive)
        return;
    const bool is_more = session->step == STEP_QUIT && !run->settings->is_connection_kept &&
                         run->started < run->settings->message_count;
    close_session(run, session);
    if (is_more)
        connect_session(run, session);
}

static size_t number(const char *text, size_t minimum, size_t maximum)
{
    char *end = NULL;
    const unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < minimum || value > maximum) {
        (void)fprintf(stderr, "load: %s is not a number from %zu to %zu\n", text, minimum, maximum);
        exit(2);
    }
    return value;
}

static void read_arguments(int argc, char **argv, struct settings *settings)
{
    const char *address = "127.0.0.1";
    size_t port = 25;
    for (int option; (option = getopt(argc, argv, "a:p:s:m:l:r:f:t:PnTR")) != -1;) {
        switch (option) {
        case 'a':
            address = optarg;
            break;
        case 'p':
            port = number(optarg, 1, 65535);
            break;
        case 's':
            settings->session_count = number(optarg, 1, SESSIONS_MAX);
            break;
        case 'm':
            settings->message_count = number(optarg, 1, SIZE_MAX / 2);
            break;
        case 'l':
            settings->size_bytes = number(optarg, 0, 1 << 30);
            break;
        case 'r':
            settings->recipient_count = number(optarg, 1, RECIPIENTS_MAX);
            break;
        case 'f':
            settings->sender = optarg;
            break;
        case 't':
            settings->recipient = optarg;
            break;
        case 'P':
            settings->is_pipelined = true;
            break;
        case 'n':
            settings->is_connection_kept = false;
            break;
        case 'R':
            settings->resumes = true;
            break;
        case 'T':
            settings->tls = SSL_CTX_new(TLS_client_method());
            if (!settings->tls)
                die("SSL_CTX_new");
            (void)SSL_CTX_set_mode(settings->tls, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
            break;
        default:
            (void)fprintf(stderr,
                          "usage: load [-PnTR] [-a address] [-p port] [-s sessions] [-m messages] "
                          "[-l bytes] [-r recipients] [-f sender] [-t recipient]\n");
            exit(2);
        }
    }
    settings->server.sin_family = AF_INET;
    settings->server.sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, address, &settings->server.sin_addr) != 1) {
        (void)fprintf(stderr, "load: %s is no IPv4 address\n", address);
        exit(2);
    }
}

static char *make_body(size_t size_bytes, size_t *length)
{
    static const char line[] =
        "The courier rides by night, and the lamps are lit for him here.\r\n";
    char *body = malloc(size_bytes + sizeof(line));
    if (!body)
        die("malloc");
    *length = 0;
    while (*length < size_bytes) {
        memcpy(body + *length, line, sizeof(line) - 1);
        *length += sizeof(line) - 1;
    }
    return body;
}

int main(int argc, char **argv)
{
    struct settings settings = {.sender = "sender@load.test",
                                .recipient = "user@example.test",
                                .session_count = 10,
                                .message_count = 1000,
                                .size_bytes = 1024,
                                .recipient_count = 1,
                                .is_connection_kept = true};
    read_arguments(argc, argv, &settings);
    struct run run = {.settings = &settings, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    if (run.epoll_fd < 0)
        die("epoll_create1");
    (void)signal(SIGPIPE, SIG_IGN); /* libssl writes without MSG_NOSIGNAL */
    run.body = make_body(settings.size_bytes, &run.body_length);
    run.output_capacity = run.body_length + 4096 + settings.recipient_count * 512;
    struct session *sessions = calloc(settings.session_count, sizeof(*sessions));
    if (!sessions)
        die("calloc");

    const double started_s = now_s();
    double accepted_s = started_s;
    for (size_t i = 0; i < settings.session_count; i++) {
        sessions[i].output = malloc(run.output_capacity);
        if (!sessions[i].output)
            die("malloc");
        connect_session(&run, &sessions[i]);
    }
    while (run.open_sessions > 0) {
        struct epoll_event events[EVENTS_AT_ONCE];
        const int count = epoll_wait(run.epoll_fd, events, EVENTS_AT_ONCE, STALL_MS);
        if (count < 0 && errno != EINTR)
            die("epoll_wait");
        if (count == 0) {
            errno = ETIMEDOUT;
            die("the server");
        }
        const size_t accepted_before = run.accepted;
        for (int i = 0; i < count; i++)
            on_event(&run, events[i].data.ptr, events[i].events);
        if (run.accepted != accepted_before)
            accepted_s = now_s();
    }

    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail for this process */
    const double cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
                         (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    (void)printf("{\"accepted\": %zu, \"failed\": %zu, \"resumed\": %zu, \"seconds\": %.6f, "
                 "\"cpu_seconds\": %.6f}\n",
                 run.accepted, run.failed, run.resumed, accepted_s - started_s, cpu_s);
    for (size_t i = 0; i < settings.session_count; i++) {
        free(sessions[i].output);
        SSL_SESSION_free(sessions[i].resumed);
    }
    SSL_CTX_free(settings.tls);
    free(sessions);
    free(run.body);
    return run.accepted == settings.message_count ? 0 : 1;
}
