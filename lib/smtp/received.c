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

void smtp_received_append(struct buffer *output, const struct smtp_received *received)
{
    buffer_append_string(output, "Received: from ");
    append_clean(output, received->helo.length ? received->helo : received->client_name);
    buffer_append_string(output, " (");
    append_clean(output, received->client_name);
    buffer_append_string(output, " [");
    append_clean(output, received->client_address);
    buffer_append_string(output, "])\r\n\tby ");
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
    buffer_append_string(output, "; ");
    smtp_date_append(output, received->unix_time_s, received->offset_minutes, received->zone_name);
    buffer_append_string(output, "\r\n");
}
