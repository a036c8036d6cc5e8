/* table/check - are the tables that a setting names usable? */
#include "table/check.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "conf/suggest.h"
#include "table/clients.h"
#include "table/held.h"
#include "table/names.h"
#include "table/restrictions.h"
#include "table/table.h"

enum { CHECK_ERROR_MAX_BYTES = 512, CHECK_LIST_MAX_BYTES = 1 << 20, SHOWN_MAX_BYTES = 100 };

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

/* What is built from a text by postmap, and by which of its two names. */
static const char *builder_of(const struct table_setting *setting, struct span word)
{
    static const char *const built[] = {"hash:", "btree:", "cdb:", "lmdb:"};
    for (size_t i = 0; i < ARRAY_LENGTH(built); i++)
        if (span_starts_with(word, span_from_string(built[i])))
            return span_equals(setting->name, SPAN("alias_maps")) ? "postalias" : "postmap";
    return NULL;
}

/* What was changed in the text since is not in the table. */
static void check_age(const struct table_setting *setting, struct span word, const char *path,
                      const struct stat *database)
{
    const char *builder = builder_of(setting, word);
    const char *end = strrchr(path, '.');
    struct buffer reason;
    struct stat text;
    const char *source =
        builder && end ? arena_string(setting->notices->arena, span_of(path, (size_t)(end - path)))
                       : NULL;
    if (!source || stat(source, &text) != 0 || text.st_mtime <= database->st_mtime)
        return;
    buffer_init(&reason, NULL, CHECK_ERROR_MAX_BYTES);
    buffer_append_format(&reason, "database %s is older than source file %s; %s %.*s makes it anew",
                         path, source, builder, SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    note(setting, CONF_NOTICE_WARNING, word, buffer_span(&reason));
    buffer_release(&reason);
}

/* Databases are looked for and not read: whoever checks may be root, and the
 * file somebody else's. */
static void check_file(const struct table_setting *setting, struct span word, struct span file)
{
    char *path = arena_string(setting->notices->arena, file);
    struct stat facts;
    struct buffer reason;
    if (span_is_empty(file) || !path)
        return;
    const bool is_there = access(path, R_OK) == 0;
    const int error = is_there ? EISDIR : errno;
    if (is_there && (stat(path, &facts) != 0 || !S_ISDIR(facts.st_mode))) {
        check_age(setting, word, path, &facts);
        return;
    }
    const char *builder = error == ENOENT ? builder_of(setting, word) : NULL;
    buffer_init(&reason, NULL, CHECK_ERROR_MAX_BYTES);
    buffer_append_format(&reason, "open %s: %s", path, strerror(error));
    if (builder)
        buffer_append_format(&reason, "; %s %.*s makes it", builder,
                             SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    note(setting, CONF_NOTICE_WARNING, word, buffer_span(&reason));
    buffer_release(&reason);
}

/* Lines that would be left out. A text is read that is the administrator's or our own. */
static void check_text(const struct table_setting *setting, struct span word, struct table *table)
{
    static const char *const texts[] = {"texthash:", "cidr:", "regexp:", "pcre:"};
    char *path = arena_string(setting->notices->arena, table_file(table));
    struct stat facts;
    bool is_text = false;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        is_text = is_text || span_starts_with(table_name(table), span_from_string(texts[i]));
    if (!is_text || !path || stat(path, &facts) != 0 || !S_ISREG(facts.st_mode) ||
        access(path, R_OK) != 0 || (facts.st_uid != 0 && facts.st_uid != geteuid()))
        return;
    if (table_prepare(table) == TABLE_ERROR)
        note(setting, CONF_NOTICE_WARNING, word, table_error(table));
}

static void check_files(const struct table_setting *setting, struct span word,
                        const struct table *table)
{
    check_file(setting, word, table_file(table));
    for (size_t i = 0; i < table_part_count(table); i++)
        check_files(setting, word, table_part(table, i));
}

static void note_oddity(void *context, struct span text)
{
    const struct table_setting *setting = context;
    conf_notice_add(setting->notices, CONF_NOTICE_WARNING, "%.*s %.*s: %.*s",
                    SPAN_PRINTF(setting->origin), SPAN_PRINTF(setting->name),
                    SPAN_PRINTF(span_first(text, CHECK_ERROR_MAX_BYTES)));
}

static size_t count_types(void)
{
    size_t count = 0;
    while (table_type_names[count])
        count++;
    return count;
}

static void append_types(struct buffer *text)
{
    for (size_t i = 0; table_type_names[i]; i++)
        buffer_append_format(text, " %s", table_type_names[i]);
}

/* After the reason why a table cannot be opened: what to write. */
static void append_advice(struct span word, struct buffer *text)
{
    struct span type, name;
    uint8_t folded[SHOWN_MAX_BYTES];
    const bool has_type = span_split_once(word, ':', &type, &name) && type.length > 0;
    if (!has_type && span_starts_with(word, SPAN("/"))) {
        buffer_append_format(text, ": write hash:%.*s if postmap makes it, or texthash:%.*s",
                             SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)),
                             SPAN_PRINTF(span_first(word, SHOWN_MAX_BYTES)));
    } else if (!has_type) {
        buffer_append_string(text, "; these types are allowed:");
        append_types(text);
    } else if (!name.length) {
        buffer_append_string(text, ": what follows the colon is missing, or a space is before it");
    } else if (type.length < sizeof(folded)) {
        memcpy(folded, type.bytes, type.length);
        ascii_lower_in_place(folded, type.length);
        const struct span meant =
            conf_suggest_word(span_of(folded, type.length), table_type_names, count_types());
        if (meant.length) {
            buffer_append_format(text, "; did you mean %.*s?", SPAN_PRINTF(meant));
        } else {
            buffer_append_string(text, "; these are allowed:");
            append_types(text);
        }
    }
}

