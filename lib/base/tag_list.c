/* base/tag_list - see tag_list.h. */
#include "base/tag_list.h"

#include "base/ascii.h"

enum { NAME_MAX_BYTES = 32 };

bool tag_list_begin(struct span text, struct span version, struct span *rest)
{
    struct span first;
    return span_split_once(text, ';', &first, rest) && span_starts_with(first, version) &&
           span_equals(span_trim_spaces(first), version);
}

enum tag_list_step tag_list_next(struct span *rest, struct span *name, struct span *value)
{
    struct span tag;
    if (span_is_empty(span_trim_spaces(*rest)))
        return TAG_LIST_END;
    (void)span_split_once(*rest, ';', &tag, rest);
    return span_split_once(span_trim_spaces(tag), '=', name, value) ? TAG_LIST_TAG
                                                                    : TAG_LIST_MALFORMED;
}

bool tag_list_is_name(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alnum(name.bytes[i]) && (i == 0 || !span_byte_is_one_of(name, i, "_-.", 3)))
            return false;
    return name.length > 0 && name.length <= NAME_MAX_BYTES;
}

bool tag_list_is_extension(struct span name, struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_print(value.bytes[i]) || span_byte_is_one_of(value, i, " =;", 3))
            return false;
    return value.length > 0 && tag_list_is_name(name);
}

const struct span *tag_list_choose(const struct span *texts, size_t count, struct span version)
{
    const struct span *chosen = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!span_starts_with(texts[i], version) ||
            !span_byte_is_one_of(texts[i], version.length, ";", 1))
            continue;
        if (chosen)
            return NULL;
        chosen = &texts[i];
    }
    return chosen;
}
