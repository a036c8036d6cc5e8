/* smtp/connection - see connection.h. */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "greeting.h"
#include "notice.h"
#include "system/task.h"

enum {
    COMMAND_MAX_BYTES = 2048,
    FILTERED_MAX_BYTES = 65536,      /* no reply that is taken is longer */
    PASSED_OVER_MAX_BYTES = 1 << 18, /* of one reply: who says more than that does not end */
    NONSENSE_MAX_BYTES = 100,        /* of it is shown */
    TEXT_MAX_BYTES = 1900,           /* of a reason, within the schema's limit */
    /* A server on this machine takes a connection at once or is in trouble. */
    LOCAL_CONNECT_TIMEOUT_MS = 30000
};

static int64_t stage_deadline(const struct connection *connection, enum connection_stage stage)
{
    return clock_deadline_after(stage_timeout_ms(connection->settings, stage));
}

/* ---- failures in words ---- */

static struct span text_or_literal(struct span text)
{
    return text.bytes ? span_first(text, TEXT_MAX_BYTES) : SPAN("out of memory");
}

/* RFC 3463: X.4.1 no answer from host, X.4.2 bad connection. */
static struct failure failure_to_reach(bool is_connected, uint16_t detail, struct span text)
{
    return (struct failure){
        .outcome = outcome_make(OUTCOME_TEMPORARY, 0, 4, detail, text_or_literal(text)),
        .diagnostic = span_empty(),
        .is_connected = is_connected};
}

static void lose(struct connection *connection, enum stream_result result,
                 enum connection_stage stage, struct arena *arena, struct failure *failure)
{
    struct span text;
    connection->is_usable = false;
    if (result == STREAM_TIMED_OUT)
        text = arena_format(arena, "conversation with %s timed out while %s", connection->label,
                            stage_doing(stage));
    else if (result == STREAM_FULL)
        text = arena_format(arena, "host %s sent a reply without end while %s", connection->label,
                            stage_doing(stage));
    else if (result == STREAM_CANCELLED)
        text = arena_format(arena, "delivery was stopped while %s", stage_doing(stage));
    else
        text = arena_format(arena, "lost connection with %s while %s", connection->label,
                            stage_doing(stage));
    *failure = failure_to_reach(true, 2, text);
    /* Some firewalls let the handshake pass and nothing behind it. */
    failure->may_go_plain = connection->tls && connection->is_tls_optional;
}

struct span connection_reply_text(const struct smtp_reply *reply, struct arena *arena)
{
    struct buffer text;
    struct span rest = reply->lines, line;
    buffer_init(&text, arena, TEXT_MAX_BYTES);
    while (!span_is_empty(rest)) {
        (void)span_split_once(rest, '\n', &line, &rest);
        if (line.length > 0 && line.bytes[line.length - 1] == '\r')
            line = span_first(line, line.length - 1);
        if (text.length > 0)
            buffer_append_byte(&text, ' ');
        buffer_append_span(&text, span_first(line, TEXT_MAX_BYTES - 1 - text.length));
        if (text.length >= TEXT_MAX_BYTES - 1)
            break;
    }
    return buffer_ok(&text) ? buffer_span(&text) : SPAN("(no room for the reply)");
}

struct failure connection_refusal(struct connection *connection, enum connection_stage stage,
                                  const struct smtp_reply *reply, struct arena *arena)
{
    struct failure failure = {.outcome = smtp_reply_outcome(reply), .is_connected = true};
    /* RFC 5321 section 3.8: the server closes after this. */
    if (reply->code == 421)
        connection->is_usable = false;
    /* A reply that makes no sense here is not the recipient's fault. */
    if (outcome_is_ok(&failure.outcome))
        failure.outcome = outcome_make(OUTCOME_TEMPORARY, reply->code, 5, 0, span_empty());
    failure.diagnostic = connection_reply_text(reply, arena);
    failure.outcome.reason = text_or_literal(
        stage_is_welcome(stage)
            ? arena_format(arena, "host %s refused to talk to me: %.*s", connection->label,
                           SPAN_PRINTF(failure.diagnostic))
            : arena_format(arena, "host %s said: %.*s (in reply to %s)", connection->label,
                           SPAN_PRINTF(failure.diagnostic), stage_request(stage)));
    return failure;
}

