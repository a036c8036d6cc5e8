/* table/server - socketmap:inet:HOST:PORT:NAME, socketmap:unix:PATH:NAME and tcp:HOST:PORT: tables
 * that other processes serve. They are slow ones: asked where waiting does no harm, over a
 * connection that is kept, with a limit on every wait. A connection that turns out to be closed is
 * made again once; what a server says that nobody understands is a temporary error. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/clock.h"
#include "table/server_protocol.h"
#include "table/table_private.h"

enum { SERVER_TIMEOUT_MS = 100000, SERVER_READ_BYTES = 4096, SERVER_ATTEMPTS = 2 };

struct server {
    const char *host;     /* NULL: a local socket */
    const char *place;    /* port or path */
    struct span map_name; /* of socketmap; tcp has none */
    bool is_socketmap;
    int descriptor;
    struct buffer request;
    struct buffer reply;
};

/* ---- waiting ---- */

/* False with errno. */
static bool wait_for(int descriptor, short events, int64_t deadline_ms)
{
    for (;;) {
        const int64_t left_ms = deadline_ms - clock_monotonic_ms();
        struct pollfd waited = {.fd = descriptor, .events = events};
        const int result = left_ms > 0 ? poll(&waited, 1, (int)left_ms) : 0;
        if (result > 0)
            return true;
        if (result == 0)
            errno = ETIMEDOUT;
        if (result == 0 || errno != EINTR)
            return false;
    }
}

/* ---- connections ---- */

static bool finish_connect(int descriptor, const struct sockaddr *address, socklen_t length,
                           int64_t deadline_ms)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(descriptor, address, length) == 0)
        return true;
    if (errno != EINPROGRESS || !wait_for(descriptor, POLLOUT, deadline_ms) ||
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return false;
    errno = error;
    return error == 0;
}

static int connect_to(int family, const struct sockaddr *address, socklen_t length,
                      int64_t deadline_ms)
{
    const int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    if (finish_connect(descriptor, address, length, deadline_ms))
        return descriptor;
    const int error = errno;
    (void)close(descriptor); /* it has nothing */
    errno = error;
    return -1;
}

static int connect_local(const char *path, int64_t deadline_ms)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);
    if (length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, length + 1);
    return connect_to(AF_UNIX, (const struct sockaddr *)&address, sizeof(address), deadline_ms);
}

static int connect_inet(const struct server *server, int64_t deadline_ms)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int descriptor = -1;

    if (getaddrinfo(server->host, server->place, &hints, &list) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    for (const struct addrinfo *item = list; item && descriptor < 0; item = item->ai_next)
        descriptor = connect_to(item->ai_family, item->ai_addr, item->ai_addrlen, deadline_ms);
    const int error = errno;
    freeaddrinfo(list);
    errno = error;
    return descriptor;
}

static void shut(struct server *server)
{
    if (server->descriptor >= 0)
        (void)close(server->descriptor); /* every request has had its answer, or never will */
    server->descriptor = -1;
    buffer_reset(&server->reply);
}

/* ---- one question ---- */

static bool send_all(const struct server *server, struct span bytes, int64_t deadline_ms)
{
    while (bytes.length) {
        const ssize_t sent = send(server->descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL);
        if (sent > 0)
            bytes = span_after(bytes, (size_t)sent);
        else if (errno != EINTR &&
                 (errno != EAGAIN || !wait_for(server->descriptor, POLLOUT, deadline_ms)))
            return false;
    }
    return true;
}

/* More of the answer; false with errno, ECONNRESET at the end. */
static bool receive(struct server *server, int64_t deadline_ms)
{
    uint8_t *room = buffer_reserve(&server->reply, SERVER_READ_BYTES);
    if (!room) {
        errno = EMSGSIZE;
        return false;
    }
    for (;;) {
        const ssize_t count = recv(server->descriptor, room, SERVER_READ_BYTES, 0);
        if (count > 0) {
            buffer_extend(&server->reply, (size_t)count);
            return true;
        }
        if (count == 0)
            errno = ECONNRESET;
        if (count == 0 || (errno != EINTR &&
                           (errno != EAGAIN || !wait_for(server->descriptor, POLLIN, deadline_ms))))
            return false;
    }
}

/* PARSE_OK with what the server says in *result, and the text in *text. */
static enum parse_result read_socketmap(struct server *server, enum table_result *result,
                                        struct buffer *text)
{
    struct span payload;
    struct span data;
    size_t consumed;

    const enum parse_result parsed =
        table_socketmap_parse_reply(buffer_span(&server->reply), &payload, &consumed);
    if (parsed != PARSE_OK)
        return parsed;
    if (!table_socketmap_read(payload, result, &data))
        return PARSE_MALFORMED;
    buffer_append_span(text, data);
    buffer_consume(&server->reply, consumed);
    return PARSE_OK;
}

static enum parse_result read_tcp(struct server *server, enum table_result *result,
                                  struct buffer *text)
{
    const struct span input = buffer_span(&server->reply);
    const size_t end = span_find_byte(input, '\n');

    if (end == input.length)
        return end > TABLE_TCP_REPLY_MAX_BYTES ? PARSE_TOO_LONG : PARSE_NEED_MORE;
    if (!table_tcp_read(span_first(input, end), result, text))
        return PARSE_MALFORMED;
    buffer_consume(&server->reply, end + 1);
    return PARSE_OK;
}

/* What a server says unasked, twice or too late must not be taken for the answer to the next
 * question, which may be about somebody else: such a connection is not used again. */
