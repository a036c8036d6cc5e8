/* smtp/connection - see connection.h. */
#include "connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "system/task.h"

enum {
    COMMAND_MAX_BYTES = 2048,
    TEXT_MAX_BYTES = 1900 /* of a reason, within the schema's limit */
};

/* Postfix's words: "while ..." and "in reply to ...". */
static const struct {
    const char *doing;
    const char *request;
} stages[] = {
    [STAGE_GREETING] = {"receiving the initial server greeting", "initial server greeting"},
    [STAGE_EHLO] = {"performing the EHLO handshake", "EHLO command"},
    [STAGE_HELO] = {"performing the HELO handshake", "HELO command"},
    [STAGE_MAIL] = {"sending MAIL FROM", "MAIL FROM command"},
    [STAGE_RCPT] = {"sending RCPT TO", "RCPT TO command"},
    [STAGE_DATA] = {"sending DATA command", "DATA command"},
    [STAGE_CONTENT] = {"sending message body", "DATA command"},
    [STAGE_END_OF_DATA] = {"sending end of data -- message may be sent more than once",
                           "end of DATA command"},
    [STAGE_RSET] = {"sending RSET", "RSET command"},
    [STAGE_QUIT] = {"sending QUIT", "QUIT command"},
};

static int64_t stage_deadline(const struct connection *connection, enum connection_stage stage)
{
    const struct conf_smtp *settings = connection->settings;
    switch (stage) {
    case STAGE_GREETING:
    case STAGE_EHLO:
    case STAGE_HELO:
        return clock_deadline_after(settings->smtp_helo_timeout_ms);
    case STAGE_MAIL:
        return clock_deadline_after(settings->smtp_mail_timeout_ms);
    case STAGE_RCPT:
        return clock_deadline_after(settings->smtp_rcpt_timeout_ms);
    case STAGE_DATA:
        return clock_deadline_after(settings->smtp_data_init_timeout_ms);
    case STAGE_CONTENT:
        return clock_deadline_after(settings->smtp_data_xfer_timeout_ms);
    case STAGE_END_OF_DATA:
        return clock_deadline_after(settings->smtp_data_done_timeout_ms);
    case STAGE_RSET:
        return clock_deadline_after(settings->smtp_rset_timeout_ms);
    case STAGE_QUIT:
        break;
    }
    return clock_deadline_after(settings->smtp_quit_timeout_ms);
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
                            stages[stage].doing);
    else if (result == STREAM_FULL)
        text = arena_format(arena, "host %s sent a reply without end while %s", connection->label,
                            stages[stage].doing);
    else if (result == STREAM_CANCELLED)
        text = arena_format(arena, "delivery was stopped while %s", stages[stage].doing);
    else
        text = arena_format(arena, "lost connection with %s while %s", connection->label,
                            stages[stage].doing);
    *failure = failure_to_reach(true, 2, text);
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
    const bool is_welcome = stage == STAGE_GREETING || stage == STAGE_EHLO || stage == STAGE_HELO;
    failure.outcome.reason = text_or_literal(
        is_welcome ? arena_format(arena, "host %s refused to talk to me: %.*s", connection->label,
                                  SPAN_PRINTF(failure.diagnostic))
                   : arena_format(arena, "host %s said: %.*s (in reply to %s)", connection->label,
                                  SPAN_PRINTF(failure.diagnostic), stages[stage].request));
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
}

bool connection_flush(struct connection *connection, enum connection_stage stage,
                      struct arena *arena, struct failure *failure)
{
    const enum stream_result result =
        stream_flush(&connection->stream, stage_deadline(connection, stage));
    if (result == STREAM_OK)
        return true;
    lose(connection, result, stage, arena, failure);
    return false;
}

