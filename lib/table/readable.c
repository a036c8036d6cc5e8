/* table/readable - see readable.h. */
#include "table/readable.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "conf/addrd.h"
#include "conf/part.h"
#include "table/names.h"
#include "table/restrictions.h"
#include "table/table.h"

enum { LIST_MAX_BYTES = 1 << 20, PATH_MAX_BYTES = 2048, SHOWN_MAX_BYTES = 100 };

struct reader {
    uid_t uid;
    gid_t gid;
    struct span name; /* of the parameter */
    struct span origin;
    struct conf_notices *notices;
};

/* Right is one of the bits rwx of others. An access list may permit more than the mode shows. */
static bool may(const struct reader *reader, const char *path, mode_t right)
{
    struct stat facts;
    if (stat(path, &facts) != 0)
        return true; /* that it is not there is said elsewhere */
    if (facts.st_uid == reader->uid)
        right <<= 6;
    else if (facts.st_gid == reader->gid)
        right <<= 3;
    return (facts.st_mode & right) != 0 || getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static void check_path(const struct reader *reader, struct span file)
{
    char path[PATH_MAX_BYTES];
    if (!span_starts_with(file, SPAN("/")) || file.length >= sizeof(path))
        return;
    memcpy(path, file.bytes, file.length);
    path[file.length] = '\0';
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        const bool may_enter = may(reader, path, S_IXOTH);
        if (!may_enter)
            conf_notice_add(reader->notices, CONF_NOTICE_WARNING,
                            "%.*s %.*s: the user of addrd (uid %u) may not enter %s, and mail that "
                            "needs what is there waits: chmod o+x %s",
                            SPAN_PRINTF(reader->origin), SPAN_PRINTF(reader->name), reader->uid,
                            path, path);
        *slash = '/';
        if (!may_enter)
            return;
    }
    if (!may(reader, path, S_IROTH))
        conf_notice_add(reader->notices, CONF_NOTICE_WARNING,
                        "%.*s %.*s: the user of addrd (uid %u) may not read %s, and mail that "
                        "needs it waits: chgrp %u %s and chmod g+r %s, or chmod o+r",
                        SPAN_PRINTF(reader->origin), SPAN_PRINTF(reader->name), reader->uid, path,
                        reader->gid, path, path);
}

static void check_files(const struct reader *reader, const struct table *table)
{
    check_path(reader, table_file(table));
    for (size_t i = 0; i < table_part_count(table); i++)
        check_files(reader, table_part(table, i));
}

static void check_word(const struct reader *reader, struct span word)
{
    struct buffer ignored;
    while (span_starts_with(word, SPAN("!")))
        word = span_after(word, 1);
    if (span_starts_with(word, SPAN("/"))) {
        check_path(reader, word);
        return;
    }
    if (span_find_byte(word, ':') == word.length || span_starts_with(word, SPAN("[")))
        return;
    buffer_init(&ignored, NULL, PATH_MAX_BYTES);
    struct table *table = table_open(word, NULL, &ignored); /* what is none was said */
    if (table)
        check_files(reader, table);
    table_close(&table);
    buffer_release(&ignored);
}

static void check_restrictions(const struct reader *reader, struct span value)
{
    struct restriction_list list;
    struct conf_error ignored;
    struct arena arena;
    arena_init(&arena, LIST_MAX_BYTES, 0);
    if (restriction_list_parse(value, &arena, &list, &ignored))
        for (size_t i = 0; i < list.count; i++)
            check_word(reader, list.items[i].table.names);
    arena_destroy(&arena);
}

/* Held tables and those of passwords are opened as root; aliases are read by local, too. */
static bool is_of_addrd(struct span name, const struct conf_parameter *parameter)
{
    for (size_t i = 0; i < conf_part_addrd.parameter_count; i++)
        if (span_equals(name, span_from_string(conf_part_addrd.parameters[i].name)))
            return parameter->content == CONF_CONTENT_TABLES ||
                   parameter->content == CONF_CONTENT_MATCH_LIST;
    return false;
}

static void check_value(struct reader *reader, const struct conf_instance *instance,
                        const struct conf_service *service, struct span name)
{
    const struct conf_parameter *parameter = conf_parameter_for_value(name);
    struct conf_error ignored;
    struct buffer value;
    if (!parameter ||
        (parameter->content != CONF_CONTENT_RESTRICTIONS && !is_of_addrd(name, parameter)))
        return;
    reader->name = name;
    reader->origin = conf_instance_origin(instance, service, name);
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    if (conf_instance_value(instance, service, name, &value, &ignored)) {
        struct span rest = buffer_span(&value), word;
        if (parameter->content == CONF_CONTENT_RESTRICTIONS)
            check_restrictions(reader, rest);
        else
            while (table_next_name(&rest, &word))
                check_word(reader, word);
    }
    buffer_release(&value);
}

void table_check_readable(const struct conf_instance *instance, uid_t uid, gid_t gid,
                          struct conf_notices *notices)
{
    struct reader reader = {uid, gid, span_empty(), span_empty(), notices};
    for (size_t i = 0; i < instance->main.entry_count; i++)
        check_value(&reader, instance, NULL, instance->main.entries[i].name);
    for (size_t i = 0; i < instance->master.service_count; i++) {
        const struct conf_service *service = &instance->master.services[i];
        for (size_t n = 0; n < service->override_count; n++)
            check_value(&reader, instance, service, service->overrides[n].name);
    }
}
