/* table/words - see words.h. */
#include "table/words.h"

#include "table/held.h"
#include "table/names.h"

enum { NAMES_MAX_BYTES = 65536 };

static struct span without_mark(struct span word, bool *is_negated)
{
    while (word.length && word.bytes[0] == '!') {
        *is_negated = !*is_negated;
        word = span_after(word, 1);
    }
    return word;
}

static bool is_table(struct span word)
{
    return span_find_byte(word, ':') < word.length;
}

bool table_words_open(const char *parameter, struct span words, struct table_words *list,
                      struct conf_error *error)
{
    struct span rest = words, word;
    struct buffer names;
    bool is_negated = false;
    *list = (struct table_words){.words = words, .tables = NULL};
    buffer_init(&names, NULL, NAMES_MAX_BYTES);
    while (table_next_name(&rest, &word)) {
        word = without_mark(word, &is_negated);
        if (!is_table(word))
            continue;
        buffer_append_span(&names, word);
        buffer_append_byte(&names, ' ');
    }
    error->text[0] = '\0';
    if (!buffer_ok(&names))
        conf_error_set(error, "%s: the list is too long", parameter);
    else if (names.length)
        list->tables = table_held_open(parameter, buffer_span(&names), 0, error);
    buffer_release(&names);
    return error->text[0] == '\0';
}

static bool has_key(const struct table_words *list, size_t index, struct span key,
                    struct span *failed)
{
    struct table *const table = table_list_at(list->tables, index);
    struct buffer value;
    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    const enum table_result result = table_lookup(table, key, &value);
    buffer_release(&value);
    if (result == TABLE_ERROR || result == TABLE_WOULD_BLOCK)
        *failed = table_name(table);
    return result == TABLE_FOUND;
}

bool table_words_have(const struct table_words *list, struct span word, struct span *failed)
{
    struct span rest = list->words, listed;
    size_t table_index = 0;
    bool is_negated = false;
    *failed = span_empty();
    while (table_next_name(&rest, &listed)) {
        listed = without_mark(listed, &is_negated);
        if (span_is_empty(listed)) /* "! word" */
            continue;
        if (is_table(listed) ? has_key(list, table_index++, word, failed)
                             : span_equals_ascii_nocase(listed, word))
            return !is_negated;
        if (failed->length)
            return false;
        is_negated = false;
    }
    return false;
}

void table_words_close(struct table_words *list)
{
    table_list_close(&list->tables);
    list->words = span_empty();
}
