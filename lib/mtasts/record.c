/* mtasts/record - see record.h. */
#include "mtasts/record.h"

#include "base/ascii.h"
#include "base/tag_list.h"

static const struct span version = SPAN_LITERAL("v=STSv1");

bool mtasts_record_is_id(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (!ascii_is_alnum(text.bytes[i]))
            return false;
    return text.length > 0 && text.length <= MTASTS_ID_MAX_BYTES;
}

enum parse_result mtasts_record_parse(struct span text, struct span *id)
{
    return tag_list_find(text, version, SPAN("id"), mtasts_record_is_id, id) ? PARSE_OK
                                                                             : PARSE_MALFORMED;
}

enum parse_result mtasts_record_choose(const struct span *texts, size_t count, struct span *id)
{
    const struct span *chosen = tag_list_choose(texts, count, version);
    return chosen ? mtasts_record_parse(*chosen, id) : PARSE_MALFORMED;
}
