/* table/check - are the tables that a setting names usable? */
#include "table/check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "table/clients.h"
#include "table/held.h"
#include "table/names.h"
#include "table/table.h"

enum { CHECK_ERROR_MAX_BYTES = 512 };

struct table_setting {
    struct span name;
    struct span origin;
    struct conf_notices *notices;
};

static void note(const struct table_setting *setting, enum conf_notice_level level,
                 struct span word, struct span reason)
{
    conf_notice_add(setting->notices, level, "%.*s %.*s: %.*s: %.*s", SPAN_PRINTF(setting->origin),
                    SPAN_PRINTF(setting->name), SPAN_PRINTF(span_first(word, 100)),
                    SPAN_PRINTF(reason));
}

/* Only looked for, not read: whoever checks may be root, and the file somebody else's. */
static void check_file(const struct table_setting *setting, struct span word, struct span file)
{
    char *path = arena_string(setting->notices->arena, file);
    struct buffer reason;
    if (span_is_empty(file) || !path || access(path, R_OK) == 0)
        return;
    buffer_init(&reason, NULL, CHECK_ERROR_MAX_BYTES);
    buffer_append_format(&reason, "open %s: %s", path, strerror(errno));
    note(setting, CONF_NOTICE_WARNING, word, buffer_span(&reason));
    buffer_release(&reason);
}

static void check_files(const struct table_setting *setting, struct span word,
                        const struct table *table)
{
    check_file(setting, word, table_file(table));
    for (size_t i = 0; i < table_part_count(table); i++)
        check_files(setting, word, table_part(table, i));
}

static void check_table(const struct table_setting *setting, struct span word)
{
    struct buffer error;
    buffer_init(&error, NULL, CHECK_ERROR_MAX_BYTES);
    struct table *table = table_open(word, NULL, &error);
    if (table)
        check_files(setting, word, table);
    else
        note(setting, CONF_NOTICE_ERROR, word, buffer_span(&error));
    table_close(&table);
    buffer_release(&error);
}

static void check_held_table(const struct table_setting *setting, struct span word)
{
    if (table_is_held(word))
        check_table(setting, word);
    else
        note(setting, CONF_NOTICE_ERROR, word, SPAN(TABLE_HELD_TYPES " is needed here"));
}

/* A word of a list of names: "!" before it changes nothing here, and a name is always right. */
static void check_match_word(const struct table_setting *setting, struct span word)
{
    while (span_starts_with(word, SPAN("!")))
        word = span_after(word, 1);
    if (span_starts_with(word, SPAN("/")))
        check_file(setting, word, word);
    else if (span_find_byte(word, ':') < word.length && !span_starts_with(word, SPAN("[")))
        check_table(setting, word);
}

static void check_client(const struct table_setting *setting, struct span word)
{
    struct buffer error;
    buffer_init(&error, NULL, CHECK_ERROR_MAX_BYTES);
    if (!client_list_check_word(word, &error))
        conf_notice_add(setting->notices, CONF_NOTICE_ERROR, "%.*s %.*s: %.*s",
                        SPAN_PRINTF(setting->origin), SPAN_PRINTF(setting->name),
                        SPAN_PRINTF(buffer_span(&error)));
    buffer_release(&error);
}

void table_check_setting(void *context UNUSED, const struct conf_parameter *parameter,
                         struct span name, struct span value, struct span origin,
                         struct conf_notices *notices)
{
    const struct table_setting setting = {name, origin, notices};
    struct span rest = value, word;

    if (parameter->content != CONF_CONTENT_TABLES &&
        parameter->content != CONF_CONTENT_HELD_TABLES &&
        parameter->content != CONF_CONTENT_MATCH_LIST && parameter->content != CONF_CONTENT_CLIENTS)
        return;
    while (table_next_name(&rest, &word)) {
        if (parameter->content == CONF_CONTENT_TABLES)
            check_table(&setting, word);
        else if (parameter->content == CONF_CONTENT_HELD_TABLES)
            check_held_table(&setting, word);
        else if (parameter->content == CONF_CONTENT_CLIENTS)
            check_client(&setting, word);
        else
            check_match_word(&setting, word);
    }
}
