/* authd/dovecot_server - see dovecot_server.h. */
#include "dovecot_server.h"

#include <errno.h>
#include <grp.h>
#include <openssl/crypto.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/number.h"
#include "dovecot_line.h"
#include "exchange.h"
#include "mechanisms.h"
#include "smtpserver/listeners.h"
#include "system/file.h"
#include "system/random.h"
#include "system/stream.h"
#include "system/task.h"

enum {
    CONNECTIONS_MAX = 500,
    REQUESTS_MAX = 500, /* of a connection, at once */
    WRITE_TIMEOUT_MS = 30000,
    BACKLOG = 128,
    COOKIE_BYTES = 16,
    SECRET_MAX_BYTES = 12288,
    REQUEST_ARENA_BYTES = 65536
};

struct dovecot_server {
    struct authd *authd;
    struct listeners listeners;
    size_t connection_count;
    uint32_t last_number; /* CUID */
};

/* A program that asks. The reading task lives as long as the connection; a second one writes. */
struct connection {
    struct dovecot_server *server;
    struct stream stream;
    struct task *writer;
    struct list requests;
    uint32_t number;
    uint32_t minor_version; /* that the program speaks */
    bool has_failed;        /* nothing more is to be read */
    bool is_closing;        /* the writer is to end */
    bool has_shaken;        /* VERSION and CPID have come */
};

struct request {
    struct list_link link;
    struct connection *connection;
    struct exchange *exchange;
    uint32_t id;
};

/* ---- making the socket ---- */

static bool find_owner(const struct conf_authd *conf, struct arena *arena, uid_t *uid, gid_t *gid)
{
    struct span user, group;
    *uid = (uid_t)-1;
    *gid = (gid_t)-1;
    if (conf->auth_socket_owner.length == 0)
        return true;
    (void)span_split_once(conf->auth_socket_owner, ':', &user, &group);
    const char *user_name = arena_string(arena, user);
    const char *group_name = arena_string(arena, group);
    if (user.length > 0) {
        const struct passwd *entry = user_name ? getpwnam(user_name) : NULL;
        if (!entry)
            return false;
        *uid = entry->pw_uid;
        *gid = entry->pw_gid;
    }
    if (group.length > 0) {
        const struct group *entry = group_name ? getgrnam(group_name) : NULL;
        if (!entry)
            return false;
        *gid = entry->gr_gid;
    }
    return true;
}

/* Under another name first: at no moment is there a path at which nobody listens, or to which more
 * may connect than are to. We are root, and whoever owns the directory may put a link in the name's
 * place between any two calls: nothing here follows one. The mode goes with the socket. */
static int make_socket(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -1;
    (void)unlink(address.sun_path); /* of a start that did not come to its end */
    const mode_t old_mask = umask(0);
    const bool is_bound = fchmod(descriptor, mode) == 0 &&
                          bind(descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)umask(old_mask);
    if (is_bound &&
        ((uid == (uid_t)-1 && gid == (gid_t)-1) || lchown(address.sun_path, uid, gid) == 0) &&
        listen(descriptor, BACKLOG) == 0 && rename(address.sun_path, path) == 0)
        return descriptor;
    file_close(descriptor);
    return -1;
}

