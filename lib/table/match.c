/* table/match - see match.h. */
#include "table/match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "table/names.h"
#include "table/table_private.h"

enum {
    MATCH_FILE_MAX_BYTES = 16 * 1024 * 1024,
    MATCH_ARENA_MAX_BYTES = 64 * 1024 * 1024,
    MATCH_READ_BYTES = 64 * 1024,
    MATCH_FILE_DEPTH_MAX = 10,
    MATCH_ERROR_MAX_BYTES = 2048
};

struct pattern {
    struct pattern *next;
    struct span name;    /* a literal, where table is NULL */
    struct table *table; /* owned */
    bool is_negated;
};

struct table_match {
    enum table_match_style style;
    const struct table_options *options; /* while opening */
    struct arena arena;
    struct pattern *first;
    struct pattern **end;
    struct table **tables;
    size_t table_count;
    struct buffer error;
    struct buffer value; /* looked up and of no interest; emptied before every lookup */
};

static bool add_words(struct table_match *match, struct span words, bool is_negated, int depth);

static void warn(const struct table_match *match, struct span text)
{
    if (match->options && match->options->warn)
        match->options->warn(match->options->warn_context, text);
}

static bool add_pattern(struct table_match *match, struct pattern pattern)
{
    struct pattern *added = arena_alloc(&match->arena, sizeof(*added));
    if (!added)
        return false;
    *added = pattern;
    *match->end = added;
    match->end = &added->next;
    return true;
}

static bool add_table(struct table_match *match, struct table *table, bool is_negated)
{
    struct table **grown =
        table ? realloc(match->tables, (match->table_count + 1) * sizeof(struct table *)) : NULL;
    if (!grown) {
        table_close(&table);
        return false;
    }
    match->tables = grown;
    grown[match->table_count++] = table;
    return add_pattern(match, (struct pattern){.table = table, .is_negated = is_negated});
}

/* The word could not be opened: whoever gets there gets a temporary error. */
static bool add_unavailable(struct table_match *match, struct span word, bool is_negated)
{
    warn(match, buffer_span(&match->error));
    return add_table(match, table_open_unavailable(word, buffer_span(&match->error)), is_negated);
}

/* All of a file, comments left out; a span with NULL bytes and errno on failure. */
static struct span read_words(struct table_match *match, const char *path)
{
    const struct span failure = {NULL, 0};
    struct buffer text;
    ssize_t count = 1;

    buffer_init(&text, &match->arena, MATCH_FILE_MAX_BYTES);
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return failure;
    while (count != 0) {
        uint8_t *room = buffer_reserve(&text, MATCH_READ_BYTES);
        count = room ? read(descriptor, room, MATCH_READ_BYTES) : -1;
        if (!room)
            errno = EFBIG;
        else if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            break;
        buffer_extend(&text, (size_t)count);
    }
    const int error = errno;
    (void)close(descriptor); /* only read */
    errno = error;
    return count == 0 ? buffer_span(&text) : failure;
}

static bool add_file(struct table_match *match, struct span word, bool is_negated, int depth)
{
    const char *path = arena_string(&match->arena, word);
    struct span line;
    struct span rest;

    if (!path)
        return false;
    buffer_reset(&match->error);
    if (depth >= MATCH_FILE_DEPTH_MAX) {
        buffer_append_format(&match->error, "open file %s: files name one another", path);
        return add_unavailable(match, word, is_negated);
    }
    rest = read_words(match, path);
    if (!rest.bytes) {
        buffer_append_format(&match->error, "open file %s: %s", path, strerror(errno));
        return add_unavailable(match, word, is_negated);
    }
    while (rest.length) {
        (void)span_split_once(rest, '\n', &line, &rest);
        const struct span visible = span_trim_spaces(line);
        if (visible.length && visible.bytes[0] != '#' &&
            !add_words(match, visible, is_negated, depth + 1))
            return false;
    }
    return true;
}

/* "[" begins an address literal, which holds colons of its own. */
static bool is_table_name(struct span word)
{
    return word.bytes[0] != '[' && span_find_byte(word, ':') < word.length;
}

