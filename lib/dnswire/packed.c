/* dnswire/packed - answers as plain bytes for channel and cache: dns_answer_pack(),
 * dns_answer_unpack(); see answer.h.
 *
 *   packed  = text count:16 count*record
 *   record  = type:16 priority:16 weight:16 port:16 usage:8 selector:8 matching:8 text data
 *   text, data = length:16 bytes
 */
#include "base/number.h"
#include "dnswire/answer.h"

enum { RECORD_FIXED_BYTES = 11, RECORD_MIN_BYTES = RECORD_FIXED_BYTES + 4 };

static void put_counted(struct buffer *packed, struct span span)
{
    uint16_t length;
    if (!number_to_uint16(span.length, &length)) {
        packed->has_failed = true;
        return;
    }
    buffer_append_uint16(packed, length);
    buffer_append_span(packed, span);
}

bool dns_answer_pack(const struct dns_answer *answer, struct buffer *packed)
{
    const size_t before = packed->length;
    uint16_t record_count;

    if (!number_to_uint16(answer->record_count, &record_count) ||
        record_count > DNS_ANSWER_MAX_RECORDS)
        return false;
    put_counted(packed, answer->canonical_name);
    buffer_append_uint16(packed, record_count);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record *record = &answer->records[i];
        buffer_append_uint16(packed, record->type);
        buffer_append_uint16(packed, record->priority);
        buffer_append_uint16(packed, record->weight);
        buffer_append_uint16(packed, record->port);
        buffer_append_byte(packed, record->tlsa_usage);
        buffer_append_byte(packed, record->tlsa_selector);
        buffer_append_byte(packed, record->tlsa_matching_type);
        put_counted(packed, record->target);
        put_counted(packed, record->data);
    }
    return buffer_ok(packed) && packed->length - before <= DNS_ANSWER_PACKED_MAX_BYTES;
}

static bool take(struct span *rest, size_t count, struct span *taken)
{
    if (rest->length < count)
        return false;
    *taken = span_first(*rest, count);
    *rest = span_after(*rest, count);
    return true;
}

static bool take_counted(struct span *rest, struct span *counted)
{
    struct span length;
    return take(rest, 2, &length) && take(rest, number_get_uint16(length.bytes), counted);
}

static bool take_record(struct span *rest, struct dns_record *record)
{
    struct span fixed;
    if (!take(rest, RECORD_FIXED_BYTES, &fixed))
        return false;
    record->type = number_get_uint16(fixed.bytes);
    record->priority = number_get_uint16(fixed.bytes + 2);
    record->weight = number_get_uint16(fixed.bytes + 4);
    record->port = number_get_uint16(fixed.bytes + 6);
    record->tlsa_usage = fixed.bytes[8];
    record->tlsa_selector = fixed.bytes[9];
    record->tlsa_matching_type = fixed.bytes[10];
    if (!take_counted(rest, &record->target) || !take_counted(rest, &record->data))
        return false;
    /* What other code relies on without looking again. */
    if (record->type == DNS_TYPE_A)
        return record->data.length == 4;
    return record->type != DNS_TYPE_AAAA || record->data.length == 16;
}

enum parse_result dns_answer_unpack(struct span packed, struct arena *arena,
                                    struct dns_answer *answer)
{
    struct span rest = packed, count_bytes, canonical_name;

    if (packed.length > DNS_ANSWER_PACKED_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (!take_counted(&rest, &canonical_name) || !take(&rest, 2, &count_bytes))
        return PARSE_MALFORMED;
    const size_t count = number_get_uint16(count_bytes.bytes);
    if (count > DNS_ANSWER_MAX_RECORDS || count > rest.length / RECORD_MIN_BYTES)
        return PARSE_MALFORMED;
    struct dns_record *records = arena_alloc(arena, count * sizeof(*records));
    if (!records)
        return PARSE_TOO_LONG;
    for (size_t i = 0; i < count; i++)
        if (!take_record(&rest, &records[i]))
            return PARSE_MALFORMED;
    if (!span_is_empty(rest))
        return PARSE_MALFORMED;
    answer->canonical_name = canonical_name;
    answer->records = records;
    answer->record_count = count;
    return PARSE_OK;
}
