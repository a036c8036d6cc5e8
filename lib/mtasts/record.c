/* mtasts/record - see record.h. */
#include "mtasts/record.h"

#include "base/ascii.h"
#include "base/tag_list.h"

static const struct span version = SPAN_LITERAL("v=STSv1");

static bool is_id(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_alnum(text.bytes[i]))
            return false;
    return text.length > 0 && text.length <= MTASTS_ID_MAX_BYTES;
}

enum parse_result mtasts_record_parse(struct span text, struct span *id)
{
    struct span rest, name, value, found = span_empty();
    enum tag_list_step step;
    if (!tag_list_begin(text, version, &rest))
        return PARSE_MALFORMED;
    while ((step = tag_list_next(&rest, &name, &value)) == TAG_LIST_TAG) {
        const bool is_ours = span_equals(name, SPAN("id"));
        if (is_ours ? !is_id(value) : !tag_list_is_extension(name, value))
            return PARSE_MALFORMED;
        /* Section 3.2: of repeated fields the first one counts. */
        if (is_ours && span_is_empty(found))
            found = value;
    }
    if (step == TAG_LIST_MALFORMED || span_is_empty(found))
        return PARSE_MALFORMED;
    *id = found;
    return PARSE_OK;
}

enum parse_result mtasts_record_choose(const struct span *texts, size_t count, struct span *id)
{
    const struct span *chosen = tag_list_choose(texts, count, version);
    return chosen ? mtasts_record_parse(*chosen, id) : PARSE_MALFORMED;
}
