/* conf/main_cf - the text of main.cf as a sorted list of names with raw values. */
#include "conf/main_cf.h"

#include <stdlib.h>

#include "base/ascii.h"
#include "base/buffer.h"
#include "conf/part.h"
#include "conf/known.h"
#include "conf/lines.h"

static struct span trim(struct span text)
{
    while (text.length > 0 && ascii_is_space(text.bytes[0]))
        text = span_after(text, 1);
    while (text.length > 0 && ascii_is_space(text.bytes[text.length - 1]))
        text = span_first(text, text.length - 1);
    return text;
}

bool conf_split_assignment(struct span text, struct span *name, struct span *value,
                           const char **reason)
{
    struct span left, right;
    const bool has_sign = span_split_once(text, '=', &left, &right);

    left = trim(left);
    if (has_sign && span_is_empty(left)) {
        *reason = "a parameter name is missing before '='";
        return false;
    }
    bool has_space = false;
    for (size_t i = 0; i < left.length; i++)
        has_space = has_space || ascii_is_space(left.bytes[i]);
    if (!has_sign || has_space) {
        *reason = "expected \"name = value\"; '=' is missing after the name";
        return false;
    }
    if (memchr(text.bytes, 0, text.length)) {
        *reason = "a NUL byte is not allowed";
        return false;
    }
    *name = left;
    *value = trim(right);
    return true;
}

/* Entries of one name keep the order of their lines: qsort is not stable, so the line decides. */
static int compare_entries(const void *left, const void *right)
{
    const struct conf_entry *a = left, *b = right;
    const int order = span_compare(a->name, b->name);
    return order ? order : (a->line > b->line) - (a->line < b->line);
}

static void keep_last_of_each(struct conf_main *main, struct conf_notices *notices)
{
    size_t kept = 0;
    for (size_t i = 0; i < main->entry_count; i++) {
        const bool is_first =
            kept == 0 || !span_equals(main->entries[kept - 1].name, main->entries[i].name);
        if (!is_first)
            conf_notice_add(notices, CONF_NOTICE_WARNING,
                            "%.*s, line %u: overriding earlier entry: %.*s=%.*s",
                            SPAN_PRINTF(main->file), main->entries[i].line,
                            SPAN_PRINTF(main->entries[kept - 1].name),
                            SPAN_PRINTF(span_first(main->entries[kept - 1].value, 200)));
        main->entries[is_first ? kept++ : kept - 1] = main->entries[i];
    }
    main->entry_count = kept;
}

static bool count_lines(struct span text, struct buffer *line, size_t *count)
{
    struct conf_lines lines;
    uint32_t first_line;
    *count = 0;
    conf_lines_init(&lines, text);
    while (conf_lines_next(&lines, line, &first_line)) {
        if (!buffer_ok(line))
            return false;
        (*count)++;
    }
    return *count <= CONF_MAIN_MAX_ENTRIES;
}

/* "  name = value" does not set name: it belongs to the value above it. */
static void note_swallowed(struct span line, struct span file, uint32_t number,
                           struct conf_notices *notices)
{
    struct span name, value, transport;
    const char *reason;
    if (conf_split_assignment(span_trim_spaces(line), &name, &value, &reason) &&
        (conf_parameter_find(name, &transport) || conf_known_find(name)))
        conf_notice_add(notices, CONF_NOTICE_WARNING,
                        "%.*s, line %u: begins with white space and so continues the line above: "
                        "%.*s is not set by it",
                        SPAN_PRINTF(file), number, SPAN_PRINTF(name));
}

static void note_all_swallowed(struct span text, struct span file, struct conf_notices *notices)
{
    struct span line;
    for (uint32_t number = 1; !span_is_empty(text); number++) {
        (void)span_split_once(text, '\n', &line, &text); /* the last line may lack its end */
        if (line.length > 0 && ascii_is_space(line.bytes[0]))
            note_swallowed(line, file, number, notices);
    }
}

