/* base/tag_list - see tag_list.h. */
#include "base/tag_list.h"

#include "base/ascii.h"

enum { NAME_MAX_BYTES = 32 };
enum step { STEP_TAG, STEP_END, STEP_MALFORMED };

/* Is the text a record of that version? *rest is then what follows it. */
static bool begin(struct span text, struct span version, struct span *rest)
{
    struct span first;
    return span_split_once(text, ';', &first, rest) && span_starts_with(first, version) &&
           span_equals(span_trim_spaces(first), version);
}

/* The next tag off *rest. One delimiter may stand at the end; between two there is a tag. */
static enum step next(struct span *rest, struct span *name, struct span *value)
{
    struct span tag;
    if (span_is_empty(span_trim_spaces(*rest)))
        return STEP_END;
    (void)span_split_once(*rest, ';', &tag, rest);
    return span_split_once(span_trim_spaces(tag), '=', name, value) ? STEP_TAG : STEP_MALFORMED;
}

bool tag_list_is_name(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alnum(name.bytes[i]) && (i == 0 || !span_byte_is_one_of(name, i, "_-.", 3)))
            return false;
    return name.length > 0 && name.length <= NAME_MAX_BYTES;
}

/* A tag that nobody knows and that may stand there. */
static bool is_extension(struct span name, struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_print(value.bytes[i]) || span_byte_is_one_of(value, i, " =;", 3))
            return false;
    return value.length > 0 && tag_list_is_name(name);
}

bool tag_list_find(struct span text, struct span version, struct span wanted,
                   bool (*is_value)(struct span value), struct span *found)
{
    struct span rest, name, value, first = span_empty();
    enum step step;
    bool is_there = false;
    if (!begin(text, version, &rest))
        return false;
    while ((step = next(&rest, &name, &value)) == STEP_TAG) {
        const bool is_wanted = span_equals(name, wanted);
        if (is_wanted ? !is_value(value) : !is_extension(name, value))
            return false;
        /* RFC 8461 section 3.2: of repeated fields the first one counts. */
        if (is_wanted && !is_there)
            first = value;
        is_there |= is_wanted;
    }
    if (step == STEP_MALFORMED || !is_there)
        return false;
    *found = first;
    return true;
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