/* ---- reading and writing ---- */

void connection_write(struct connection *connection, const char *format, ...)
{
    char line[COMMAND_MAX_BYTES];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    ASSERT(length >= 0 && (size_t)length < sizeof(line)); /* addresses are shorter */
    stream_write(&connection->stream, span_of(line, (size_t)length));
    notice_add_command(connection, span_of(line, (size_t)length));
}

/* A slow reader is waited for as long as it reads at all; or, with smtp_per_request_deadline, as
 * long as it keeps up the rate asked for. */
static enum stream_result flush_content(struct connection *connection)
{
    const struct conf_smtp *settings = connection->settings;
    const int64_t timeout_ms = settings->smtp_data_xfer_timeout_ms;
    int64_t left_ms = timeout_ms;
    for (;;) {
        const size_t waiting = connection->stream.output.length;
        const int64_t began_ms = clock_monotonic_ms();
        const enum stream_result result =
            stream_flush(&connection->stream, clock_deadline_after(left_ms));
        const size_t sent = waiting - connection->stream.output.length;
        if (result != STREAM_TIMED_OUT || sent == 0)
            return result;
        left_ms = timeout_ms;
        if (settings->smtp_per_request_deadline) {
            const int64_t earned_ms = (int64_t)sent * 1000 / settings->smtp_min_data_rate;
            left_ms -= clock_monotonic_ms() - began_ms;
            left_ms = left_ms + earned_ms < timeout_ms ? left_ms + earned_ms : timeout_ms;
        }
        if (left_ms <= 0)
            return result;
    }
}

bool connection_flush(struct connection *connection, enum connection_stage stage,
                      struct arena *arena, struct failure *failure)
{
    const enum stream_result result =
        stage == STAGE_CONTENT
            ? flush_content(connection)
            : stream_flush(&connection->stream, stage_deadline(connection, stage));
    if (result == STREAM_OK)
        return true;
    lose(connection, result, stage, arena, failure);
    return false;
}

/* What the server says goes into logs and reports, and to other processes. */
static struct span copy_clean(struct arena *arena, struct span text)
{
    uint8_t *copy = arena_alloc(arena, text.length);
    if (!copy)
        return span_empty();
    for (size_t i = 0; i < text.length; i++) {
        const bool is_control =
            (text.bytes[i] < ' ' && !span_byte_is_one_of(text, i, "\r\n\t", 3)) ||
            text.bytes[i] == 0x7f;
        copy[i] = is_control ? '?' : text.bytes[i];
    }
    return span_of(copy, text.length);
}

static enum parse_result parse_reply(struct connection *connection, struct span input,
                                     struct smtp_reply *reply, size_t *consumed)
{
    arena_reset(&connection->reply_arena);
    const enum parse_result result =
        smtp_reply_parse(input, true, &connection->reply_arena, reply, consumed);
    if (result != PARSE_OK)
        return result;
    reply->lines = copy_clean(&connection->reply_arena, reply->lines);
    return PARSE_OK;
}

/* smtp_reply_filter: what the tables have in place of a line takes part instead. */
static enum parse_result filter_line(struct connection *connection, struct span line,
                                     struct buffer *filtered)
{
    struct buffer value;
    if (line.length && line.bytes[line.length - 1] == '\r')
        line = span_first(line, line.length - 1);
    buffer_init(&value, NULL, FILTERED_MAX_BYTES);
    const enum table_result result =
        tables_find(connection->context->tables, TABLES_REPLIES, line, &value);
    buffer_append_span(filtered, result == TABLE_FOUND ? buffer_span(&value) : line);
    buffer_append_string(filtered, "\r\n");
    buffer_release(&value);
    return result == TABLE_ERROR  ? PARSE_MALFORMED
           : !buffer_ok(filtered) ? PARSE_TOO_LONG
                                  : PARSE_OK;
}

