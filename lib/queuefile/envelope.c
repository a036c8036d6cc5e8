/* queuefile/envelope - see envelope.h. */
#include "queuefile/envelope.h"

#include "base/number.h"
#include "queuefile/ranges.h"
#include "queuefile/record_private.h"

enum { RECORD_KIND_HEADER = 1, RECORD_KIND_RECIPIENT = 2 };

/* Tags are never used again for something else. */
#define FIELD(tag, type, is_required, member, maximum)                                             \
    {                                                                                              \
        tag, type, is_required, offsetof(struct queue_envelope, member), maximum                   \
    }
static const struct record_field header_fields[] = {
    FIELD(1, RECORD_UINT64, true, arrival_us, UINT64_MAX),
    FIELD(2, RECORD_ENUM, true, origin, QUEUE_ORIGIN_FORWARD),
    FIELD(3, RECORD_TEXT, true, reverse_path, QUEUE_TEXT_MAX_BYTES),
    FIELD(4, RECORD_UINT64, true, facts.size_bytes, UINT64_MAX),
    FIELD(5, RECORD_UINT32, true, facts.header_bytes, UINT32_MAX),
    FIELD(6, RECORD_UINT32, true, facts.longest_line_bytes, UINT32_MAX),
    FIELD(7, RECORD_UINT32, true, facts.received_count, UINT32_MAX),
    FIELD(8, RECORD_UINT32, true, facts.flags, QUEUE_FACT_ALL),
    FIELD(9, RECORD_UINT32, false, flags, QUEUE_FLAG_ALL),
    FIELD(10, RECORD_TEXT, false, envid, QUEUE_TEXT_MAX_BYTES),
    FIELD(11, RECORD_ENUM, false, ret, QUEUE_RETURN_HEADERS),
    FIELD(16, RECORD_TEXT, false, client_name, QUEUE_TEXT_MAX_BYTES),
    FIELD(17, RECORD_TEXT, false, client_address, QUEUE_TEXT_MAX_BYTES),
    FIELD(18, RECORD_UINT16, false, client_port, UINT16_MAX),
    FIELD(19, RECORD_TEXT, false, helo, QUEUE_TEXT_MAX_BYTES),
    FIELD(20, RECORD_TEXT, false, protocol, QUEUE_TEXT_MAX_BYTES),
    FIELD(21, RECORD_TEXT, false, ident, QUEUE_TEXT_MAX_BYTES),
    FIELD(22, RECORD_TEXT, false, forward_of, QUEUE_TEXT_MAX_BYTES),
    FIELD(23, RECORD_UINT32, false, forward_index, UINT32_MAX),
    FIELD(24, RECORD_TEXT, false, report_of, QUEUE_TEXT_MAX_BYTES),
    FIELD(25, RECORD_UINT8, false, report_kind, 3),
    FIELD(26, RECORD_TEXT, false, report_recipients, QUEUE_RANGES_MAX_BYTES),
    FIELD(32, RECORD_TEXT, false, sasl_method, QUEUE_TEXT_MAX_BYTES),
    FIELD(33, RECORD_TEXT, false, sasl_username, QUEUE_TEXT_MAX_BYTES),
    FIELD(34, RECORD_TEXT, false, sasl_sender, QUEUE_TEXT_MAX_BYTES),
    FIELD(35, RECORD_UINT64, false, release_us, UINT64_MAX),
    FIELD(36, RECORD_TEXT, false, release_request, QUEUE_TEXT_MAX_BYTES),
    FIELD(37, RECORD_UINT64, false, deliver_by_us, UINT64_MAX),
    FIELD(38, RECORD_ENUM, false, deliver_by, QUEUE_DELIVER_BY_RETURN),
    FIELD(39, RECORD_UINT8, false, traces_deliver_by, 1),
    FIELD(40, RECORD_UINT8, false, priority, QUEUE_PRIORITY_MAX),
    FIELD(41, RECORD_TEXT, false, filter, QUEUE_TEXT_MAX_BYTES),
    FIELD(42, RECORD_TEXT, false, verp_delimiters, QUEUE_VERP_DELIMITERS_BYTES),
};
#undef FIELD

#define FIELD(tag, type, is_required, member, maximum)                                             \
    {                                                                                              \
        tag, type, is_required, offsetof(struct queue_recipient, member), maximum                  \
    }
