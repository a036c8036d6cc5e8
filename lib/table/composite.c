/* table/composite - tables made of tables:
 *   unionmap:{A, B}   all values found, joined by commas
 *   pipemap:{A, B}    what A says is looked up in B
 *   randmap:{a, b}    one of these words, by chance
 * A part that would have to wait makes the whole wait, to be asked elsewhere. */
#include <stdlib.h>

#include "base/ascii.h"
#include "system/random.h"
#include "table/names.h"
#include "table/table_private.h"

enum { COMPOSITE_WORDS_MAX = 100000 };

/* The words inside the braces into *rest; false after table_fail(). */
static bool open_braces(struct table *table, struct span argument, const char *usage,
                        struct span *rest)
{
    if (argument.bytes[0] == '{' && !table_strip_braces(argument, rest) && rest->length)
        return true;
    table_fail(table, "bad syntax: \"%.*s\"; need \"%s:{%s}\"",
               SPAN_PRINTF(span_first(table->name, 400)), table->kind->type, usage);
    return false;
}

static bool add_part(struct table *table, struct span word)
{
    struct table *part = table_open_part(table, word);
    struct table **grown =
        part ? realloc(table->parts, (table->part_count + 1) * sizeof(struct table *)) : NULL;

    if (!grown) {
        if (part)
            table_fail(table, "memory is out");
        table_close(&part);
        return false;
    }
    table->parts = grown;
    grown[table->part_count++] = part;
    return true;
}

static bool composite_open(struct table *table, struct span argument)
{
    struct span rest;
    struct span word;

    if (!open_braces(table, argument, "type:name...", &rest))
        return false;
    while (table_next_name(&rest, &word))
        if (!add_part(table, word))
            return false;
    return true;
}

static void composite_close(struct table *table)
{
    for (size_t i = 0; i < table->part_count; i++)
        table_close(&table->parts[i]);
    free(table->parts);
}

static enum table_result fail(struct table *table, const struct table *part)
{
    table_fail(table, "%.*s: %.*s", SPAN_PRINTF(span_first(part->name, 200)),
               SPAN_PRINTF(table_error(part)));
    return TABLE_ERROR;
}

static enum table_result composite_prepare(struct table *table)
{
    for (size_t i = 0; i < table->part_count; i++)
        if (table_prepare(table->parts[i]) == TABLE_ERROR)
            return fail(table, table->parts[i]);
    return TABLE_FOUND;
}

static enum table_result union_lookup(struct table *table, struct span key, struct buffer *value)
{
    enum table_result result = TABLE_NOT_FOUND;
    struct buffer joined;

    buffer_init(&joined, NULL, TABLE_VALUE_MAX_BYTES);
    for (size_t i = 0; i < table->part_count; i++) {
        const size_t before = joined.length;
        if (result == TABLE_FOUND)
            buffer_append_byte(&joined, ',');
        const enum table_result part = table_lookup(table->parts[i], key, &joined);
        if (part == TABLE_FOUND)
            result = TABLE_FOUND;
        else
            joined.length = before;
        if (part == TABLE_ERROR || part == TABLE_WOULD_BLOCK) {
            result = part == TABLE_ERROR ? fail(table, table->parts[i]) : part;
            break;
        }
    }
    if (result == TABLE_FOUND && buffer_ok(&joined)) {
        buffer_append_span(value, buffer_span(&joined));
    } else if (result == TABLE_FOUND) {
        table_fail(table, "a value is too long");
        result = TABLE_ERROR;
    }
    buffer_release(&joined);
    return result;
}

static enum table_result pipe_lookup(struct table *table, struct span key, struct buffer *value)
{
    enum table_result result = TABLE_FOUND;
    struct buffer sides[2]; /* what was said last, and what is being said */
    struct span question = key;

    buffer_init(&sides[0], NULL, TABLE_VALUE_MAX_BYTES);
    buffer_init(&sides[1], NULL, TABLE_VALUE_MAX_BYTES);
    for (size_t i = 0; i < table->part_count && result == TABLE_FOUND; i++) {
        struct buffer *answer = &sides[i % 2];
        buffer_reset(answer);
        result = table_lookup(table->parts[i], question, answer);
        if (result == TABLE_ERROR)
            (void)fail(table, table->parts[i]);
        question = buffer_span(answer);
    }
    if (result == TABLE_FOUND)
        buffer_append_span(value, question);
    buffer_release(&sides[0]);
    buffer_release(&sides[1]);
    return result;
}

struct words {
    struct span *all;
    size_t count;
};

static bool random_open(struct table *table, struct span argument)
{
    struct words *words = arena_alloc(&table->arena, sizeof(*words));
    struct span rest;
    struct span word;

    if (!words || !open_braces(table, argument, "value...", &rest))
        return false;
    table->state = words;
    while (table_next_name(&rest, &word)) {
        struct span *grown = words->count < COMPOSITE_WORDS_MAX
                                 ? realloc(words->all, (words->count + 1) * sizeof(struct span))
                                 : NULL;
        const char *problem =
            grown && word.bytes[0] == '{' ? table_strip_braces(word, &word) : NULL;
        if (grown) {
            words->all = grown;
            grown[words->count++] = word;
        }
        if (!grown || problem) {
            table_fail(table, "%s", problem ? problem : "memory is out");
            return false;
        }
    }
    return words->count > 0 || open_braces(table, span_from_string("-"), "value...", &rest);
}

static void random_close(struct table *table)
{
    struct words *words = table->state;
    if (words)
        free(words->all);
}

static enum table_result random_lookup(struct table *table, struct span key UNUSED,
                                       struct buffer *value)
{
    const struct words *words = table->state;
    buffer_append_span(value, words->all[random_below((uint32_t)words->count)]);
    return TABLE_FOUND;
}

const struct table_kind table_kind_unionmap = {.type = "unionmap",
                                               .keeps_key = true,
                                               .open = composite_open,
                                               .lookup = union_lookup,
                                               .prepare = composite_prepare,
                                               .close = composite_close};
const struct table_kind table_kind_pipemap = {.type = "pipemap",
                                              .keeps_key = true,
                                              .open = composite_open,
                                              .lookup = pipe_lookup,
                                              .prepare = composite_prepare,
                                              .close = composite_close};
const struct table_kind table_kind_randmap = {
    .type = "randmap", .open = random_open, .lookup = random_lookup, .close = random_close};
