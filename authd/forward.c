/* authd/forward - see forward.h. */
#include "forward.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/number.h"
#include "dovecot_line.h"
#include "exchange_private.h"
#include "maillog/event.h"
#include "system/file.h"
#include "system/stream.h"
#include "system/task.h"

enum {
    CONNECT_TIMEOUT_MS = 10000,
    GREETING_TIMEOUT_MS = 30000,
    WRITE_TIMEOUT_MS = 30000,
    ANSWER_TIMEOUT_MS = 150000, /* Dovecot holds failures back, too */
    PAUSE_MS = 1000,
    NAMES_MAX_BYTES = 4096,
    SECRET_MAX_BYTES = 12288
};

struct forwarder {
    struct authd *authd;
    struct stream stream;
    struct task *reader;
    struct task *writer;
    struct list pending;
    uint32_t last_id;
    bool is_ready;     /* the server's greeting is through */
    bool has_failed;   /* the connection is of no use any more */
    bool is_writing;   /* the writer is at the stream, which may not be closed under it */
    bool has_reported; /* that it cannot be had */
    uint8_t names[NAMES_MAX_BYTES];
    size_t names_length;
};

/* An exchange that waits for an answer. */
struct pending {
    struct list_link link;
    struct task *task;
    struct arena *arena;
    uint32_t id;
    bool is_answered;
    bool is_lost;
    struct dovecot_line line; /* the answer; its words lie in the arena */
};

/* ---- the server's greeting ---- */

static unsigned property_of(struct span word)
{
    static const struct {
        const char *word;
        unsigned property;
    } words[] = {{"plaintext", AUTH_PLAINTEXT}, {"dictionary", AUTH_DICTIONARY},
                 {"active", AUTH_ACTIVE},       {"forward-secrecy", AUTH_FORWARD_SECRECY},
                 {"mutual-auth", AUTH_MUTUAL},  {"anonymous", AUTH_ANONYMOUS},
                 {"private", AUTH_PRIVATE},     {"channel-binding", AUTH_PRIVATE}};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (span_equals(word, span_from_string(words[i].word)))
            return words[i].property;
    return 0;
}

static void add_mechanism(struct forwarder *forwarder, const struct dovecot_line *line)
{
    struct authd *authd = forwarder->authd;
    const struct span name = dovecot_line_word(line, 1);
    if (name.length == 0 || name.length > AUTH_MECHANISM_NAME_MAX_BYTES ||
        name.length > sizeof(forwarder->names) - forwarder->names_length ||
        authd->forwarded_count == AUTH_MECHANISMS_MAX)
        return;
    uint8_t *kept = forwarder->names + forwarder->names_length;
    memcpy(kept, name.bytes, name.length);
    forwarder->names_length += name.length;
    unsigned properties = span_equals_ascii_nocase(name, SPAN("EXTERNAL")) ? AUTH_CERTIFICATE : 0U;
    for (size_t i = 2; i < line->count; i++)
        properties |= property_of(line->words[i]);
    authd->forwarded[authd->forwarded_count++] =
        (struct auth_mechanism){span_of(kept, name.length), properties};
}

static void report_return(struct forwarder *forwarder)
{
    const struct authd *authd = forwarder->authd;
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    if (forwarder->has_reported)
        log_event(&context, LOG_LEVEL_INFO, "auth.database_available",
                  log_text("database", authd->conf->smtpd_sasl_path));
    forwarder->has_reported = false; /* the next trouble is another one */
}

static void on_greeting(struct forwarder *forwarder, const struct dovecot_line *line)
{
    const struct span command = line->words[0];
    uint64_t version;
    if (span_equals(command, SPAN("VERSION"))) {
        if (!number_parse_uint64(dovecot_line_word(line, 1), UINT32_MAX, &version) || version != 1)
            forwarder->has_failed = true;
    } else if (span_equals(command, SPAN("MECH"))) {
        add_mechanism(forwarder, line);
    } else if (span_equals(command, SPAN("DONE"))) {
        forwarder->is_ready = true;
        report_return(forwarder);
        authd_tell_mechanisms(forwarder->authd);
    }
}

