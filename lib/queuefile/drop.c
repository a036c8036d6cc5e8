/* queuefile/drop - see drop.h. */
#include "queuefile/drop.h"

#include "base/number.h"
#include "queuefile/record_private.h"

enum { KIND_HEADER = 'H', KIND_RECIPIENT = 'R', KIND_TEXT = 'T', KIND_END = 'E' };

static const struct span magic = SPAN_LITERAL("posthouse drop 1\n");

#define FIELD(tag, type, is_required, member, maximum)                                             \
    {                                                                                              \
        tag, type, is_required, offsetof(struct drop_header, member), maximum                      \
    }
static const struct record_field header_fields[] = {
    FIELD(1, RECORD_UINT64, true, time_us, UINT64_MAX),
    FIELD(2, RECORD_TEXT, true, sender, QUEUE_TEXT_MAX_BYTES),
    FIELD(3, RECORD_TEXT, false, full_name, QUEUE_TEXT_MAX_BYTES),
    FIELD(4, RECORD_UINT32, false, flags, DROP_FLAG_ALL),
    FIELD(5, RECORD_TEXT, false, envid, QUEUE_TEXT_MAX_BYTES),
    FIELD(6, RECORD_ENUM, false, ret, QUEUE_RETURN_HEADERS),
    FIELD(7, RECORD_TEXT, false, owner, QUEUE_TEXT_MAX_BYTES),
    FIELD(8, RECORD_TEXT, false, verp_delimiters, QUEUE_VERP_DELIMITERS_BYTES),
};
#undef FIELD

#define FIELD(tag, type, is_required, member, maximum)                                             \
    {                                                                                              \
        tag, type, is_required, offsetof(struct queue_recipient, member), maximum                  \
    }
static const struct record_field recipient_fields[] = {
    FIELD(1, RECORD_TEXT, true, forward_path, QUEUE_TEXT_MAX_BYTES),
    FIELD(2, RECORD_TEXT, false, orcpt, QUEUE_TEXT_MAX_BYTES),
    FIELD(3, RECORD_UINT8, false, notify, QUEUE_NOTIFY_ALL),
};
#undef FIELD

static const struct record_field end_fields[] = {
    {1, RECORD_UINT32, true, offsetof(struct drop_end, recipient_count), DROP_RECIPIENTS_MAX},
    {2, RECORD_UINT64, true, offsetof(struct drop_end, text_bytes), UINT64_MAX},
};

void drop_append_header(const struct drop_header *header, struct buffer *out)
{
    buffer_append_span(out, magic);
    if (queue_verp_delimiters_are_possible(header->verp_delimiters))
        record_encode(out, KIND_HEADER, header_fields, ARRAY_LENGTH(header_fields), header);
    else
        out->has_failed = true;
}

void drop_append_recipient(const struct queue_recipient *recipient, struct buffer *out)
{
    if (queue_recipient_is_possible(recipient))
        record_encode(out, KIND_RECIPIENT, recipient_fields, ARRAY_LENGTH(recipient_fields),
                      recipient);
    else
        out->has_failed = true;
}

void drop_append_text(struct span text, struct buffer *out)
{
    if (span_is_empty(text) || text.length > DROP_TEXT_MAX_BYTES) {
        out->has_failed = true;
        return;
    }
    buffer_append_byte(out, KIND_TEXT);
    buffer_append_uint16(out, (uint16_t)text.length);
    buffer_append_span(out, text);
}

void drop_append_end(const struct drop_end *end, struct buffer *out)
{
    record_encode(out, KIND_END, end_fields, ARRAY_LENGTH(end_fields), end);
}

/* ---- reading ---- */

/* What becomes the value of a parameter of MAIL or RCPT: a space in it would begin another
 * parameter, whose word the next server takes for ours (RFC 5321 section 4.1.2, esmtp-value). */
static bool is_one_word(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] <= ' ' || text.bytes[i] == 0x7f)
            return false;
    return true;
}