static const struct record_field recipient_fields[] = {
    FIELD(1, RECORD_TEXT, true, forward_path, QUEUE_TEXT_MAX_BYTES),
    FIELD(2, RECORD_TEXT, false, original_recipient, QUEUE_TEXT_MAX_BYTES),
    FIELD(3, RECORD_TEXT, false, orcpt, QUEUE_TEXT_MAX_BYTES),
    FIELD(4, RECORD_UINT8, false, notify, QUEUE_NOTIFY_ALL | QUEUE_NOTIFY_EXPANDED),
};
#undef FIELD

bool queue_recipient_is_possible(const struct queue_recipient *recipient)
{
    return !span_is_empty(recipient->forward_path) &&
           ((recipient->notify & QUEUE_NOTIFY_NEVER) == 0 ||
            recipient->notify == QUEUE_NOTIFY_NEVER);
}

void queue_envelope_encode_header(const struct queue_envelope *envelope, struct buffer *out)
{
    if (queue_verp_delimiters_are_possible(envelope->verp_delimiters))
        record_encode(out, RECORD_KIND_HEADER, header_fields, ARRAY_LENGTH(header_fields),
                      envelope);
    else
        out->has_failed = true;
}

void queue_envelope_append_recipient(const struct queue_recipient *recipient, struct buffer *out)
{
    if (queue_recipient_is_possible(recipient))
        record_encode(out, RECORD_KIND_RECIPIENT, recipient_fields, ARRAY_LENGTH(recipient_fields),
                      recipient);
    else
        out->has_failed = true;
}

enum parse_result queue_envelope_next_header(struct span *rest, struct queue_envelope *envelope)
{
    *envelope = (struct queue_envelope){.recipients = NULL};
    struct span after = *rest;
    const enum parse_result result = record_decode(&after, RECORD_KIND_HEADER, header_fields,
                                                   ARRAY_LENGTH(header_fields), envelope);
    if (result != PARSE_OK)
        return result;
    if (!queue_verp_delimiters_are_possible(envelope->verp_delimiters))
        return PARSE_MALFORMED;
    *rest = after;
    return PARSE_OK;
}

enum parse_result queue_envelope_next_recipient(struct span *rest,
                                                struct queue_recipient *recipient)
{
    *recipient = (struct queue_recipient){.notify = 0};
    struct span after = *rest;
    const enum parse_result result = record_decode(&after, RECORD_KIND_RECIPIENT, recipient_fields,
                                                   ARRAY_LENGTH(recipient_fields), recipient);
    if (result != PARSE_OK)
        return result;
    if (!queue_recipient_is_possible(recipient))
        return PARSE_MALFORMED;
    *rest = after;
    return PARSE_OK;
}

enum parse_result queue_envelope_count_recipients(struct span rest, size_t *count)
{
    size_t counted = 0;
    while (rest.length > 0) {
        if (rest.bytes[0] != RECORD_KIND_RECIPIENT)
            return PARSE_MALFORMED;
        if (rest.length < RECORD_HEAD_BYTES)
            return PARSE_NEED_MORE;
        const size_t length = RECORD_HEAD_BYTES + (size_t)number_get_uint16(rest.bytes + 1);
        if (rest.length < length)
            return PARSE_NEED_MORE;
        rest = span_after(rest, length);
        counted++;
    }
    *count = counted;
    return PARSE_OK;
}

enum parse_result queue_envelope_decode(struct span bytes, size_t recipient_limit,
                                        struct arena *arena, struct queue_envelope *envelope)
{
    struct span rest = bytes;
    size_t count = 0;
    if (bytes.length > QUEUE_ENVELOPE_MAX_BYTES)
        return PARSE_TOO_LONG;
    enum parse_result result = queue_envelope_next_header(&rest, envelope);
    if (result == PARSE_OK)
        result = queue_envelope_count_recipients(rest, &count);
    if (result != PARSE_OK)
        return result;
    if (count == 0)
        return PARSE_NEED_MORE;
    if (count > recipient_limit)
        return PARSE_TOO_LONG;
    envelope->recipients = arena_alloc(arena, count * sizeof(*envelope->recipients));
    if (!envelope->recipients)
        return PARSE_TOO_LONG;
    for (size_t i = 0; i < count; i++)
        if ((result = queue_envelope_next_recipient(&rest, &envelope->recipients[i])) != PARSE_OK)
            return result;
    envelope->recipient_count = count;
    return PARSE_OK;
}