bool dovecot_server_listen(struct service *service, const struct conf_authd *conf, int *descriptor)
{
    struct arena *arena = &service->arena;
    uint64_t mode;
    uid_t uid;
    gid_t gid;
    *descriptor = -1;
    if (conf->auth_socket.length == 0)
        return true;
    const bool is_absolute = conf->auth_socket.bytes[0] == '/';
    const struct span text =
        is_absolute ? conf->auth_socket
                    : arena_format(arena, "%.*s/%.*s", SPAN_PRINTF(conf->queue_directory),
                                   SPAN_PRINTF(conf->auth_socket));
    const char *path = text.bytes ? arena_string(arena, text) : NULL;
    if (!number_parse_octal(conf->auth_socket_mode, 0777, &mode)) {
        service_say(service, "auth_socket_mode: %.*s is no file mode",
                    SPAN_PRINTF(conf->auth_socket_mode));
        return false;
    }
    if (!find_owner(conf, arena, &uid, &gid)) {
        service_say(service, "auth_socket_owner: no such user or group: %.*s",
                    SPAN_PRINTF(conf->auth_socket_owner));
        return false;
    }
    if (path)
        *descriptor = make_socket(path, (mode_t)mode, uid, gid);
    if (*descriptor >= 0)
        return true;
    service_say(service, "cannot make auth_socket %s: %s", path ? path : "", strerror(errno));
    return false;
}

/* ---- what is said ---- */

static void say(struct connection *connection, const struct buffer *line)
{
    stream_write(&connection->stream, buffer_span(line));
    stream_write(&connection->stream, SPAN("\n"));
    if (connection->writer)
        task_wake(connection->writer);
}

static void append_mechanism(struct buffer *out, struct span name, unsigned properties)
{
    static const struct {
        unsigned property;
        const char *word;
    } words[] = {{AUTH_PLAINTEXT, "plaintext"}, {AUTH_DICTIONARY, "dictionary"},
                 {AUTH_ACTIVE, "active"},       {AUTH_FORWARD_SECRECY, "forward-secrecy"},
                 {AUTH_MUTUAL, "mutual-auth"},  {AUTH_ANONYMOUS, "anonymous"},
                 {AUTH_PRIVATE, "private"}};
    /* The protocol has no place for the bytes of a channel binding. */
    if (properties & AUTH_BINDING)
        return;
    buffer_append_string(out, "MECH");
    dovecot_append_word(out, name);
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (properties & words[i].property)
            buffer_append_format(out, "\t%s", words[i].word);
    buffer_append_byte(out, '\n');
}

static void greet(struct connection *connection)
{
    const struct authd *authd = connection->server->authd;
    uint8_t cookie[COOKIE_BYTES];
    struct buffer out;
    buffer_init(&out, NULL, DOVECOT_LINE_MAX_BYTES);
    buffer_append_string(&out, "VERSION\t1\t2\n");
    for (size_t i = 0; i < authd->forwarded_count; i++)
        append_mechanism(&out, authd->forwarded[i].name, authd->forwarded[i].properties);
    for (size_t i = 0; i < authd->mechanism_count && !authd->forwarder; i++)
        append_mechanism(&out, span_from_string(sasl_mechanism_name(authd->mechanisms[i])),
                         mechanisms_properties(authd->mechanisms[i]));
    random_bytes(cookie, sizeof(cookie));
    buffer_append_format(&out, "SPID\t%ld\nCUID\t%u\nCOOKIE\t", (long)getpid(), connection->number);
    hex_encode(span_of(cookie, sizeof(cookie)), &out);
    buffer_append_string(&out, "\nDONE");
    say(connection, &out);
    buffer_release(&out);
}

static void append_base64(struct buffer *line, struct span bytes)
{
    buffer_append_byte(line, '\t');
    base64_encode(bytes, line);
}

/* Postfix and Exim, which speak 1.0, tell their clients that the password is wrong whatever else
 * FAIL says; that it was not to be found out they believe of a connection that ends. Who guesses
 * too much may well hear the former. */
static bool is_better_cut(const struct connection *connection, const struct auth_answer *answer)
{
    return answer->result == AUTH_TEMPORARY && answer->failure != AUTH_FAILURE_LOCKED &&
           connection->minor_version == 0;
}