/* ---- answers ---- */

static struct pending *find(struct forwarder *forwarder, struct span text)
{
    uint64_t id;
    if (!number_parse_uint64(text, UINT32_MAX, &id))
        return NULL;
    LIST_FOR_EACH (&forwarder->pending, link) {
        struct pending *pending = LIST_ITEM(link, struct pending, link);
        if (pending->id == id)
            return pending;
    }
    return NULL;
}

static void on_line(struct forwarder *forwarder, const struct dovecot_line *line)
{
    struct pending *pending;
    if (!forwarder->is_ready) {
        on_greeting(forwarder, line);
        return;
    }
    const struct span command = line->words[0];
    if (!span_equals(command, SPAN("OK")) && !span_equals(command, SPAN("CONT")) &&
        !span_equals(command, SPAN("FAIL")))
        return; /* of a later version */
    pending = find(forwarder, dovecot_line_word(line, 1));
    if (!pending || pending->is_answered)
        return; /* its client has gone */
    pending->line.count = line->count;
    for (size_t i = 0; i < line->count; i++) {
        pending->line.words[i] = arena_copy(pending->arena, line->words[i]);
        if (!pending->line.words[i].bytes) {
            pending->is_lost = true;
            break;
        }
    }
    pending->is_answered = true;
    task_wake(pending->task);
}

/* ---- the connection ---- */

static void read_lines(struct forwarder *forwarder)
{
    struct dovecot_line *line = malloc(sizeof(*line));
    const int64_t greeting_deadline_ms = clock_deadline_after(GREETING_TIMEOUT_MS);
    while (line && !forwarder->has_failed) {
        size_t consumed = 0;
        const enum parse_result parsed =
            dovecot_line_parse(stream_input(&forwarder->stream), line, &consumed);
        if (parsed == PARSE_OK) {
            on_line(forwarder, line);
            stream_consume(&forwarder->stream, consumed);
        } else if (parsed != PARSE_NEED_MORE ||
                   stream_read(&forwarder->stream,
                               forwarder->is_ready ? CLOCK_NEVER : greeting_deadline_ms) !=
                       STREAM_OK) {
            break;
        }
    }
    free(line);
}

static void say(struct forwarder *forwarder, struct span bytes)
{
    stream_write(&forwarder->stream, bytes);
    stream_write(&forwarder->stream, SPAN("\n"));
    task_wake(forwarder->writer);
}

static void lose_all(struct forwarder *forwarder)
{
    LIST_FOR_EACH (&forwarder->pending, link) {
        struct pending *pending = LIST_ITEM(link, struct pending, link);
        pending->is_answered = pending->is_lost = true;
        task_wake(pending->task);
    }
}

static void report(struct forwarder *forwarder, struct span reason)
{
    const struct authd *authd = forwarder->authd;
    const struct log_context context = {.log = &authd->service->log, .queue_id = span_empty()};
    if (!forwarder->has_reported)
        log_event(&context, LOG_LEVEL_ERROR, "auth.database_unavailable",
                  log_text("database", authd->conf->smtpd_sasl_path), log_text("reason", reason),
                  log_string("effect", "clients are told to try later"),
                  log_string("next", "see that it runs and lets us connect; we try each second"));
    forwarder->has_reported = true;
}