/* Line by line: only what stands in its place says whether a line is the last one. */
static enum parse_result parse_filtered_reply(struct connection *connection,
                                              struct buffer *filtered, struct smtp_reply *reply)
{
    for (;;) {
        const struct span input = stream_input(&connection->stream);
        const size_t length = span_find_byte(input, '\n');
        size_t consumed;
        if (length == input.length)
            return PARSE_NEED_MORE;
        enum parse_result result = filter_line(connection, span_first(input, length), filtered);
        stream_consume(&connection->stream, length + 1);
        if (result == PARSE_OK)
            result = parse_reply(connection, buffer_span(filtered), reply, &consumed);
        if (result != PARSE_NEED_MORE)
            return result;
    }
}

static enum parse_result parse_plain_reply(struct connection *connection, struct smtp_reply *reply)
{
    size_t consumed;
    const enum parse_result result =
        parse_reply(connection, stream_input(&connection->stream), reply, &consumed);
    if (result == PARSE_OK)
        stream_consume(&connection->stream, consumed);
    return result;
}

static struct span first_line_of(struct connection *connection, struct arena *arena)
{
    struct span line = stream_input(&connection->stream);
    line = span_first(line, span_find_byte(line, '\n'));
    line = span_first(line, span_find_byte(line, '\r'));
    return copy_clean(arena, span_first(line, NONSENSE_MAX_BYTES));
}

/* The first lines of a reply that has very many: to give up for them might be to send a message
 * again that the server has taken, and the last line decides (RFC 5321 section 4.2.1). */
static size_t pass_over_lines(struct connection *connection)
{
    size_t count = 0, length;
    while (stream_input(&connection->stream).length > SMTP_REPLY_READ_MAX_BYTES / 2 &&
           smtp_reply_is_continued(stream_input(&connection->stream), &length)) {
        stream_consume(&connection->stream, length);
        count += length;
    }
    return count;
}

/* A line that belongs to no reply, told once. Only in the place of a greeting does it say that this
 * is no mail server. */
static size_t pass_over_noise(struct connection *connection, enum connection_stage stage,
                              bool is_first, struct arena *arena)
{
    size_t length;
    if (stage == STAGE_GREETING || !smtp_reply_is_noise(stream_input(&connection->stream), &length))
        return 0;
    if (is_first)
        maillog_text(connection->context->log, LOG_LEVEL_WARNING, span_empty(),
                     "non-%s response from %s: %.*s",
                     connection->context->speaks_lmtp ? "LMTP" : "ESMTP", connection->relay,
                     SPAN_PRINTF(first_line_of(connection, arena)));
    stream_consume(&connection->stream, length);
    return length;
}

static enum parse_result parse_any_reply(struct connection *connection, enum connection_stage stage,
                                         size_t *passed_over_bytes, struct smtp_reply *reply,
                                         struct arena *arena)
{
    for (;;) {
        const enum parse_result result = parse_plain_reply(connection, reply);
        const size_t count =
            result == PARSE_TOO_LONG ? pass_over_lines(connection)
            : result == PARSE_MALFORMED
                ? pass_over_noise(connection, stage, *passed_over_bytes == 0, arena)
                : 0;
        *passed_over_bytes += count;
        if (count == 0)
            return result;
        if (*passed_over_bytes > PASSED_OVER_MAX_BYTES)
            return PARSE_TOO_LONG;
    }
}

