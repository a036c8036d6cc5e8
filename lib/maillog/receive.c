/* maillog/receive - see receive.h. */
#include "maillog/receive.h"

#include "maillog/delivery.h" /* maillog_put_delay() */
#include "smtp/header.h"

enum { MESSAGE_ID_MAX_BYTES = 1024 };

enum { TEXT_MAX_BYTES = 100, LONG_REQUEST_BYTES = 30 };

void maillog_connect(struct maillog *log, const struct log_peer *peer)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(line, "connect from ");
    maillog_put_peer(line, peer);
    maillog_end(log);
}

enum { AUTH_TEXT_MAX_BYTES = 100 };

static void put_count(struct buffer *line, const char *name, unsigned accepted, unsigned total)
{
    if (accepted == total && total > 0) /* no command at all is "commands=0/0" */
        buffer_append_format(line, " %s=%u", name, total);
    else
        buffer_append_format(line, " %s=%u/%u", name, accepted, total);
}

void maillog_disconnect(struct maillog *log, const struct log_peer *peer,
                        const struct log_command_count *counts, size_t count_count,
                        const char *notes)
{
    unsigned accepted = 0, total = 0;
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(line, "disconnect from ");
    maillog_put_peer(line, peer);
    for (size_t i = 0; i < count_count; i++) {
        if (counts[i].total == 0)
            continue;
        put_count(line, counts[i].name, counts[i].accepted, counts[i].total);
        accepted += counts[i].accepted;
        total += counts[i].total;
    }
    put_count(line, "commands", accepted, total);
    if (notes)
        buffer_append_format(line, " notes=%s", notes);
    maillog_end(log);
}

static void put_field(struct buffer *line, const char *before, struct span value)
{
    if (span_is_empty(value))
        return;
    buffer_append_string(line, before);
    buffer_append_span(line, value);
}

void maillog_client(struct maillog *log, struct span queue_id, const struct log_peer *peer,
                    const struct log_sasl *sasl, const struct log_origin *origin)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    buffer_append_string(line, "client=");
    maillog_put_peer(line, peer);
    if (sasl) {
        put_field(line, ", sasl_method=", sasl->method);
        put_field(line, ", sasl_username=", sasl->username);
        put_field(line, ", sasl_sender=", sasl->sender);
    }
    if (origin)
        put_field(line, ", orig_queue_id=", origin->queue_id);
    if (origin && origin->peer) {
        buffer_append_string(line, ", orig_client=");
        if (span_equals(origin->peer->address, SPAN("unknown"))) /* as in Postfix, no brackets */
            buffer_append_span(line, span_is_empty(origin->peer->name) ? SPAN("unknown")
                                                                       : origin->peer->name);
        else
            maillog_put_peer(line, origin->peer);
    }
    maillog_end(log);
}

static struct span id_or_noqueue(struct span queue_id)
{
    return span_is_empty(queue_id) ? SPAN("NOQUEUE") : queue_id;
}

void maillog_refusal(struct maillog *log, struct span queue_id, const struct log_refusal *refusal)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, id_or_noqueue(queue_id));
    buffer_append_format(line, "%s: %s from ", refusal->action, refusal->stage);
    maillog_put_peer(line, refusal->peer);
    buffer_append_string(line, ": ");
    buffer_append_span(line, refusal->text);
    buffer_append_byte(line, ';');
    if (refusal->has_sender)
        maillog_put_address(line, " from", refusal->sender);
    if (refusal->has_recipient)
        maillog_put_address(line, " to", refusal->recipient);
    put_field(line, " proto=", refusal->protocol);
    if (!span_is_empty(refusal->helo))
        maillog_put_address(line, " helo", refusal->helo);
    if (refusal->sasl) {
        put_field(line, " sasl_method=", refusal->sasl->method);
        put_field(line, " sasl_username=", refusal->sasl->username);
        put_field(line, " sasl_sender=", refusal->sasl->sender);
    }
    maillog_end(log);
}

void maillog_session_end(struct maillog *log, struct span queue_id, const char *what,
                         const char *stage, uint64_t byte_count, const struct log_peer *peer)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, id_or_noqueue(queue_id));
    buffer_append_format(line, "%s after %s", what, stage);
    if (byte_count)
        buffer_append_format(line, " (%llu bytes)", (unsigned long long)byte_count);
    buffer_append_string(line, " from ");
    maillog_put_peer(line, peer);
    maillog_end(log);
}

