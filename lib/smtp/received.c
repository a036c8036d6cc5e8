/* smtp/received - see received.h. */
#include "smtp/received.h"

#include "base/ascii.h"
#include "smtp/date.h"

/* Text of a peer's choosing inside parentheses or a word: no control characters, and nothing
 * that would end the comment it stands in (RFC 5322 section 3.2.2). */
static void append_clean(struct buffer *output, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        const bool is_unfit = byte < 0x21 || byte == 0x7f || byte == '(' || byte == ')' ||
                              byte == ';' || byte == '\\';
        buffer_append_byte(output, is_unfit ? '?' : byte);
    }
}

/* Inside quotation marks inside a comment. */
static void append_quoted(struct buffer *output, struct span text)
{
    buffer_append_byte(output, '"');
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        const bool is_unfit = byte < 0x20 || byte >= 0x7f || byte == '(' || byte == ')' ||
                              byte == '"' || byte == '\\';
        buffer_append_byte(output, is_unfit ? '?' : byte);
    }
    buffer_append_byte(output, '"');
}

static void append_tls_comments(struct buffer *output, const struct smtp_received_tls *tls)
{
    buffer_append_format(output, "\r\n\t(using %.*s with cipher %.*s (%d/%d bits)",
                         SPAN_PRINTF(tls->protocol), SPAN_PRINTF(tls->cipher), tls->used_bits,
                         tls->algorithm_bits);
    if (tls->details.length) {
        buffer_append_string(output, "\r\n\t");
        buffer_append_span(output, tls->details);
    }
    buffer_append_byte(output, ')');
    switch (tls->certificate) {
    case SMTP_RECEIVED_NOT_ASKED:
        buffer_append_string(output, "\r\n\t(No client certificate requested)");
        break;
    case SMTP_RECEIVED_NOT_SHOWN:
        buffer_append_string(output, "\r\n\t(Client did not present a certificate)");
        break;
    case SMTP_RECEIVED_SHOWN:
        buffer_append_string(output, "\r\n\t(Client CN ");
        append_quoted(output, tls->subject);
        buffer_append_string(output, ", Issuer ");
        append_quoted(output, tls->issuer);
        buffer_append_string(output, tls->is_trusted ? " (verified OK))" : " (not verified))");
        break;
    }
}

static void append_tls_clause(struct buffer *output, const struct smtp_received_tls *tls)
{
    if (span_is_empty(tls->cipher_name))
        return;
    buffer_append_string(output, "\r\n\ttls ");
    append_clean(output, tls->cipher_name);
    if (tls->group_name.length) {
        buffer_append_string(output, " group ");
        append_clean(output, tls->group_name);
    }
}

static void append_client(struct buffer *output, const struct smtp_received *received)
{
    buffer_append_string(output, "from ");
    append_clean(output, received->helo.length ? received->helo : received->client_name);
    buffer_append_string(output, " (");
    append_clean(output, received->client_name);
    buffer_append_string(output, " [");
    append_clean(output, received->client_address);
    buffer_append_string(output, "])");
    if (received->tls && received->tls->has_comments)
        append_tls_comments(output, received->tls);
    if (received->user.length) {
        buffer_append_string(output, "\r\n\t(Authenticated sender: ");
        append_clean(output, received->user);
        buffer_append_string(output, ")");
    }
    buffer_append_string(output, "\r\n\t");
}

void smtp_received_append(struct buffer *output, const struct smtp_received *received)
{
    buffer_append_string(output, "Received: ");
    if (!received->hides_client)
        append_client(output, received);
    buffer_append_string(output, "by ");
    append_clean(output, received->server_name);
    buffer_append_string(output, " (");
    append_clean(output, received->software);
    buffer_append_string(output, ") with ");
    append_clean(output, received->protocol);
    buffer_append_string(output, " id ");
    append_clean(output, received->queue_id);
    if (received->recipient.length) {
        buffer_append_string(output, "\r\n\tfor <");
        for (size_t i = 0; i < received->recipient.length; i++) {
            const uint8_t byte = received->recipient.bytes[i];
            buffer_append_byte(output, byte < 0x20 || byte == 0x7f ? '?' : byte);
        }
        buffer_append_byte(output, '>');
    }
    if (received->tls)
        append_tls_clause(output, received->tls);
    if (received->has_priority) /* RFC 6710 section 7 */
        buffer_append_format(output, "\r\n\tPRIORITY %d", received->priority);
    buffer_append_string(output, "; ");
    smtp_date_append(output, received->unix_time_s, received->offset_minutes, received->zone_name);
    buffer_append_string(output, "\r\n");
}