static enum parse_result read_magic(struct span *input)
{
    const struct span beginning = span_first(*input, magic.length);
    if (!span_starts_with(magic, beginning))
        return PARSE_MALFORMED;
    if (beginning.length < magic.length)
        return PARSE_NEED_MORE;
    *input = span_after(*input, magic.length);
    return PARSE_OK;
}

static enum parse_result read_text(struct drop_reader *reader, struct span *input,
                                   struct drop_event *event)
{
    if (input->length < RECORD_HEAD_BYTES)
        return PARSE_NEED_MORE;
    const size_t length = number_get_uint16(input->bytes + 1);
    if (length == 0 || length > DROP_TEXT_MAX_BYTES)
        return PARSE_MALFORMED;
    if (input->length - RECORD_HEAD_BYTES < length)
        return PARSE_NEED_MORE;
    event->kind = DROP_EVENT_TEXT;
    event->text = span_first(span_after(*input, RECORD_HEAD_BYTES), length);
    *input = span_after(*input, RECORD_HEAD_BYTES + length);
    reader->seen.text_bytes += length;
    return PARSE_OK;
}

static enum parse_result read_recipient(struct drop_reader *reader, struct span *input,
                                        struct drop_event *event)
{
    struct span after = *input;
    event->recipient =
        (struct queue_recipient){.original_recipient = span_empty(), .orcpt = span_empty()};
    const enum parse_result result =
        record_decode(&after, KIND_RECIPIENT, recipient_fields, ARRAY_LENGTH(recipient_fields),
                      &event->recipient);
    if (result != PARSE_OK)
        return result;
    if (!queue_recipient_is_possible(&event->recipient) || !is_one_word(event->recipient.orcpt) ||
        reader->seen.recipient_count == DROP_RECIPIENTS_MAX)
        return PARSE_MALFORMED;
    *input = after;
    event->kind = DROP_EVENT_RECIPIENT;
    reader->seen.recipient_count++;
    return PARSE_OK;
}

static enum parse_result read_end(struct drop_reader *reader, struct span *input,
                                  struct drop_event *event)
{
    struct span after = *input;
    struct drop_end end = {0};
    const enum parse_result result =
        record_decode(&after, KIND_END, end_fields, ARRAY_LENGTH(end_fields), &end);
    if (result != PARSE_OK)
        return result;
    if (end.recipient_count != reader->seen.recipient_count ||
        end.text_bytes != reader->seen.text_bytes)
        return PARSE_MALFORMED;
    *input = after;
    event->kind = DROP_EVENT_END;
    reader->is_at_end = true;
    return PARSE_OK;
}

static enum parse_result read_header(struct drop_reader *reader, struct span *input,
                                     struct drop_event *event)
{
    struct span after = *input;
    event->header = (struct drop_header){.full_name = span_empty(), .envid = span_empty()};
    const enum parse_result result = record_decode(&after, KIND_HEADER, header_fields,
                                                   ARRAY_LENGTH(header_fields), &event->header);
    if (result != PARSE_OK)
        return result;
    if (!queue_verp_delimiters_are_possible(event->header.verp_delimiters) ||
        !is_one_word(event->header.envid))
        return PARSE_MALFORMED;
    *input = after;
    event->kind = DROP_EVENT_HEADER;
    reader->has_header = true;
    return PARSE_OK;
}

enum parse_result drop_reader_next(struct drop_reader *reader, struct span *input,
                                   struct drop_event *event)
{
    uint8_t kind;
    if (!reader->has_begun) {
        const enum parse_result result = read_magic(input);
        if (result != PARSE_OK)
            return result;
        reader->has_begun = true;
    }
    if (!record_peek_kind(*input, &kind))
        return PARSE_NEED_MORE;
    if (reader->is_at_end)
        return PARSE_MALFORMED; /* nothing comes behind the end */
    if (!reader->has_header)
        return read_header(reader, input, event);
    switch (kind) {
    case KIND_TEXT:
        return read_text(reader, input, event);
    case KIND_RECIPIENT:
        return read_recipient(reader, input, event);
    case KIND_END:
        return read_end(reader, input, event);
    default:
        return PARSE_MALFORMED;
    }
}