static void say_failure(struct connection *connection, uint32_t id,
                        const struct auth_answer *answer)
{
    struct buffer line;
    if (is_better_cut(connection, answer)) {
        connection->has_failed = true;
        (void)shutdown(connection->stream.descriptor, SHUT_RDWR); /* the reader wakes of it */
        return;
    }
    buffer_init(&line, NULL, DOVECOT_LINE_MAX_BYTES);
    buffer_append_format(&line, "FAIL\t%u", id);
    if (answer->user.length > 0)
        dovecot_append_pair(&line, "user", answer->user);
    if (answer->result == AUTH_TEMPORARY)
        buffer_append_string(&line, "\ttemp");
    else if (answer->failure == AUTH_FAILURE_AUTHORIZATION)
        buffer_append_string(&line, "\tauthz");
    else if (answer->failure == AUTH_FAILURE_DISABLED)
        buffer_append_string(&line, "\tuser_disabled");
    else if (answer->failure == AUTH_FAILURE_EXPIRED)
        buffer_append_string(&line, "\tpass_expired");
    say(connection, &line);
    buffer_release(&line);
}

static void say_malformed(struct connection *connection, uint32_t id, const char *reason)
{
    struct buffer line;
    buffer_init(&line, NULL, DOVECOT_LINE_MAX_BYTES);
    buffer_append_format(&line, "FAIL\t%u\treason=%s", id, reason);
    say(connection, &line);
    buffer_release(&line);
}

/* ---- exchanges ---- */

static void on_answer(void *context, const struct auth_answer *answer)
{
    struct request *request = context;
    struct buffer line;
    if (answer->result == AUTH_FAILURE || answer->result == AUTH_TEMPORARY) {
        say_failure(request->connection, request->id, answer);
        return;
    }
    buffer_init(&line, NULL, 2 * DOVECOT_LINE_MAX_BYTES);
    if (answer->result == AUTH_CHALLENGE) {
        buffer_append_format(&line, "CONT\t%u", request->id);
        append_base64(&line, answer->challenge);
    } else {
        const bool is_other =
            answer->authorization.length > 0 && !span_equals(answer->authorization, answer->user);
        buffer_append_format(&line, "OK\t%u", request->id);
        dovecot_append_pair(&line, "user", is_other ? answer->authorization : answer->user);
        if (is_other)
            dovecot_append_pair(&line, "auth_user", answer->user);
    }
    say(request->connection, &line);
    buffer_release(&line);
}

static void forget(struct request *request)
{
    list_remove(&request->connection->requests, &request->link);
    free(request);
}

static void on_end(void *context)
{
    forget(context);
}

static struct request *find(const struct connection *connection, uint32_t id)
{
    LIST_FOR_EACH (&connection->requests, link) {
        struct request *request = LIST_ITEM(link, struct request, link);
        if (request->id == id)
            return request;
    }
    return NULL;
}

static uint16_t port_of(const struct dovecot_line *line, const char *key)
{
    struct span text;
    uint64_t number = 0;
    return dovecot_line_find(line, 3, key, &text) && number_parse_uint64(text, UINT16_MAX, &number)
               ? (uint16_t)number
               : 0;
}

static struct span text_of(const struct dovecot_line *line, const char *key, struct arena *arena)
{
    struct span text;
    if (!dovecot_line_find(line, 3, key, &text))
        return span_empty();
    text = dovecot_unescape(text, arena);
    return text.bytes ? text : span_empty();
}

/* An initial response is there. Programs that speak 1.1, Exim among them, also write an empty one
 * where the client sent none; and Postfix hands on the "=" that stands for an empty one in SMTP
 * (RFC 4954 section 4). */
static bool find_response(const struct connection *connection, const struct dovecot_line *line,
                          struct span *encoded)
{
    if (!dovecot_line_find(line, 3, "resp", encoded) ||
        (encoded->length == 0 && connection->minor_version < 2))
        return false;
    if (span_equals(*encoded, SPAN("=")))
        *encoded = span_empty();
    return true;
}

/* AUTH id mechanism key=value ... resp=base64. What stands behind the response could be the
 * client's own words, if a program had handed it on unread: nothing of that counts. */
