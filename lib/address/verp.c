/* address/verp - see verp.h. */
#include "address/verp.h"

#include "address/mailbox.h"
#include "base/buffer.h"

bool verp_delimiters_are_valid(struct span delimiters, struct span filter)
{
    if (delimiters.length != VERP_DELIMITER_COUNT)
        return false;
    for (size_t i = 0; i < VERP_DELIMITER_COUNT; i++) {
        const uint8_t byte = delimiters.bytes[i];
        if (byte <= ' ' || byte > '~' || span_find_byte(filter, byte) == filter.length)
            return false;
    }
    return true;
}

struct parts {
    struct span local_part; /* what it means */
    struct span domain;
};

static struct parts take_apart(struct span address, struct arena *arena)
{
    struct mailbox mailbox;
    if (mailbox_parse(address, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8, arena, &mailbox) ==
        PARSE_OK)
        return (struct parts){mailbox.local_part, mailbox.domain};
    const size_t at = span_find_last_byte(address, '@');
    return (struct parts){span_first(address, at), span_after(address, at + 1)};
}

/* RFC 5321 section 4.1.2: Dot-string; RFC 6531 section 3.3 for what is not ASCII. */
static bool needs_quotes(struct span local_part)
{
    bool was_dot = true;
    for (size_t i = 0; i < local_part.length; i++) {
        const uint8_t byte = local_part.bytes[i];
        if (byte == '.' ? was_dot : byte < 0x80 && !mailbox_is_plain(span_of(&byte, 1)))
            return true;
        was_dot = byte == '.';
    }
    return was_dot;
}

static void append_quoted(struct span local_part, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < local_part.length; i++) {
        if (local_part.bytes[i] == '"' || local_part.bytes[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, local_part.bytes[i]);
    }
    buffer_append_byte(out, '"');
}

struct span verp_sender(struct span reverse_path, struct span recipient, struct span delimiters,
                        struct arena *arena)
{
    const struct parts sender = take_apart(reverse_path, arena);
    const struct parts named = take_apart(recipient, arena);
    struct buffer local_part, text;
    buffer_init(&local_part, arena, ADDRESS_MAX_BYTES);
    buffer_init(&text, arena, ADDRESS_MAX_BYTES);
    buffer_append_span(&local_part, sender.local_part);
    buffer_append_span(&local_part, span_first(delimiters, 1));
    buffer_append_span(&local_part, named.local_part);
    if (!span_is_empty(named.domain)) {
        buffer_append_span(&local_part, span_after(delimiters, 1));
        buffer_append_span(&local_part, named.domain);
    }
    if (!buffer_ok(&local_part))
        return (struct span){NULL, 0};
    if (needs_quotes(buffer_span(&local_part)))
        append_quoted(buffer_span(&local_part), &text);
    else
        buffer_append_span(&text, buffer_span(&local_part));
    if (!span_is_empty(sender.domain)) {
        buffer_append_byte(&text, '@');
        buffer_append_span(&text, sender.domain);
    }
    return buffer_ok(&text) ? buffer_span(&text) : (struct span){NULL, 0};
}