/* One connection, from its beginning to its end. */
static void run_connection(struct forwarder *forwarder)
{
    struct authd *authd = forwarder->authd;
    struct arena arena;
    struct outcome outcome;
    char greeting[64];
    arena_init(&arena, NAMES_MAX_BYTES, 0);
    const int descriptor =
        connect_to_path(&authd->connect, authd->conf->smtpd_sasl_path,
                        clock_deadline_after(CONNECT_TIMEOUT_MS), &arena, &outcome);
    if (descriptor < 0) {
        report(forwarder, outcome.reason);
    } else if (stream_open(&forwarder->stream, authd->service->loop, descriptor) == 0) {
        authd->forwarded_count = 0;
        forwarder->names_length = 0;
        forwarder->is_ready = forwarder->has_failed = false;
        (void)snprintf(greeting, sizeof(greeting), "VERSION\t1\t2\nCPID\t%ld", (long)getpid());
        say(forwarder, span_from_string(greeting));
        read_lines(forwarder);
        report(forwarder, forwarder->is_ready ? SPAN("the server has closed the connection")
                                              : SPAN("the server did not greet"));
        forwarder->is_ready = false;
        forwarder->has_failed = true;
        lose_all(forwarder);
        (void)shutdown(forwarder->stream.descriptor, SHUT_RDWR); /* the writer wakes of it */
        while (forwarder->is_writing)
            task_park_uncancelled();
        stream_close(&forwarder->stream);
    }
    arena_destroy(&arena);
}

static void keep_connected(void *argument)
{
    struct forwarder *forwarder = argument;
    do
        run_connection(forwarder);
    while (task_sleep(PAUSE_MS) != TASK_CANCELLED);
}

static void write_lines(void *argument)
{
    struct forwarder *forwarder = argument;
    for (;;) {
        if (forwarder->has_failed || forwarder->stream.output.length == 0) {
            (void)task_park(CLOCK_NEVER);
            continue;
        }
        forwarder->is_writing = true;
        const enum stream_result result =
            stream_flush(&forwarder->stream, clock_deadline_after(WRITE_TIMEOUT_MS));
        forwarder->is_writing = false;
        if (result != STREAM_OK) {
            forwarder->has_failed = true;
            (void)shutdown(forwarder->stream.descriptor, SHUT_RDWR); /* the reader sees it */
        }
        if (forwarder->has_failed)
            task_wake(forwarder->reader); /* it waits for us */
    }
}

bool forward_start(struct authd *authd)
{
    struct forwarder *forwarder = arena_alloc(&authd->service->arena, sizeof(*forwarder));
    if (!forwarder)
        return false;
    forwarder->authd = authd;
    forwarder->has_failed = true;
    forwarder->stream.descriptor = -1;
    list_init(&forwarder->pending);
    authd->forwarder = forwarder;
    forwarder->writer = task_start(authd->service->loop, "forward writer", write_lines, forwarder);
    forwarder->reader = task_start(authd->service->loop, "forward", keep_connected, forwarder);
    return forwarder->writer && forwarder->reader;
}

/* ---- an exchange ---- */

static void append_response(struct buffer *line, struct span response)
{
    base64_encode(response, line);
}

/* What Postfix says, and what later versions of the protocol have beside. */
static void write_auth(const struct exchange *exchange, uint32_t id, struct buffer *line)
{
    const struct auth_start *start = &exchange->start;
    buffer_append_format(line, "AUTH\t%u", id);
    dovecot_append_word(line, start->mechanism);
    dovecot_append_pair(line, "service", start->service);
    buffer_append_string(line, "\tnologin");
    if (start->server_address.length > 0)
        dovecot_append_pair(line, "lip", start->server_address);
    if (start->client_address.length > 0)
        dovecot_append_pair(line, "rip", start->client_address);
    if (start->server_port)
        buffer_append_format(line, "\tlport=%u", (unsigned)start->server_port);
    if (start->client_port)
        buffer_append_format(line, "\trport=%u", (unsigned)start->client_port);
    if (start->server_name.length > 0)
        dovecot_append_pair(line, "local_name", start->server_name);
    if (start->is_encrypted)
        buffer_append_string(line, "\tsecured");
    if (start->certificate_identity.length > 0) {
        buffer_append_string(line, "\tvalid-client-cert");
        dovecot_append_pair(line, "cert_username", start->certificate_identity);
    }
    if (start->has_initial_response) {
        buffer_append_string(line, "\tresp="); /* it must be the last */
        append_response(line, start->initial_response);
    }
}