static void on_auth(struct connection *connection, struct dovecot_line *line, uint32_t id,
                    struct arena *arena)
{
    struct span encoded = span_empty();
    struct buffer response;
    struct request *request = NULL;
    dovecot_line_end_behind(line, 3, "resp");
    buffer_init(&response, arena, SECRET_MAX_BYTES);
    const bool has_response = find_response(connection, line, &encoded);
    if (has_response && base64_decode(encoded, &response) != PARSE_OK) {
        say_malformed(connection, id, "Invalid base64 data in initial response");
        return;
    }
    struct auth_start start = {
        .service = text_of(line, "service", arena),
        .mechanism = dovecot_line_word(line, 2),
        .has_initial_response = has_response,
        .initial_response = buffer_span(&response),
        .client_address = text_of(line, "rip", arena),
        .client_port = port_of(line, "rport"),
        .server_address = text_of(line, "lip", arena),
        .server_port = port_of(line, "lport"),
        .server_name = text_of(line, "local_name", arena),
        .is_encrypted = dovecot_line_find(line, 3, "secured", NULL),
    };
    if (dovecot_line_find(line, 3, "valid-client-cert", NULL))
        start.certificate_identity = text_of(line, "cert_username", arena);
    if (buffer_ok(&response) && connection->requests.count < REQUESTS_MAX)
        request = calloc(1, sizeof(*request));
    if (request) {
        const struct exchange_owner owner = {0, on_answer, on_end, request};
        request->connection = connection;
        request->id = id;
        request->exchange = exchange_start(connection->server->authd, &start, &owner);
    }
    if (request && request->exchange) {
        list_append(&connection->requests, &request->link);
        return;
    }
    free(request);
    const struct auth_answer answer = {.result = AUTH_TEMPORARY, .user = span_empty()};
    say_failure(connection, id, &answer);
}

static void on_cont(struct connection *connection, const struct dovecot_line *line, uint32_t id,
                    struct arena *arena)
{
    struct request *request = find(connection, id);
    struct buffer response;
    buffer_init(&response, arena, SECRET_MAX_BYTES);
    if (!request) {
        say_malformed(connection, id, "Authentication request timed out");
    } else if (base64_decode(dovecot_line_word(line, 2), &response) != PARSE_OK ||
               !buffer_ok(&response)) {
        exchange_abandon(request->exchange);
        forget(request);
        say_malformed(connection, id, "Invalid base64 data in continued response");
    } else if (!exchange_continue(request->exchange, buffer_span(&response))) {
        connection->has_failed = true; /* an answer to nothing: not of this protocol */
    }
}

/* Another first number is another protocol. */
static void on_version(struct connection *connection, const struct dovecot_line *line)
{
    uint64_t major, minor = 0;
    connection->has_failed = !number_parse_uint64(dovecot_line_word(line, 1), UINT32_MAX, &major) ||
                             major != 1 ||
                             !number_parse_uint64(dovecot_line_word(line, 2), UINT32_MAX, &minor);
    connection->minor_version = (uint32_t)minor;
}

static void on_line(struct connection *connection, struct dovecot_line *line)
{
    const struct span command = line->words[0];
    uint64_t id = 0;
    struct arena arena;
    if (span_equals(command, SPAN("VERSION"))) {
        on_version(connection, line);
        return;
    }
    if (span_equals(command, SPAN("CPID"))) {
        connection->has_shaken = true;
        return;
    }
    const bool has_id =
        number_parse_uint64(dovecot_line_word(line, 1), UINT32_MAX, &id) && connection->has_shaken;
    arena_init(&arena, REQUEST_ARENA_BYTES, ARENA_WIPE);
    if (span_equals(command, SPAN("AUTH")) && has_id && !find(connection, (uint32_t)id)) {
        on_auth(connection, line, (uint32_t)id, &arena);
    } else if (span_equals(command, SPAN("CONT")) && has_id) {
        on_cont(connection, line, (uint32_t)id, &arena);
    } else if (span_equals(command, SPAN("CANCEL")) && has_id) {
        struct request *request = find(connection, (uint32_t)id);
        if (request) {
            exchange_abandon(request->exchange);
            forget(request);
        }
    } else if (span_equals(command, SPAN("AUTH")) || span_equals(command, SPAN("CONT"))) {
        connection->has_failed = true;
    } /* commands of later versions are passed over */
    arena_destroy(&arena);
}