static bool read_reply(struct connection *connection, enum connection_stage stage,
                       struct buffer *filtered, struct smtp_reply *reply, struct arena *arena,
                       struct failure *failure)
{
    const int64_t deadline_ms = stage_deadline(connection, stage);
    size_t passed_over_bytes = 0;
    for (;;) {
        switch (connection->context->tables->lists[TABLES_REPLIES]
                    ? parse_filtered_reply(connection, filtered, reply)
                    : parse_any_reply(connection, stage, &passed_over_bytes, reply, arena)) {
        case PARSE_OK:
            notice_add_reply(connection, reply);
            return true;
        case PARSE_NEED_MORE:
            break;
        case PARSE_TOO_LONG:
            lose(connection, STREAM_FULL, stage, arena, failure);
            return false;
        case PARSE_MALFORMED:
            connection->is_usable = false;
            /* RFC 3463: X.5.0, a protocol error. */
            *failure = failure_to_reach(
                true, 0,
                arena_format(arena, "host %s sent something that is no SMTP reply while %s: %.*s",
                             connection->label, stage_doing(stage),
                             SPAN_PRINTF(first_line_of(connection, arena))));
            failure->outcome.status.subject = 5;
            return false;
        }
        const enum stream_result result = stream_read(&connection->stream, deadline_ms);
        if (result != STREAM_OK) {
            lose(connection, result, stage, arena, failure);
            return false;
        }
    }
}

bool connection_read_reply(struct connection *connection, enum connection_stage stage,
                           struct smtp_reply *reply, struct arena *arena, struct failure *failure)
{
    struct buffer filtered;
    buffer_init(&filtered, NULL, FILTERED_MAX_BYTES);
    const bool is_read = read_reply(connection, stage, &filtered, reply, arena, failure);
    buffer_release(&filtered);
    return is_read;
}

bool connection_has_reply(struct connection *connection)
{
    struct smtp_reply reply;
    size_t consumed;
    return parse_reply(connection, stream_input(&connection->stream), &reply, &consumed) ==
           PARSE_OK;
}

bool connection_is_quiet(struct connection *connection)
{
    return connection->is_usable && stream_is_quiet(&connection->stream);
}

void connection_reset(struct connection *connection)
{
    struct arena arena;
    struct failure failure;
    struct smtp_reply reply;
    if (!connection->needs_reset || !connection->is_usable)
        return;
    if (!connection_is_quiet(connection)) { /* its answer would be another's */
        connection->is_usable = false;
        return;
    }
    arena_init(&arena, CONNECTION_ARENA_BYTES, 0);
    connection_write(connection, "RSET\r\n");
    connection->is_usable =
        connection_flush(connection, STAGE_RSET, &arena, &failure) &&
        connection_read_reply(connection, STAGE_RSET, &reply, &arena, &failure) &&
        reply.code == 250;
    connection->needs_reset = false;
    arena_destroy(&arena);
}

/* ---- the beginning ---- */

static socklen_t socket_address(const struct ip_address *address, uint16_t port,
                                struct sockaddr_storage *storage)
{
    *storage = (struct sockaddr_storage){0};
    if (address->family == IP_FAMILY_4) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(port);
        memcpy(&ipv4->sin_addr, address->bytes, 4);
        return sizeof(*ipv4);
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(port);
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return sizeof(*ipv6);
}

static bool is_source_refused(int error)
{
    return error == EADDRNOTAVAIL || error == EADDRINUSE || error == EACCES;
}

