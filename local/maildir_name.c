/* local/maildir_name - see maildir_name.h. */
#include "maildir_name.h"

#include "base/map.h"
#include "queuefile/id.h"

/* The key is no secret: whoever makes two recipients collide has two copies of his own message
 * become one. */
static const uint8_t recipient_key[16] = "posthouse mailb";

/* 16 digits. */
static void put_hexadecimal(struct buffer *out, uint64_t value)
{
    static const char digits[] = "0123456789abcdef";
    char text[16];
    for (size_t i = sizeof(text); i-- > 0; value >>= 4)
        text[i] = digits[value & 15];
    buffer_append(out, text, sizeof(text));
}

void maildir_name_put_base(struct buffer *out, struct span queue_id, struct span recipient,
                           unsigned action, struct span host)
{
    uint64_t time_us = 0;
    if (!queue_id_time(queue_id, &time_us))
        time_us = 0; /* still a name, and still the same one each time */
    buffer_append_decimal(out, time_us / 1000000, 1);
    buffer_append_string(out, ".Q");
    buffer_append_span(out, queue_id);
    buffer_append_byte(out, 'R');
    put_hexadecimal(out, map_siphash(recipient_key, recipient));
    buffer_append_byte(out, 'A');
    buffer_append_decimal(out, action, 1);
    buffer_append_byte(out, '.');
    host = span_first(host, MAILDIR_HOST_MAX_BYTES);
    for (size_t i = 0; i < host.length; i++) {
        const uint8_t byte = host.bytes[i];
        /* The Maildir specification has octal for what would end the name or begin the flags; a
         * comma would begin the sizes. */
        if (byte == '/' || byte == ':' || byte == ',' || byte <= ' ' || byte >= 0x7f)
            buffer_append_format(out, "\\%03o", (unsigned)byte);
        else
            buffer_append_byte(out, byte);
    }
}

void maildir_name_put_size(struct buffer *out, uint64_t size_bytes)
{
    buffer_append_format(out, ",S=%llu", (unsigned long long)size_bytes);
}

bool maildir_name_has_base(struct span entry, struct span base)
{
    if (!span_equals(span_first(entry, base.length), base))
        return false;
    const struct span rest = span_after(entry, base.length);
    return rest.length == 0 || rest.bytes[0] == ',' || rest.bytes[0] == ':';
}