/* ---- connections ---- */

static void read_lines(struct connection *connection)
{
    struct dovecot_line *line = malloc(sizeof(*line));
    enum stream_result result = line ? STREAM_OK : STREAM_FAILED;
    while (result == STREAM_OK && !connection->has_failed) {
        const struct span input = stream_input(&connection->stream);
        size_t consumed = 0;
        const enum parse_result parsed = dovecot_line_parse(input, line, &consumed);
        if (parsed == PARSE_OK) {
            on_line(connection, line);
            OPENSSL_cleanse((void *)(uintptr_t)input.bytes, consumed);
            stream_consume(&connection->stream, consumed);
        } else if (parsed == PARSE_NEED_MORE) {
            result = stream_read(&connection->stream, CLOCK_NEVER);
        } else {
            break;
        }
    }
    free(line);
}

static void write_lines(void *argument)
{
    struct connection *connection = argument;
    while (!connection->is_closing) {
        if (connection->stream.output.length == 0) {
            (void)task_park(CLOCK_NEVER);
        } else if (stream_flush(&connection->stream, clock_deadline_after(WRITE_TIMEOUT_MS)) !=
                   STREAM_OK) {
            connection->has_failed = true;
            (void)shutdown(connection->stream.descriptor, SHUT_RDWR); /* the reader wakes of it */
            break;
        }
    }
    while (!connection->is_closing)
        (void)task_park(CLOCK_NEVER);
    struct dovecot_server *server = connection->server;
    stream_close(&connection->stream);
    free(connection);
    server->connection_count--;
    listeners_set_accepting(&server->listeners, true);
}

static void serve(void *argument)
{
    struct connection *connection = argument;
    connection->writer = task_start(connection->server->authd->service->loop, "dovecot writer",
                                    write_lines, connection);
    if (connection->writer) {
        greet(connection);
        read_lines(connection);
    }
    LIST_FOR_EACH (&connection->requests, link) {
        struct request *request = LIST_ITEM(link, struct request, link);
        exchange_abandon(request->exchange);
        forget(request);
    }
    connection->is_closing = true;
    if (connection->writer)
        task_wake(connection->writer); /* closes and frees */
    else
        write_lines(connection);
}

static void on_connection(void *context, int descriptor, const struct sockaddr_storage *peer)
{
    struct dovecot_server *server = context;
    struct connection *connection = calloc(1, sizeof(*connection));
    (void)peer;
    if (!connection) {
        file_close(descriptor);
        return;
    }
    connection->server = server;
    connection->number = ++server->last_number;
    list_init(&connection->requests);
    if (stream_open(&connection->stream, server->authd->service->loop, descriptor) != 0) {
        free(connection);
        return;
    }
    if (!task_start(server->authd->service->loop, "dovecot client", serve, connection)) {
        stream_close(&connection->stream);
        free(connection);
        return;
    }
    server->connection_count++;
}

static bool has_room(void *context)
{
    const struct dovecot_server *server = context;
    return server->connection_count < CONNECTIONS_MAX;
}

bool dovecot_server_start(struct authd *authd, int descriptor)
{
    struct dovecot_server *server = arena_alloc(&authd->service->arena, sizeof(*server));
    if (!server)
        return false;
    server->authd = authd;
    listeners_init(&server->listeners, authd->service->loop, on_connection, has_room, server);
    return listeners_add(&server->listeners, descriptor) == 0;
}