static enum stream_result connect_to(struct connection *connection,
                                     const struct plan_target *target)
{
    const struct conf_smtp *settings = connection->settings;
    const int64_t deadline_ms = settings->smtp_connect_timeout_ms > 0
                                    ? clock_deadline_after(settings->smtp_connect_timeout_ms)
                                    : CLOCK_NEVER;
    const struct span source_text = target->address.family == IP_FAMILY_4
                                        ? settings->smtp_bind_address
                                        : settings->smtp_bind_address6;
    struct sockaddr_storage address, source;
    struct ip_address source_address;
    const socklen_t length = socket_address(&target->address, target->port, &address);
    if (ip_address_parse(source_text, &source_address) &&
        source_address.family == target->address.family) {
        const socklen_t source_length = socket_address(&source_address, 0, &source);
        const enum stream_result result = stream_connect(
            &connection->stream, connection->context->loop, (const struct sockaddr *)&address,
            length, (const struct sockaddr *)&source, source_length, deadline_ms);
        if (result != STREAM_FAILED || !is_source_refused(connection->stream.error))
            return result;
        maillog_text(connection->context->log, LOG_LEVEL_WARNING, span_empty(),
                     "smtp_connect_addr: bind %.*s: %s", SPAN_PRINTF(source_text),
                     strerror(connection->stream.error));
        if (settings->smtp_bind_address_enforce)
            return result;
    }
    return stream_connect(&connection->stream, connection->context->loop,
                          (const struct sockaddr *)&address, length, NULL, 0, deadline_ms);
}

static void destroy(struct connection **connection_pointer)
{
    struct connection *connection = *connection_pointer;
    notice_finish(connection);
    stream_close(&connection->stream);
    if (connection->tls)
        tls_peer_release(connection->tls);
    arena_destroy(&connection->arena);
    arena_destroy(&connection->reply_arena);
    free(connection->destination);
    free(connection);
    *connection_pointer = NULL;
}

void connection_format_relay(const struct plan_target *target,
                             char text[CONNECTION_LABEL_MAX_BYTES])
{
    char address_text[IP_ADDRESS_TEXT_MAX_BYTES];
    const struct span address = ip_address_format(&target->address, address_text);
    if (!span_is_empty(target->path))
        (void)snprintf(text, CONNECTION_LABEL_MAX_BYTES, "%.*s[%.*s]", SPAN_PRINTF(target->host),
                       SPAN_PRINTF(target->path));
    else
        (void)snprintf(text, CONNECTION_LABEL_MAX_BYTES, "%.*s[%.*s]:%u", SPAN_PRINTF(target->host),
                       SPAN_PRINTF(address), (unsigned)target->port);
}

static void set_labels(struct connection *connection, const struct plan_target *target)
{
    connection_format_relay(target, connection->relay);
    const char *port = span_is_empty(target->path) ? strrchr(connection->relay, ':') : NULL;
    const size_t length = port ? (size_t)(port - connection->relay) : strlen(connection->relay);
    memcpy(connection->label, connection->relay, length);
    connection->label[length] = '\0';
}

/* What cannot be found out stays unknown. */
static struct ip_address local_address(int descriptor)
{
    struct sockaddr_storage storage;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    socklen_t length = sizeof(storage);
    memset(&storage, 0, sizeof(storage));
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0)
        return (struct ip_address){.family = IP_FAMILY_NONE};
    if (storage.ss_family == AF_INET) {
        memcpy(&ipv4, &storage, sizeof(ipv4));
        return ip_address_from_bytes(IP_FAMILY_4, (const uint8_t *)&ipv4.sin_addr);
    }
    memcpy(&ipv6, &storage, sizeof(ipv6));
    return ip_address_from_bytes(IP_FAMILY_6, ipv6.sin6_addr.s6_addr);
}

/* False with *failure filled. */
static bool connect_socket(struct connection *connection, const struct plan_target *target,
                           struct arena *arena, struct failure *failure)
{
    const enum stream_result result = connect_to(connection, target);
    if (result == STREAM_OK) {
        connection->local_address = local_address(connection->stream.descriptor);
        return true;
    }
    const int error = result == STREAM_TIMED_OUT ? ETIMEDOUT : connection->stream.error;
    *failure = failure_to_reach(
        false, 1,
        result == STREAM_CANCELLED
            ? SPAN("delivery was stopped while connecting")
            : arena_format(arena, "connect to %s: %s", connection->relay, strerror(error)));
    return false;
}