/* As a C string has it, so that line ends are seen. */
static void put_escaped(struct buffer *line, struct span text)
{
    static const char shown[] = "\a\b\f\n\r\t\v\\";
    static const char letters[] = "abfnrtv\\";
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        const char *special = byte ? strchr(shown, byte) : NULL;
        if (special)
            buffer_append_format(line, "\\%c", letters[special - shown]);
        else if (byte >= ' ' && byte < 0x7f)
            buffer_append_byte(line, byte);
        else
            buffer_append_format(line, "\\%03o", byte);
    }
}

void maillog_improper_pipelining(struct maillog *log, const char *command,
                                 const struct log_peer *peer, struct span text)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_format(line, "improper command pipelining after %s from ", command);
    maillog_put_peer(line, peer);
    buffer_append_string(line, ": ");
    put_escaped(line, text);
    maillog_end(log);
}

static void put_peer_and_text(struct maillog *log, struct buffer *line, const struct log_peer *peer,
                              struct span text)
{
    maillog_put_peer(line, peer);
    buffer_append_string(line, ": ");
    put_escaped(line, span_first(text, TEXT_MAX_BYTES));
    maillog_end(log);
}

void maillog_foreign_command(struct maillog *log, const struct log_peer *peer, struct span text)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_string(line, "non-SMTP command from ");
    put_peer_and_text(log, line, peer, text);
}

void maillog_illegal_address(struct maillog *log, const struct log_peer *peer, const char *command,
                             struct span text)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_string(line, "Illegal address syntax from ");
    maillog_put_peer(line, peer);
    buffer_append_format(line, " in %s command: ", command);
    put_escaped(line, span_first(text, TEXT_MAX_BYTES));
    maillog_end(log);
}

void maillog_long_request(struct maillog *log, const struct log_peer *peer, size_t limit,
                          struct span text)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    maillog_put_peer(line, peer);
    buffer_append_format(line, ": request longer than %zu: ", limit);
    put_escaped(line, span_first(text, LONG_REQUEST_BYTES));
    buffer_append_string(line, "...");
    maillog_end(log);
}

void maillog_malformed_chunk(struct maillog *log, struct span queue_id, const struct log_peer *peer,
                             struct span text)
{
    struct buffer *line =
        maillog_begin(log, LOG_LEVEL_WARNING, span_is_empty(queue_id) ? SPAN("NOQUEUE") : queue_id);
    buffer_append_string(line, "malformed BDAT command syntax from ");
    put_peer_and_text(log, line, peer, text);
}

void maillog_etrn_refused(struct maillog *log, struct span domain, const struct log_peer *peer)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_string(line, "reject: ETRN ");
    put_escaped(line, span_first(domain, TEXT_MAX_BYTES));
    buffer_append_string(line, "... from ");
    maillog_put_peer(line, peer);
    maillog_end(log);
}

void maillog_command_replaced(struct maillog *log, const struct log_peer *peer, struct span command,
                              struct span other)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    maillog_put_peer(line, peer);
    buffer_append_string(line, ": replacing command \"");
    put_escaped(line, span_first(command, TEXT_MAX_BYTES));
    buffer_append_string(line, "\" with \"");
    put_escaped(line, span_first(other, TEXT_MAX_BYTES));
    buffer_append_byte(line, '"');
    maillog_end(log);
}

void maillog_hostname_mismatch(struct maillog *log, struct span hostname, struct span address,
                               struct span error)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_string(line, "hostname ");
    buffer_append_span(line, hostname);
    buffer_append_string(line, " does not resolve to address ");
    buffer_append_span(line, address);
    put_field(line, ": ", error);
    maillog_end(log);
}

void maillog_limit_exceeded(struct maillog *log, const char *what, uint64_t count,
                            const struct log_peer *peer, struct span service)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    buffer_append_format(line, "%s limit exceeded: %llu from ", what, (unsigned long long)count);
    maillog_put_peer(line, peer);
    buffer_append_string(line, " for service ");
    buffer_append_span(line, service);
    maillog_end(log);
}

