/* mtasts/record - see record.h. */
#include "mtasts/record.h"

#include "base/ascii.h"

enum { EXTENSION_NAME_MAX_BYTES = 32 };

#define VERSION "v=STSv1"

static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_alnum(text.bytes[i]))
            return false;
    return text.length > 0 && text.length <= MTASTS_ID_MAX_BYTES;
}

static bool is_extension_name(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_alnum(text.bytes[i]) && (i == 0 || !span_byte_is_one_of(text, i, "_-.", 3)))
            return false;
    return text.length > 0 && text.length <= EXTENSION_NAME_MAX_BYTES;
}

static bool is_extension_value(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_print(text.bytes[i]) || span_byte_is_one_of(text, i, " =;", 3))
            return false;
    return text.length > 0;
}

enum parse_result mtasts_record_parse(struct span text, struct span *id)
{
    struct span rest, field, name, value, found = span_empty();
    if (!span_split_once(text, ';', &field, &rest) ||
        !span_equals(span_trim_spaces(field), SPAN(VERSION)) ||
        !span_starts_with(field, SPAN(VERSION)))
        return PARSE_MALFORMED;
    /* One delimiter may stand at the end; two in a row hold no field between them. */
    while (!span_is_empty(span_trim_spaces(rest))) {
        (void)span_split_once(rest, ';', &field, &rest);
        if (!span_split_once(span_trim_spaces(field), '=', &name, &value))
            return PARSE_MALFORMED;
        if (span_equals(name, SPAN("id"))) {
            if (!is_id(value))
                return PARSE_MALFORMED;
            /* Section 3.2: of repeated fields the first one counts. */
            if (span_is_empty(found))
                found = value;
        } else if (!is_extension_name(name) || !is_extension_value(value)) {
            return PARSE_MALFORMED;
        }
    }
    if (span_is_empty(found))
        return PARSE_MALFORMED;
    *id = found;
    return PARSE_OK;
}

enum parse_result mtasts_record_choose(const struct span *texts, size_t count, struct span *id)
{
    const struct span *chosen = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!span_starts_with(texts[i], SPAN(VERSION ";")))
            continue;
        if (chosen)
            return PARSE_MALFORMED;
        chosen = &texts[i];
    }
    return chosen ? mtasts_record_parse(*chosen, id) : PARSE_MALFORMED;
}