static bool connect_path(struct connection *connection, const struct plan_target *target,
                         struct arena *arena, struct failure *failure)
{
    const struct connection_context *context = connection->context;
    const int64_t timeout_ms = connection->settings->smtp_connect_timeout_ms > 0
                                   ? connection->settings->smtp_connect_timeout_ms
                                   : LOCAL_CONNECT_TIMEOUT_MS;
    struct outcome outcome;
    const int descriptor = connect_to_path(context->connector, target->path,
                                           clock_deadline_after(timeout_ms), arena, &outcome);
    if (descriptor >= 0 && stream_open(&connection->stream, context->loop, descriptor) == 0)
        return true;
    if (descriptor >= 0)
        outcome = outcome_temporary(0, 4, 1, "out of memory");
    *failure = failure_to_reach(
        false, outcome.status.detail,
        arena_format(arena, "connect to %s: %.*s", connection->relay, SPAN_PRINTF(outcome.reason)));
    failure->outcome.status = outcome.status;
    return false;
}

struct connection *connection_open(const struct connection_context *context,
                                   const struct plan_target *target,
                                   const struct protection *protection, struct arena *arena,
                                   struct failure *failure)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        *failure = failure_to_reach(false, 0, SPAN("out of memory"));
        return NULL;
    }
    connection->context = context;
    connection->settings = context->settings;
    connection->protection = protection;
    connection->allows_reuse = protection->allows_reuse;
    connection->is_tls_optional = protection->wish.level == TLS_LEVEL_MAY;
    memcpy(connection->wish_digest, protection->digest, sizeof(connection->wish_digest));
    memcpy(connection->rules_digest, protection->rules_digest, sizeof(connection->rules_digest));
    connection->stream.descriptor = -1;
    connection->is_usable = true;
    list_init(&connection->domains);
    connection->opened_ms = clock_monotonic_ms();
    arena_init(&connection->arena, CONNECTION_ARENA_BYTES, 0);
    arena_init(&connection->reply_arena, CONNECTION_REPLY_ARENA_BYTES, 0);
    connection->host = arena_copy(&connection->arena, target->host);
    connection->path =
        span_is_empty(target->path) ? span_empty() : arena_copy(&connection->arena, target->path);
    connection->address = target->address;
    connection->port = target->port;
    connection->may_not_be_self = target->may_not_be_self;
    set_labels(connection, target);
    if (!(span_is_empty(target->path) ? connect_socket : connect_path)(connection, target, arena,
                                                                       failure)) {
        destroy(&connection);
    } else if (!greeting_exchange(connection, arena, failure)) {
        failure->local_address = connection->local_address;
        failure->server_name = arena_copy(arena, connection->extensions.server_name);
        connection_close(&connection);
    }
    if (connection)
        connection->protection = NULL; /* it is the caller's */
    return connection;
}

bool connection_is_to(const struct connection *connection, const struct plan_target *target)
{
    const struct plan_target own = {
        .address = connection->address, .port = connection->port, .path = connection->path};
    return plan_target_equals(&own, target);
}

/* ---- the end ---- */

void connection_close(struct connection **connection)
{
    struct arena arena;
    struct failure failure;
    struct smtp_reply reply;
    if (!*connection)
        return;
    if ((*connection)->is_usable) {
        arena_init(&arena, CONNECTION_ARENA_BYTES, 0);
        connection_write(*connection, "QUIT\r\n");
        if (connection_flush(*connection, STAGE_QUIT, &arena, &failure) &&
            !(*connection)->settings->smtp_skip_quit_response)
            (void)!connection_read_reply(*connection, STAGE_QUIT, &reply, &arena, &failure);
        arena_destroy(&arena);
    }
    destroy(connection);
}

void connection_abort(struct connection **connection)
{
    if (*connection)
        destroy(connection);
}