static bool add_word(struct table_match *match, struct span word, bool is_negated, int depth)
{
    while (word.length && word.bytes[0] == '!') {
        is_negated = !is_negated;
        word = span_after(word, 1);
    }
    buffer_reset(&match->error);
    if (word.length == 0) {
        buffer_append_string(&match->error, "no pattern after '!'");
        return add_unavailable(match, span_from_string("!"), is_negated);
    }
    if (word.bytes[0] == '/')
        return add_file(match, word, is_negated, depth);
    if (!is_table_name(word)) {
        const struct span name = arena_copy(&match->arena, word);
        return name.bytes &&
               add_pattern(match, (struct pattern){.name = name, .is_negated = is_negated});
    }
    struct table *table = table_open(word, match->options, &match->error);
    return table ? add_table(match, table, is_negated) : add_unavailable(match, word, is_negated);
}

static bool add_words(struct table_match *match, struct span words, bool is_negated, int depth)
{
    struct span word;
    bool is_next_negated = false;

    while (table_next_name(&words, &word)) {
        if (span_equals(word, span_from_string("!"))) { /* "! word" */
            is_next_negated = !is_next_negated;
            continue;
        }
        if (!add_word(match, word, is_negated != is_next_negated, depth))
            return false;
        is_next_negated = false;
    }
    return !is_next_negated || add_word(match, span_empty(), is_negated, depth);
}

struct table_match *table_match_open(struct span words, enum table_match_style style,
                                     const struct table_options *options)
{
    struct table_match *match = calloc(1, sizeof(*match));
    if (!match)
        return NULL;
    match->style = style;
    match->options = options;
    match->end = &match->first;
    arena_init(&match->arena, MATCH_ARENA_MAX_BYTES, 0);
    buffer_init(&match->error, NULL, MATCH_ERROR_MAX_BYTES);
    buffer_init(&match->value, NULL, TABLE_VALUE_MAX_BYTES);
    if (!add_words(match, words, false, 0))
        table_match_close(&match);
    else
        match->options = NULL;
    return match;
}

void table_match_close(struct table_match **match)
{
    struct table_match *const closed = *match;
    if (!closed)
        return;
    *match = NULL;
    for (size_t i = 0; i < closed->table_count; i++)
        table_close(&closed->tables[i]);
    free(closed->tables);
    buffer_release(&closed->error);
    buffer_release(&closed->value);
    arena_destroy(&closed->arena);
    free(closed);
}

static bool literal_matches(enum table_match_style style, struct span pattern, struct span name)
{
    if (span_equals_ascii_nocase(pattern, name))
        return true;
    if (style == TABLE_MATCH_EXACT || name.length <= pattern.length ||
        !span_ends_with_ascii_nocase(name, pattern))
        return false;
    if (style == TABLE_MATCH_PARENT)
        return name.bytes[name.length - pattern.length - 1] == '.';
    return pattern.bytes[0] == '.';
}

/* The name itself, then by style its parents. */
static enum table_result table_matches(struct table_match *match, struct table *table,
                                       struct span name)
{
    for (;;) {
        buffer_reset(&match->value);
        const enum table_result result = table_lookup(table, name, &match->value);
        if (result != TABLE_NOT_FOUND || match->style == TABLE_MATCH_EXACT)
            return result;
        const size_t dot = span_find_byte(span_after(name, 1), '.') + 1;
        if (dot >= name.length)
            return TABLE_NOT_FOUND;
        name = span_after(name, match->style == TABLE_MATCH_PARENT ? dot + 1 : dot);
        if (name.length == 0)
            return TABLE_NOT_FOUND;
    }
}

enum table_result table_match_lookup(struct table_match *match, struct span name)
{
    for (const struct pattern *pattern = match->first; pattern; pattern = pattern->next) {
        enum table_result result = TABLE_NOT_FOUND;
        if (pattern->table)
            result = table_matches(match, pattern->table, name);
        else if (literal_matches(match->style, pattern->name, name))
            result = TABLE_FOUND;
        if (result == TABLE_FOUND)
            return pattern->is_negated ? TABLE_NOT_FOUND : TABLE_FOUND;
        if (result == TABLE_ERROR) {
            buffer_reset(&match->error);
            buffer_append_format(&match->error, "%.*s: %.*s",
                                 SPAN_PRINTF(span_first(table_name(pattern->table), 400)),
                                 SPAN_PRINTF(span_first(table_error(pattern->table), 1000)));
        }
        if (result != TABLE_NOT_FOUND)
            return result;
    }
    return TABLE_NOT_FOUND;
}

struct span table_match_error(const struct table_match *match)
{
    return buffer_span(&match->error);
}

size_t table_match_table_count(const struct table_match *match)
{
    return match->table_count;
}

struct table *table_match_table_at(const struct table_match *match, size_t index)
{
    return match->tables[index];
}