/* "value # text". */
static void note_comment(const struct conf_entry *entry, struct span file,
                         struct conf_notices *notices)
{
    const struct span value = entry->value;
    const size_t sign = span_find(value, SPAN(" # "));
    if (sign < value.length)
        conf_notice_add(notices, CONF_NOTICE_WARNING,
                        "%.*s, line %u: %.*s: the value goes on after \"#\", which begins a "
                        "comment only at the start of a line",
                        SPAN_PRINTF(file), entry->line, SPAN_PRINTF(entry->name));
}

bool conf_main_parse(struct span text, struct span file, struct arena *arena,
                     struct conf_main *main, struct conf_notices *notices)
{
    const size_t errors_before = notices->error_count;
    struct buffer line;
    struct conf_lines lines;
    uint32_t number = 0;
    size_t count;

    *main = (struct conf_main){.file = file};
    if (span_starts_with(text, SPAN("\xef\xbb\xbf")))
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s, line 1: a byte order mark stands before the first name: save the "
                        "file without it",
                        SPAN_PRINTF(file));
    buffer_init(&line, NULL, CONF_LINE_MAX_BYTES);
    if (!count_lines(text, &line, &count) ||
        !(main->entries = arena_alloc(arena, (count ? count : 1) * sizeof(*main->entries)))) {
        conf_notice_add(notices, CONF_NOTICE_ERROR,
                        "%.*s: too large: a line may have %d bytes, the file %d parameters",
                        SPAN_PRINTF(file), CONF_LINE_MAX_BYTES, CONF_MAIN_MAX_ENTRIES);
        goto done;
    }
    conf_lines_init(&lines, text);
    while (conf_lines_next(&lines, &line, &number)) {
        struct span name, value;
        const char *reason = "a parameter starts in the first column: this line continues nothing";
        const struct span content = buffer_span(&line);
        if (ascii_is_space(content.bytes[0]) ||
            !conf_split_assignment(content, &name, &value, &reason)) {
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s, line %u: %s: \"%.*s\"",
                            SPAN_PRINTF(file), number, reason,
                            SPAN_PRINTF(span_first(content, 100)));
            continue;
        }
        struct conf_entry *entry = &main->entries[main->entry_count];
        entry->name = arena_copy(arena, name);
        entry->value = arena_copy(arena, value);
        entry->line = number;
        if (!entry->name.bytes || !entry->value.bytes) {
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s: too large for the memory set aside",
                            SPAN_PRINTF(file));
            break;
        }
        note_comment(entry, file, notices);
        main->entry_count++;
    }
    note_all_swallowed(text, file, notices);
    qsort(main->entries, main->entry_count, sizeof(*main->entries), compare_entries);
    keep_last_of_each(main, notices);
done:
    buffer_release(&line);
    return notices->error_count == errors_before;
}

struct conf_entry *conf_main_find(const struct conf_main *main, struct span name)
{
    size_t low = 0, high = main->entry_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = span_compare(main->entries[middle].name, name);
        if (order == 0)
            return &main->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool conf_main_set(struct conf_main *main, struct span name, struct span value, struct arena *arena)
{
    struct conf_entry *entry = conf_main_find(main, name);
    const struct span text = arena_copy(arena, value);

    if (!text.bytes)
        return false;
    if (!entry) {
        struct conf_entry *entries =
            arena_alloc(arena, (main->entry_count + 1) * sizeof(*main->entries));
        const struct span copy = arena_copy(arena, name);
        if (!entries || !copy.bytes)
            return false;
        if (main->entry_count > 0)
            memcpy(entries, main->entries, main->entry_count * sizeof(*entries));
        entries[main->entry_count] = (struct conf_entry){.name = copy};
        main->entries = entries;
        main->entry_count++;
        qsort(entries, main->entry_count, sizeof(*entries), compare_entries);
        entry = conf_main_find(main, copy);
        ASSERT(entry);
    }
    entry->value = text;
    return true;
}