/* Did the name fail before any table was looked at? */
static bool is_about_name(struct span reason)
{
    return span_starts_with(reason, SPAN("open dictionary: ")) ||
           span_starts_with(reason, SPAN("unsupported dictionary type: "));
}

static void check_table(const struct table_setting *setting, struct span word)
{
    const struct table_options options = {.warn = note_oddity,
                                          .warn_context = (void *)(uintptr_t)setting};
    struct buffer error;
    buffer_init(&error, NULL, CHECK_ERROR_MAX_BYTES);
    struct table *table = table_open(word, &options, &error);
    if (table) {
        check_files(setting, word, table);
        check_text(setting, word, table);
    } else {
        if (is_about_name(buffer_span(&error)))
            append_advice(word, &error);
        note(setting, CONF_NOTICE_ERROR, word, buffer_span(&error));
    }
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

static void check_restrictions(const struct table_setting *setting, struct span value)
{
    struct restriction_list list;
    struct conf_error error;
    struct arena arena;
    arena_init(&arena, CHECK_LIST_MAX_BYTES, 0);
    if (!restriction_list_parse(value, &arena, &list, &error))
        conf_notice_add(setting->notices, CONF_NOTICE_ERROR, "%.*s %.*s = %.*s: %s",
                        SPAN_PRINTF(setting->origin), SPAN_PRINTF(setting->name),
                        SPAN_PRINTF(span_first(value, SHOWN_MAX_BYTES)), error.text);
    else
        for (size_t i = 0; i < list.count; i++)
            if (!span_is_empty(list.items[i].table.names))
                check_table(setting, list.items[i].table.names);
    arena_destroy(&arena);
}

/* What does not parse was said already, and refuses everybody. */
static bool is_closed(const struct conf_instance *instance, const struct conf_service *service,
                      struct span name)
{
    struct conf_error error;
    struct restriction_list list;
    struct buffer value;
    struct arena arena;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    arena_init(&arena, CHECK_LIST_MAX_BYTES, 0);
    const bool result = !conf_instance_value(instance, service, name, &value, &error) ||
                        !restriction_list_parse(buffer_span(&value), &arena, &list, &error) ||
                        restriction_list_is_closed(&list);
    arena_destroy(&arena);
    buffer_release(&value);
    return result;
}

void table_check_services(const struct conf_instance *instance, struct conf_notices *notices)
{
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        if ((span_equals(service->program, SPAN("smtpd")) ||
             span_equals(service->program, SPAN("submitd"))) &&
            !is_closed(instance, service, SPAN("smtpd_relay_restrictions")) &&
            !is_closed(instance, service, SPAN("smtpd_recipient_restrictions")))
            conf_notice_add(
                notices, CONF_NOTICE_ERROR,
                "%.*s, line %u: %.*s would relay for everybody: smtpd_relay_restrictions "
                "or smtpd_recipient_restrictions needs one of " RESTRICTIONS_THAT_CLOSE,
                SPAN_PRINTF(instance->master.file), service->line,
                SPAN_PRINTF(span_first(conf_service_name(service), SHOWN_MAX_BYTES)));
    }
}

/* A list of clients as its daemon reads it: nothing in it is expanded beforehand. */
static bool is_client_list(struct span name)
{
    return span_equals(name, SPAN("debug_peer_list"));
}

/* Words that stand for themselves, and tables of more (table/words.h). */
static bool is_word_list(struct span name)
{
    return span_equals(name, SPAN("smtpd_noop_commands")) ||
           span_equals(name, SPAN("smtpd_forbidden_commands"));
}

void table_check_setting(void *context UNUSED, const struct conf_parameter *parameter,
                         struct span name, struct span value, struct span origin,
                         struct conf_notices *notices)
{
    const struct table_setting setting = {name, origin, notices};
    struct span rest = value, word;

    if (parameter->content != CONF_CONTENT_TABLES &&
        parameter->content != CONF_CONTENT_HELD_TABLES &&
        parameter->content != CONF_CONTENT_RESTRICTIONS &&
        parameter->content != CONF_CONTENT_MATCH_LIST &&
        parameter->content != CONF_CONTENT_CLIENTS && !is_client_list(name) && !is_word_list(name))
        return;
    if (parameter->content == CONF_CONTENT_RESTRICTIONS) {
        check_restrictions(&setting, value);
        return;
    }
    while (table_next_name(&rest, &word)) {
        if (is_word_list(name)) {
            word = span_after(word, span_starts_with(word, SPAN("!")) ? 1 : 0);
            if (span_find_byte(word, ':') < word.length)
                check_held_table(&setting, word);
        } else if (parameter->content == CONF_CONTENT_TABLES)
            check_table(&setting, word);
        else if (parameter->content == CONF_CONTENT_HELD_TABLES)
            check_held_table(&setting, word);
        else if (parameter->content == CONF_CONTENT_CLIENTS || is_client_list(name))
            check_client(&setting, word);
        else
            check_match_word(&setting, word);
    }
}