bool connection_read_reply(struct connection *connection, enum connection_stage stage,
                           struct smtp_reply *reply, struct arena *arena, struct failure *failure)
{
    const int64_t deadline_ms = stage_deadline(connection, stage);
    for (;;) {
        size_t consumed;
        struct smtp_reply parsed;
        arena_reset(&connection->reply_arena);
        switch (smtp_reply_parse(stream_input(&connection->stream), true, &connection->reply_arena,
                                 &parsed, &consumed)) {
        case PARSE_OK:
            parsed.lines = arena_copy(&connection->reply_arena, parsed.lines);
            stream_consume(&connection->stream, consumed);
            if (!parsed.lines.bytes)
                parsed.lines = span_empty();
            *reply = parsed;
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
                arena_format(arena, "host %s sent something that is no SMTP reply while %s",
                             connection->label, stages[stage].doing));
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

bool connection_is_quiet(const struct connection *connection)
{
    return connection->is_usable && span_is_empty(stream_input(&connection->stream)) &&
           !connection->stream.watch.is_readable && !connection->stream.watch.has_hung_up;
}

void connection_reset(struct connection *connection)
{
    struct arena arena;
    struct failure failure;
    struct smtp_reply reply;
    if (!connection->needs_reset || !connection->is_usable)
        return;
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
        const enum stream_result result =
            stream_connect(&connection->stream, connection->loop, (const struct sockaddr *)&address,
                           length, (const struct sockaddr *)&source, source_length, deadline_ms);
        if (result != STREAM_FAILED || settings->smtp_bind_address_enforce ||
            !is_source_refused(connection->stream.error))
            return result;
    }
    return stream_connect(&connection->stream, connection->loop, (const struct sockaddr *)&address,
                          length, NULL, 0, deadline_ms);
}

static bool read_greeting(struct connection *connection, bool *says_esmtp, struct arena *arena,
                          struct failure *failure)
{
    struct smtp_reply reply;
    if (!connection_read_reply(connection, STAGE_GREETING, &reply, arena, failure))
        return false;
    *says_esmtp = span_find(reply.text, SPAN("ESMTP")) < reply.text.length;
    if (reply.code / 100 == 2)
        return true;
    *failure = connection_refusal(connection, STAGE_GREETING, &reply, arena);
    if (connection->settings->smtp_skip_5xx_greeting &&
        failure->outcome.kind == OUTCOME_PERMANENT) {
        failure->outcome.kind = OUTCOME_TEMPORARY; /* another host may be kinder */
        failure->outcome.status.class = 4;
    }
    return false;
}

/* Keywords that the operator does not trust, and those whose use was forbidden. */
static void discard_extensions(struct connection *connection)
{
    const struct {
        const char *keyword;
        bool *flag;
    } known[] = {
        {"pipelining", &connection->extensions.has_pipelining},
        {"size", &connection->extensions.has_size},
        {"8bitmime", &connection->extensions.has_8bitmime},
        {"dsn", &connection->extensions.has_dsn},
        {"smtputf8", &connection->extensions.has_smtputf8},
        {"chunking", &connection->extensions.has_chunking},
        {"starttls", &connection->extensions.has_starttls},
        {"auth", &connection->extensions.has_auth},
    };
    struct span rest = connection->settings->smtp_discard_ehlo_keywords, word;
    while (span_next_word(&rest, ", \t\r\n", &word))
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            if (span_equals_ascii_nocase(word, span_from_string(known[i].keyword)))
                *known[i].flag = false;
}

/* False when the connection is lost or refused; else *is_accepted. */
static bool say_hello(struct connection *connection, enum connection_stage stage, bool *is_accepted,
                      struct arena *arena, struct failure *failure)
{
    struct smtp_reply reply;
    connection_write(connection, "%s %.*s\r\n", stage == STAGE_EHLO ? "EHLO" : "HELO",
                     SPAN_PRINTF(connection->settings->smtp_helo_name));
    if (!connection_flush(connection, stage, arena, failure) ||
        !connection_read_reply(connection, stage, &reply, arena, failure))
        return false;
    *is_accepted = reply.code / 100 == 2;
    if (*is_accepted && stage == STAGE_EHLO) {
        smtp_extensions_parse(&reply, &connection->extensions);
        connection->extensions.auth_mechanisms = connection->extensions.server_name = span_empty();
        discard_extensions(connection);
    }
    if (!*is_accepted)
        *failure = connection_refusal(connection, stage, &reply, arena);
    return *is_accepted || connection->is_usable;
}

/* RFC 5321 section 3.2: a server that refuses EHLO gets HELO. */
static bool introduce(struct connection *connection, struct arena *arena, struct failure *failure)
{
    const struct conf_smtp *settings = connection->settings;
    bool is_accepted = false, says_esmtp = false;
    if (!read_greeting(connection, &says_esmtp, arena, failure))
        return false;
    if (!settings->smtp_never_send_ehlo && (settings->smtp_always_send_ehlo || says_esmtp) &&
        !say_hello(connection, STAGE_EHLO, &is_accepted, arena, failure))
        return false;
    if (!is_accepted && !say_hello(connection, STAGE_HELO, &is_accepted, arena, failure))
        return false;
    return is_accepted;
}

static void destroy(struct connection **connection_pointer)
{
    struct connection *connection = *connection_pointer;
    stream_close(&connection->stream);
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
    (void)snprintf(text, CONNECTION_LABEL_MAX_BYTES, "%.*s[%.*s]:%u", SPAN_PRINTF(target->host),
                   SPAN_PRINTF(address), (unsigned)target->port);
}

static void set_labels(struct connection *connection, const struct plan_target *target)
{
    connection_format_relay(target, connection->relay);
    (void)snprintf(connection->label, sizeof(connection->label), "%.*s",
                   (int)(strrchr(connection->relay, ':') - connection->relay), connection->relay);
}

struct connection *connection_open(struct loop *loop, const struct conf_smtp *settings,
                                   const struct plan_target *target, struct arena *arena,
                                   struct failure *failure)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) {
        *failure = failure_to_reach(false, 0, SPAN("out of memory"));
        return NULL;
    }
    connection->loop = loop;
    connection->settings = settings;
    connection->stream.descriptor = -1;
    connection->is_usable = true;
    connection->opened_ms = clock_monotonic_ms();
    arena_init(&connection->arena, CONNECTION_ARENA_BYTES, 0);
    arena_init(&connection->reply_arena, CONNECTION_REPLY_ARENA_BYTES, 0);
    connection->host = arena_copy(&connection->arena, target->host);
    connection->address = target->address;
    connection->port = target->port;
    set_labels(connection, target);
    const enum stream_result result = connect_to(connection, target);
    if (result != STREAM_OK) {
        const int error = result == STREAM_TIMED_OUT ? ETIMEDOUT : connection->stream.error;
        *failure = failure_to_reach(
            false, 1,
            result == STREAM_CANCELLED
                ? SPAN("delivery was stopped while connecting")
                : arena_format(arena, "connect to %s: %s", connection->relay, strerror(error)));
        destroy(&connection);
    } else if (!introduce(connection, arena, failure)) {
        connection_close(&connection);
    }
    return connection;
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
