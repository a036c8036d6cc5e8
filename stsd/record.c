/* stsd/record - see record.h. */
#include "record.h"

#include "base/number.h"
#include "dnswire/name.h"
#include "mtasts/record.h"

/* Neither is in any field of a policy that is written. */
enum { FIELD_END = '\t', POLICY_LINE_END = ';', DOMAIN_MAX_BYTES = 255 };

void sts_record_append(const struct sts_record *record, struct buffer *out)
{
    buffer_append_format(out, "%.*s\t%.*s\t%lld\t%lld\t", SPAN_PRINTF(record->domain),
                         SPAN_PRINTF(record->id), (long long)record->fetched_s,
                         (long long)record->asked_s);
    for (size_t i = 0; i < record->policy.length; i++) {
        const uint8_t byte = record->policy.bytes[i];
        buffer_append_byte(out, byte == '\n' ? POLICY_LINE_END : byte);
    }
    buffer_append_byte(out, '\n');
}

static bool next_time(struct span *rest, int64_t *time_s)
{
    struct span field;
    uint64_t number;
    if (!span_split_once(*rest, FIELD_END, &field, rest) ||
        !number_parse_uint64(field, UINT32_MAX, &number))
        return false;
    *time_s = (int64_t)number;
    return true;
}

enum parse_result sts_record_parse(struct span line, struct buffer *text, struct sts_record *record)
{
    struct sts_record found;
    struct mtasts_policy policy;
    struct span rest;
    if (!span_split_once(line, FIELD_END, &found.domain, &rest) ||
        found.domain.length > DOMAIN_MAX_BYTES || !dns_name_is_mail_host(found.domain) ||
        !span_split_once(rest, FIELD_END, &found.id, &rest) || !mtasts_record_is_id(found.id) ||
        !next_time(&rest, &found.fetched_s) || !next_time(&rest, &found.asked_s))
        return PARSE_MALFORMED;
    buffer_reset(text);
    for (size_t i = 0; i < rest.length; i++)
        buffer_append_byte(text, rest.bytes[i] == POLICY_LINE_END ? '\n' : rest.bytes[i]);
    if (!buffer_ok(text))
        return PARSE_TOO_LONG;
    found.policy = buffer_span(text);
    const enum parse_result result = mtasts_policy_parse(found.policy, &policy);
    if (result == PARSE_OK)
        *record = found;
    return result;
}
