/* tlsrpt/record - see record.h. */
#include "tlsrpt/record.h"

#include "address/mailbox.h"
#include "base/ascii.h"
#include "base/tag_list.h"

#define MAILTO "mailto:"

static const struct span version = SPAN_LITERAL("v=TLSRPTv1");

/* RFC 3986 characters; "!" and ";" would have to be encoded (";" has ended the field). */
static bool is_uri(struct span text)
{
    const size_t colon = span_find_byte(text, ':');
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_print(text.bytes[i]) || span_byte_is_one_of(text, i, " !\"<>\\^`{|}", 11))
            return false;
    return colon > 0 && colon < text.length && text.length <= TLSRPT_URI_MAX_BYTES;
}

bool tlsrpt_record_next_uri(struct span *uris, struct span *uri)
{
    if (span_is_empty(*uris))
        return false;
    (void)span_split_once(*uris, ',', uri, uris);
    *uri = span_trim_spaces(*uri);
    return true;
}

static bool is_list(struct span uris)
{
    struct span rest = uris, uri;
    while (tlsrpt_record_next_uri(&rest, &uri))
        if (!is_uri(uri))
            return false;
    return !span_is_empty(uris) && !span_ends_with(uris, SPAN(","));
}

enum parse_result tlsrpt_record_parse(struct span text, struct span *uris)
{
    return tag_list_find(text, version, SPAN("rua"), is_list, uris) ? PARSE_OK : PARSE_MALFORMED;
}

enum parse_result tlsrpt_record_choose(const struct span *texts, size_t count, struct span *uris)
{
    const struct span *chosen = tag_list_choose(texts, count, version);
    return chosen ? tlsrpt_record_parse(*chosen, uris) : PARSE_MALFORMED;
}

static bool decode(struct span text, struct buffer *out)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] != '%') {
            buffer_append_byte(out, text.bytes[i]);
            continue;
        }
        const int high = text.length - i > 2 ? ascii_hex_value(text.bytes[i + 1]) : -1;
        const int low = text.length - i > 2 ? ascii_hex_value(text.bytes[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        buffer_append_byte(out, (uint8_t)(high << 4 | low));
        i += 2;
    }
    return buffer_ok(out);
}

enum parse_result tlsrpt_mailto_parse(struct span uri, struct arena *arena, struct span *address)
{
    struct span text, fields;
    struct buffer decoded;
    struct mailbox mailbox;
    if (!span_starts_with_ascii_nocase(uri, SPAN(MAILTO)))
        return PARSE_MALFORMED;
    (void)span_split_once(span_after(uri, sizeof(MAILTO) - 1), '?', &text, &fields);
    buffer_init(&decoded, arena, TLSRPT_URI_MAX_BYTES);
    if (!decode(text, &decoded))
        return PARSE_MALFORMED;
    const enum parse_result result = mailbox_parse(buffer_span(&decoded), 0, arena, &mailbox);
    if (result == PARSE_OK)
        *address = mailbox.text;
    return result == PARSE_OK && mailbox.is_address_literal ? PARSE_MALFORMED : result;
}
