/* base/outcome - see outcome.h. */
#include "base/outcome.h"

#include "base/ascii.h"

/* One to three digits (RFC 3463 section 2). */
static bool take_number(struct span *rest, uint16_t *value)
{
    size_t digits = 0;
    uint16_t number = 0;
    while (digits < 3 && digits < rest->length && ascii_is_digit(rest->bytes[digits]))
        number = (uint16_t)(number * 10 + (rest->bytes[digits++] - '0'));
    if (digits == 0)
        return false;
    *rest = span_after(*rest, digits);
    *value = number;
    return true;
}

static bool take_dot(struct span *rest)
{
    if (rest->length == 0 || rest->bytes[0] != '.')
        return false;
    *rest = span_after(*rest, 1);
    return true;
}

bool enhanced_status_parse(struct span text, struct enhanced_status *status, size_t *consumed_bytes)
{
    struct span rest = text;
    struct enhanced_status parsed;
    if (rest.length == 0 || (rest.bytes[0] != '2' && rest.bytes[0] != '4' && rest.bytes[0] != '5'))
        return false;
    parsed.class = (uint16_t)(rest.bytes[0] - '0');
    rest = span_after(rest, 1);
    if (!take_dot(&rest) || !take_number(&rest, &parsed.subject) || !take_dot(&rest) ||
        !take_number(&rest, &parsed.detail))
        return false;
    if (rest.length && ascii_is_digit(rest.bytes[0]))
        return false;
    *status = parsed;
    *consumed_bytes = text.length - rest.length;
    return true;
}

void enhanced_status_put(struct buffer *out, struct enhanced_status status)
{
    buffer_append_decimal(out, status.class, 1);
    buffer_append_byte(out, '.');
    buffer_append_decimal(out, status.subject, 1);
    buffer_append_byte(out, '.');
    buffer_append_decimal(out, status.detail, 1);
}

struct outcome outcome_from_text(enum outcome_kind kind, struct span text)
{
    const uint16_t reply_code = kind == OUTCOME_OK ? 250 : kind == OUTCOME_TEMPORARY ? 450 : 550;
    struct enhanced_status status = {0, 0, 0};
    size_t consumed_bytes = 0;
    if (enhanced_status_parse(text, &status, &consumed_bytes))
        text = span_trim_spaces(span_after(text, consumed_bytes));
    return outcome_make(kind, reply_code, status.subject, status.detail, text);
}
