/* reportd/line - see line.h. */
#include "line.h"

#include "base/number.h"
#include "tlsrpt/record.h"

enum { FIELD_END = '\t', POLICY_LINE_END = ';' };

static const char letters[] = {[LINE_SESSIONS] = 'S', [LINE_PLACE] = 'U', [LINE_DONE] = 'D'};

static void append_text(struct buffer *out, struct span text, size_t limit)
{
    text = span_first(text, limit);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(out,
                           text.bytes[i] < 0x20 || text.bytes[i] == 0x7f ? '?' : text.bytes[i]);
    buffer_append_byte(out, FIELD_END);
}

static void append_policy(struct buffer *out, struct span policy)
{
    for (size_t i = 0; i < policy.length; i++) {
        const uint8_t byte = policy.bytes[i];
        if (byte == '\n')
            buffer_append_byte(out, POLICY_LINE_END);
        else
            buffer_append_byte(out,
                               byte < 0x20 || byte == 0x7f || byte == POLICY_LINE_END ? '?' : byte);
    }
}

void session_line_append(const struct session_line *line, struct buffer *out)
{
    buffer_append_format(out, "%c\t%u\t", letters[line->kind], (unsigned)line->day);
    append_text(out, line->domain, LINE_NAME_MAX_BYTES);
    if (line->kind == LINE_PLACE)
        append_text(out, line->uri, TLSRPT_URI_MAX_BYTES);
    if (line->kind == LINE_SESSIONS) {
        buffer_append_format(out, "%llu\t%s\t%s\t", (unsigned long long)line->count,
                             tlsrpt_policy_type_name(line->policy_type),
                             tlsrpt_result_name(line->result));
        append_text(out, line->policy_domain, LINE_NAME_MAX_BYTES);
        append_text(out, line->sending_ip, LINE_NAME_MAX_BYTES);
        append_text(out, line->receiving_host, LINE_NAME_MAX_BYTES);
        append_text(out, line->receiving_helo, LINE_NAME_MAX_BYTES);
        append_text(out, line->receiving_ip, LINE_NAME_MAX_BYTES);
        append_text(out, line->reason, LINE_NAME_MAX_BYTES);
        append_policy(out, span_first(line->policy, LINE_POLICY_MAX_BYTES));
    }
    buffer_append_byte(out, '\n');
}

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return true;
    return false;
}

static bool next_long_text(struct span *rest, size_t limit, struct span *text)
{
    return span_split_once(*rest, FIELD_END, text, rest) && text->length <= limit &&
           !has_control(*text);
}

static bool next_text(struct span *rest, struct span *text)
{
    return next_long_text(rest, LINE_NAME_MAX_BYTES, text);
}

static bool next_number(struct span *rest, uint64_t maximum, uint64_t *number)
{
    struct span text;
    return next_text(rest, &text) && number_parse_uint64(text, maximum, number);
}

static bool read_policy(struct span text, struct buffer *policy)
{
    if (has_control(text) || text.length > LINE_POLICY_MAX_BYTES)
        return false;
    buffer_reset(policy);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(policy, text.bytes[i] == POLICY_LINE_END ? '\n' : text.bytes[i]);
    return buffer_ok(policy);
}

static bool read_session(struct span rest, struct buffer *policy, struct session_line *line)
{
    struct span type, result;
    if (!next_number(&rest, UINT64_MAX / 2, &line->count) || line->count == 0 ||
        !next_text(&rest, &type) || !tlsrpt_policy_type_from_name(type, &line->policy_type) ||
        !next_text(&rest, &result) || !tlsrpt_result_from_name(result, &line->result) ||
        !next_text(&rest, &line->policy_domain) || span_is_empty(line->policy_domain) ||
        !next_text(&rest, &line->sending_ip) || !next_text(&rest, &line->receiving_host) ||
        !next_text(&rest, &line->receiving_helo) || !next_text(&rest, &line->receiving_ip) ||
        !next_text(&rest, &line->reason) || !read_policy(rest, policy))
        return false;
    line->policy = buffer_span(policy);
    return true;
}

static bool find_kind(struct span text, enum line_kind *kind)
{
    for (size_t i = 0; i < ARRAY_LENGTH(letters); i++)
        if (text.length == 1 && text.bytes[0] == (uint8_t)letters[i]) {
            *kind = (enum line_kind)i;
            return true;
        }
    return false;
}

static bool read_rest(struct span rest, struct buffer *policy, struct session_line *line)
{
    if (line->kind == LINE_SESSIONS)
        return read_session(rest, policy, line);
    if (line->kind == LINE_PLACE &&
        (!next_long_text(&rest, TLSRPT_URI_MAX_BYTES, &line->uri) || span_is_empty(line->uri)))
        return false;
    return span_is_empty(rest);
}

enum parse_result session_line_parse(struct span text, struct buffer *policy,
                                     struct session_line *line)
{
    struct session_line found = {.policy = span_empty(), .uri = span_empty()};
    struct span kind, rest;
    uint64_t day;
    if (!span_split_once(text, FIELD_END, &kind, &rest) || !find_kind(kind, &found.kind) ||
        !next_number(&rest, LINE_DAY_MAX, &day) || !next_text(&rest, &found.domain) ||
        span_is_empty(found.domain))
        return PARSE_MALFORMED;
    found.day = (uint32_t)day;
    if (!read_rest(rest, policy, &found))
        return PARSE_MALFORMED;
    *line = found;
    return PARSE_OK;
}
