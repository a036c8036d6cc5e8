/* verify/record - see record.h. */
#include "record.h"

#include "base/number.h"

enum { STATUS_NUMBER_MAX = 999, REPLY_CODE_MAX = 599 };

#define TIME_MAX_S (UINT64_C(1) << 40) /* and no sum of times comes near its end */

static const char kinds[] = {
    [OUTCOME_OK] = '2', [OUTCOME_TEMPORARY] = '4', [OUTCOME_PERMANENT] = '5'};

static void append_clean(struct buffer *out, struct span text, size_t limit)
{
    text = span_first(text, limit);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(out,
                           text.bytes[i] < 0x20 || text.bytes[i] == 0x7f ? '?' : text.bytes[i]);
}

void verify_record_append(const struct verify_record *record, struct buffer *out)
{
    const struct outcome *outcome = &record->outcome;
    buffer_append_format(out, "%c\t%u\t%u\t%u\t%lld\t%lld\t", kinds[outcome->kind],
                         (unsigned)outcome->reply_code, (unsigned)outcome->status.subject,
                         (unsigned)outcome->status.detail, (long long)record->probed_s,
                         (long long)record->updated_s);
    append_clean(out, record->address, VERIFY_ADDRESS_MAX_BYTES);
    buffer_append_byte(out, '\t');
    append_clean(out, outcome->reason, VERIFY_REASON_MAX_BYTES);
    buffer_append_byte(out, '\n');
}

static bool next_number(struct span *rest, uint64_t maximum, uint64_t *number)
{
    struct span field;
    return span_split_once(*rest, '\t', &field, rest) &&
           number_parse_uint64(field, maximum, number);
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return true;
    return false;
}

enum parse_result verify_record_parse(struct span line, struct verify_record *record)
{
    struct span kind, address, rest;
    uint64_t reply_code, subject, detail, probed_s, updated_s;
    enum outcome_kind outcome_kind = OUTCOME_OK;
    if (!span_split_once(line, '\t', &kind, &rest) || kind.length != 1)
        return PARSE_MALFORMED;
    while (kinds[outcome_kind] != kind.bytes[0])
        if (++outcome_kind > OUTCOME_PERMANENT)
            return PARSE_MALFORMED;
    if (!next_number(&rest, REPLY_CODE_MAX, &reply_code) ||
        !next_number(&rest, STATUS_NUMBER_MAX, &subject) ||
        !next_number(&rest, STATUS_NUMBER_MAX, &detail) ||
        !next_number(&rest, TIME_MAX_S, &probed_s) || !next_number(&rest, TIME_MAX_S, &updated_s) ||
        !span_split_once(rest, '\t', &address, &rest) || span_is_empty(address) ||
        has_control(address) || has_control(rest))
        return PARSE_MALFORMED;
    if (address.length > VERIFY_ADDRESS_MAX_BYTES || rest.length > VERIFY_REASON_MAX_BYTES)
        return PARSE_TOO_LONG;
    *record = (struct verify_record){
        .address = address,
        .outcome = outcome_make(outcome_kind, (uint16_t)reply_code, (uint16_t)subject,
                                (uint16_t)detail, rest),
        .probed_s = (int64_t)probed_s,
        .updated_s = (int64_t)updated_s,
    };
    return PARSE_OK;
}
