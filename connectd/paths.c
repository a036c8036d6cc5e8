/* connectd/paths - see paths.h. */
#include "paths.h"

/* No way up, no NUL, and a name at the end. */
static bool is_plain(struct span path)
{
    struct span rest = path, part;
    bool has_more = true;
    if (span_is_empty(path) || span_find_byte(path, '\0') < path.length ||
        path.bytes[path.length - 1] == '/')
        return false;
    while (has_more) {
        has_more = span_split_once(rest, '/', &part, &rest);
        if (span_equals(part, SPAN("..")))
            return false;
    }
    return true;
}

static struct span path_of(struct span word)
{
    static const struct span mark = SPAN_LITERAL("unix:");
    const size_t at = span_find(word, mark);
    const bool is_next_hop = at < word.length && (at == 0 || word.bytes[at - 1] == ':');
    if (is_next_hop)
        return span_after(word, at + mark.length);
    return span_find_byte(word, '/') < word.length ? word : span_empty();
}

bool paths_permit(struct span setting, struct span path)
{
    struct span word;
    if (!is_plain(path))
        return false;
    while (span_next_word(&setting, ", \t\r\n", &word)) {
        const struct span permitted = path_of(word);
        if (span_is_empty(permitted))
            continue;
        if (permitted.bytes[permitted.length - 1] == '/' ? span_starts_with(path, permitted)
                                                         : span_equals(path, permitted))
            return true;
    }
    return false;
}