static bool is_silent(const struct server *server)
{
    uint8_t byte;
    return server->reply.length == 0 &&
           recv(server->descriptor, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 &&
           errno == EAGAIN;
}

/* False: nothing was answered, with errno. */
static bool ask(struct server *server, enum table_result *result, struct buffer *text,
                int64_t deadline_ms)
{
    if (server->descriptor < 0)
        server->descriptor = server->host ? connect_inet(server, deadline_ms)
                                          : connect_local(server->place, deadline_ms);
    if (server->descriptor < 0 || !send_all(server, buffer_span(&server->request), deadline_ms))
        return false;
    for (;;) {
        const enum parse_result parsed = server->is_socketmap ? read_socketmap(server, result, text)
                                                              : read_tcp(server, result, text);
        if (parsed == PARSE_OK)
            return true;
        if (parsed != PARSE_NEED_MORE) {
            errno = EPROTO;
            return false;
        }
        if (!receive(server, deadline_ms))
            return false;
    }
}

static enum table_result server_lookup(struct table *table, struct span key, struct buffer *value)
{
    struct server *server = table->state;
    const int64_t deadline_ms = clock_deadline_after(SERVER_TIMEOUT_MS);
    enum table_result result = TABLE_ERROR;
    struct buffer text;
    bool is_answered = false;

    if (server->descriptor >= 0 && !is_silent(server))
        shut(server);
    buffer_reset(&server->request);
    if (server->is_socketmap)
        table_socketmap_append_request(server->map_name, key, &server->request);
    else
        table_tcp_append_request(key, &server->request);
    if (!buffer_ok(&server->request)) {
        table_fail(table, "memory is out");
        return TABLE_ERROR;
    }
    buffer_init(&text, NULL, TABLE_SOCKETMAP_REPLY_MAX_BYTES);
    for (int i = 0; i < SERVER_ATTEMPTS && !is_answered; i++) {
        /* A server may have closed what has long been idle; a fresh connection is the last word. */
        const bool was_open = server->descriptor >= 0;
        buffer_reset(&text);
        is_answered = ask(server, &result, &text, deadline_ms);
        if (!is_answered) {
            table_fail(table, "%s%s%s: %s", server->host ? server->host : "",
                       server->host ? ":" : "", server->place, strerror(errno));
            shut(server);
            result = TABLE_ERROR;
            if (!was_open)
                break;
        }
    }
    if (is_answered && result == TABLE_ERROR)
        table_fail(table, "the server says: %.*s",
                   SPAN_PRINTF(span_first(buffer_span(&text), 400)));
    if (result == TABLE_FOUND)
        buffer_append_span(value, buffer_span(&text));
    buffer_release(&text);
    return result;
}

/* ---- names ---- */

static struct server *create(struct table *table, bool is_socketmap)
{
    struct server *server = arena_alloc(&table->arena, sizeof(*server));
    if (!server)
        return NULL;
    server->is_socketmap = is_socketmap;
    server->descriptor = -1;
    buffer_init(&server->request, NULL, 4 * TABLE_KEY_MAX_BYTES + TABLE_NAME_MAX_BYTES);
    buffer_init(&server->reply, NULL, 2 * TABLE_SOCKETMAP_REPLY_MAX_BYTES);
    table->state = server;
    return server;
}

/* HOST:PORT, the host perhaps in brackets. */
static bool set_host(struct table *table, struct server *server, struct span text)
{
    const size_t colon = span_find_last_byte(text, ':');
    struct span host = span_first(text, colon);

    if (host.length > 1 && host.bytes[0] == '[' && host.bytes[host.length - 1] == ']')
        host = span_between(host, 1, host.length - 1);
    if (colon == text.length || host.length == 0 || colon + 1 == text.length)
        return false;
    server->host = arena_string(&table->arena, host);
    server->place = arena_string(&table->arena, span_after(text, colon + 1));
    return server->host && server->place;
}

static bool socketmap_open(struct table *table, struct span argument)
{
    struct server *server = create(table, true);
    const size_t colon = span_find_last_byte(argument, ':');
    const struct span place = span_first(argument, colon);
    bool is_good = server && colon < argument.length;

    if (is_good) {
        server->map_name = span_after(argument, colon + 1);
        if (span_starts_with(place, SPAN("inet:"))) {
            is_good = set_host(table, server, span_after(place, 5));
        } else if (span_starts_with(place, SPAN("unix:")) && place.length > 5) {
            server->place = arena_string(&table->arena, span_after(place, 5));
            is_good = server->place != NULL;
        } else {
            is_good = false;
        }
    }
    if (!is_good || server->map_name.length == 0)
        table_fail(table,
                   "bad socketmap name \"%.*s\"; need \"socketmap:inet:host:port:name\" or "
                   "\"socketmap:unix:path:name\"",
                   SPAN_PRINTF(span_first(argument, 200)));
    return is_good && server->map_name.length > 0;
}

static bool tcp_open(struct table *table, struct span argument)
{
    struct server *server = create(table, false);
    if (server && set_host(table, server, argument))
        return true;
    table_fail(table, "bad tcp table name \"%.*s\"; need \"tcp:host:port\"",
               SPAN_PRINTF(span_first(argument, 200)));
    return false;
}

static void server_close(struct table *table)
{
    struct server *server = table->state;
    if (!server)
        return;
    shut(server);
    buffer_release(&server->request);
    buffer_release(&server->reply);
}

const struct table_kind table_kind_socketmap = {.type = "socketmap",
                                                .is_slow = true,
                                                .open = socketmap_open,
                                                .lookup = server_lookup,
                                                .close = server_close};
const struct table_kind table_kind_tcp = {.type = "tcp",
                                          .is_slow = true,
                                          .open = tcp_open,
                                          .lookup = server_lookup,
                                          .close = server_close};
