/* table/root_alias - see root_alias.h. The texts of databases are read, as they are the
 * administrator's; the databases are not (table/check.c). */
#include "table/root_alias.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"
#include "table/alias_source.h"
#include "table/names.h"
#include "table/source.h"

enum { TEXT_MAX_BYTES = 8 << 20, SHOWN_MAX_BYTES = 100 };

enum answer { ANSWER_NO, ANSWER_YES, ANSWER_UNKNOWN };

static bool is_root(struct span line)
{
    struct buffer name, value;
    buffer_init(&name, NULL, TABLE_SOURCE_LINE_MAX_BYTES);
    buffer_init(&value, NULL, TABLE_SOURCE_LINE_MAX_BYTES);
    const bool result = alias_source_split(line, &name, &value) == ALIAS_FINE &&
                        span_equals_ascii_nocase(buffer_span(&name), SPAN("root"));
    buffer_release(&name);
    buffer_release(&value);
    return result;
}

static enum answer find_root(struct span text)
{
    struct table_source source;
    struct table_source_entry entry;
    enum answer answer = ANSWER_NO;
    enum parse_result result = PARSE_OK;
    size_t consumed = 0;
    table_source_init(&source, NULL, false);
    while (answer == ANSWER_NO && result == PARSE_OK) {
        result = table_source_next(&source, text, true, &entry, &consumed);
        text = span_after(text, consumed);
        if (result == PARSE_OK && is_root(entry.line))
            answer = ANSWER_YES;
    }
    table_source_release(&source);
    return result == PARSE_TOO_LONG ? ANSWER_UNKNOWN : answer;
}

static enum answer look_into(struct span file)
{
    enum answer answer = ANSWER_UNKNOWN;
    struct arena arena;
    struct stat facts;
    struct span text;
    arena_init(&arena, 2 * TEXT_MAX_BYTES, 0);
    const char *path = arena_string(&arena, file);
    const int descriptor = path ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    if (descriptor >= 0 && fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode) &&
        (facts.st_uid == 0 || facts.st_uid == geteuid()) &&
        file_read_whole(AT_FDCWD, path, TEXT_MAX_BYTES, &arena, &text) == 0)
        answer = find_root(text);
    file_close(descriptor);
    arena_destroy(&arena);
    return answer;
}

static enum answer ask_table(struct span word)
{
    static const char *const built[] = {"hash:/", "btree:/", "cdb:/", "lmdb:/"};
    for (size_t i = 0; i < ARRAY_LENGTH(built); i++)
        if (span_starts_with(word, span_from_string(built[i])))
            return look_into(span_after(word, span_find_byte(word, ':') + 1));
    return ANSWER_UNKNOWN;
}

static bool has_value(const struct conf_instance *instance, struct span name, struct buffer *value)
{
    struct conf_error ignored;
    buffer_reset(value);
    return conf_instance_value(instance, NULL, name, value, &ignored);
}

/* Does mail for root come to local, and not to another transport in place of its mailbox? */
static bool is_local(const struct conf_instance *instance, struct buffer *value)
{
    bool is_served = false;
    for (size_t i = 0; i < instance->master.service_count; i++)
        is_served = is_served || span_equals(instance->master.services[i].program, SPAN("local"));
    return is_served && has_value(instance, SPAN("mydestination"), value) && value->length > 0 &&
           has_value(instance, SPAN("mailbox_transport"), value) && value->length == 0 &&
           has_value(instance, SPAN("local_transport"), value) &&
           span_starts_with(buffer_span(value), SPAN("local:"));
}

void table_check_root_alias(const struct conf_instance *instance, struct conf_notices *notices)
{
    enum answer answer = ANSWER_NO;
    struct buffer value;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (is_local(instance, &value) && has_value(instance, SPAN("alias_maps"), &value)) {
        struct span rest = buffer_span(&value), word;
        while (answer == ANSWER_NO && table_next_name(&rest, &word))
            answer = ask_table(word);
        if (answer == ANSWER_NO)
            conf_notice_add(notices, CONF_NOTICE_WARNING,
                            "%.*s alias_maps = %.*s: root has no alias; nothing is delivered as "
                            "root, and its mail waits and is returned in the end: add a line "
                            "\"root: user\" to the aliases, and run newaliases",
                            SPAN_PRINTF(conf_instance_origin(instance, NULL, SPAN("alias_maps"))),
                            SPAN_PRINTF(span_first(buffer_span(&value), SHOWN_MAX_BYTES)));
    }
    buffer_release(&value);
}