/* False: no answer came. */
static bool ask(struct forwarder *forwarder, struct pending *pending, const struct buffer *line)
{
    const int64_t deadline_ms = clock_deadline_after(ANSWER_TIMEOUT_MS);
    enum task_wake wake = TASK_WOKEN;
    if (!buffer_ok(line) || !forwarder->is_ready || forwarder->has_failed)
        return false;
    pending->is_answered = false;
    list_append(&forwarder->pending, &pending->link);
    say(forwarder, buffer_span(line));
    while (!pending->is_answered && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    list_remove(&forwarder->pending, &pending->link);
    return pending->is_answered && !pending->is_lost;
}

static void cancel(struct forwarder *forwarder, uint32_t id)
{
    char line[32];
    (void)snprintf(line, sizeof(line), "CANCEL\t%u", id);
    if (forwarder->is_ready && !forwarder->has_failed)
        say(forwarder, span_from_string(line));
}

static void end_in_failure(struct exchange *exchange, const struct dovecot_line *line)
{
    struct span user;
    if (dovecot_line_find(line, 2, "user", &user)) {
        user = dovecot_unescape(user, &exchange->arena);
        exchange->user = user.bytes ? user : span_empty();
    }
    if (dovecot_line_find(line, 2, "temp", NULL))
        exchange_put_off(exchange, "the other server says: try later");
    else if (dovecot_line_find(line, 2, "authz", NULL))
        exchange_fail(exchange, AUTH_FAILURE_AUTHORIZATION, "the other server says: not permitted");
    else if (dovecot_line_find(line, 2, "user_disabled", NULL))
        exchange_fail(exchange, AUTH_FAILURE_DISABLED, "the other server says: account closed");
    else if (dovecot_line_find(line, 2, "pass_expired", NULL))
        exchange_fail(exchange, AUTH_FAILURE_EXPIRED, "the other server says: expired");
    else
        exchange_fail(exchange, AUTH_FAILURE_CREDENTIALS, "the other server says: no");
}

static void end_in_success(struct exchange *exchange, const struct dovecot_line *line)
{
    struct span user;
    if (!dovecot_line_find(line, 2, "user", &user) ||
        !(user = dovecot_unescape(user, &exchange->arena)).bytes || user.length == 0) {
        exchange_put_off(exchange, "the other server does not say who it is");
        return;
    }
    exchange->user = user;
    exchange_succeed(exchange, user, NULL);
}

void forward_converse(struct exchange *exchange)
{
    struct forwarder *forwarder = exchange->authd->forwarder;
    struct pending *pending = arena_alloc(&exchange->arena, sizeof(*pending));
    struct buffer line, decoded;
    if (!pending) {
        exchange_put_off(exchange, "memory is out");
        return;
    }
    pending->task = task_current();
    pending->arena = &exchange->arena;
    pending->id = ++forwarder->last_id;
    buffer_init(&line, &exchange->arena, 2 * DOVECOT_LINE_MAX_BYTES);
    write_auth(exchange, pending->id, &line);
    for (;;) {
        if (!ask(forwarder, pending, &line)) {
            exchange_put_off(exchange, "the other server cannot be asked");
            return;
        }
        const struct dovecot_line *answer = &pending->line;
        if (span_equals(answer->words[0], SPAN("OK"))) {
            end_in_success(exchange, answer);
            return;
        }
        if (span_equals(answer->words[0], SPAN("FAIL"))) {
            end_in_failure(exchange, answer);
            return;
        }
        buffer_init(&decoded, &exchange->arena, SECRET_MAX_BYTES);
        if (base64_decode(dovecot_line_word(answer, 2), &decoded) != PARSE_OK) {
            cancel(forwarder, pending->id);
            exchange_put_off(exchange, "the other server's challenge is no base64");
            return;
        }
        if (!exchange_challenge(exchange, buffer_span(&decoded))) {
            cancel(forwarder, pending->id);
            exchange_fail(exchange, AUTH_FAILURE_CANCELLED, "cancelled");
            return;
        }
        buffer_reset(&line);
        buffer_append_format(&line, "CONT\t%u\t", pending->id);
        append_response(&line, exchange->response);
    }
}