static struct buffer *begin_auth(struct maillog *log, const struct log_peer *peer,
                                 struct span method)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, span_empty());
    maillog_put_peer(line, peer);
    buffer_append_string(line, ": SASL ");
    buffer_append_span(line, span_first(method, AUTH_TEXT_MAX_BYTES));
    return line;
}

void maillog_auth_failed(struct maillog *log, const struct log_peer *peer, struct span method,
                         struct span reason, struct span username)
{
    struct buffer *line = begin_auth(log, peer, method);
    buffer_append_string(line, " authentication failed: ");
    buffer_append_span(line, reason);
    buffer_append_string(line, ", sasl_username=");
    buffer_append_span(line, username.length ? span_first(username, AUTH_TEXT_MAX_BYTES)
                                             : SPAN("(unavailable)"));
    maillog_end(log);
}

void maillog_auth_aborted(struct maillog *log, const struct log_peer *peer, struct span method)
{
    struct buffer *line = begin_auth(log, peer, method);
    buffer_append_string(line, " authentication aborted");
    maillog_end(log);
}

static void put_screened(struct buffer *line, const struct log_peer *peer)
{
    buffer_append_format(line, "[%.*s]:%u", SPAN_PRINTF(peer->address), (unsigned)peer->port);
}

void maillog_screen_refusal(struct maillog *log, const struct log_peer *peer, const char *reason)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, SPAN("NOQUEUE"));
    buffer_append_string(line, "reject: CONNECT from ");
    put_screened(line, peer);
    buffer_append_format(line, ": %s", reason);
    maillog_end(log);
}

void maillog_pregreet(struct maillog *log, const struct log_peer *peer, uint64_t delay_us,
                      struct span input)
{
    enum { SHOWN_BYTES = 100 };
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_format(line, "PREGREET %zu after ", input.length);
    maillog_put_delay(line, delay_us, log->delay_digits);
    buffer_append_string(line, " from ");
    put_screened(line, peer);
    buffer_append_string(line, ": ");
    put_escaped(line, span_first(input, SHOWN_BYTES));
    maillog_end(log);
}

void maillog_hangup(struct maillog *log, const struct log_peer *peer, uint64_t delay_us)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(line, "HANGUP after ");
    maillog_put_delay(line, delay_us, log->delay_digits);
    buffer_append_string(line, " from ");
    put_screened(line, peer);
    buffer_append_string(line, " in tests before SMTP handshake");
    maillog_end(log);
}

void maillog_screen_pass(struct maillog *log, const struct log_peer *peer, bool is_new)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(line, is_new ? "PASS NEW " : "PASS OLD ");
    put_screened(line, peer);
    maillog_end(log);
}

void maillog_pickup(struct maillog *log, struct span queue_id, unsigned uid, struct span sender)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    buffer_append_format(line, "uid=%u", uid);
    maillog_put_address(line, " from", sender);
    maillog_end(log);
}

static void put_message_id(struct maillog *log, struct span queue_id, const char *name,
                           struct span message_id)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    buffer_append_string(line, name);
    buffer_append_span(line, message_id);
    maillog_end(log);
}

void maillog_message_id(struct maillog *log, struct span queue_id, struct span message_id)
{
    put_message_id(log, queue_id, "message-id=", message_id);
}

void maillog_message_ids(struct maillog *log, struct span queue_id, struct span header)
{
    struct smtp_header_field field;
    struct buffer text;
    buffer_init(&text, NULL, MESSAGE_ID_MAX_BYTES);
    if (smtp_header_find(header, SPAN("Resent-Message-ID"), &field)) {
        smtp_header_unfold(field.value, &text);
        put_message_id(log, queue_id,
                       "resent-message-id=", buffer_ok(&text) ? buffer_span(&text) : SPAN("<>"));
    }
    buffer_release(&text);
    buffer_init(&text, NULL, MESSAGE_ID_MAX_BYTES);
    if (smtp_header_find(header, SPAN("Message-ID"), &field))
        smtp_header_unfold(field.value, &text);
    put_message_id(log, queue_id, "message-id=",
                   buffer_ok(&text) && text.length ? buffer_span(&text) : SPAN("<>"));
    buffer_release(&text);
}
