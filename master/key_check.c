/* master/key_check - see key_check.h. */
#include "key_check.h"

#include <stdio.h>
#include <time.h>

#include "table/list.h"
#include "tls/key_files.h"

enum { SETTINGS_MAX_BYTES = 8 << 20, LABEL_MAX_BYTES = 256, SHOWN_MAX_BYTES = 100 };

static void note(void *context, const char *text)
{
    conf_notice_add(context, CONF_NOTICE_WARNING, "%s", text);
}

/* Entries of tables in memory name files; what others hold is read when it is asked for. */
struct entry_check {
    struct conf_notices *notices;
    const struct table *table;
};

static bool check_entry(void *context, struct span key, struct span value)
{
    const struct entry_check *check = context;
    char label[LABEL_MAX_BYTES];
    struct tls_chains chains;
    (void)snprintf(label, sizeof(label), "tls_server_sni_maps: %.*s: %.*s",
                   SPAN_PRINTF(span_first(table_name(check->table), SHOWN_MAX_BYTES)),
                   SPAN_PRINTF(span_first(key, SHOWN_MAX_BYTES)));
    tls_chains_init(&chains, label, time(NULL), note, check->notices);
    tls_key_files_list(value, &chains);
    tls_chains_clear(&chains);
    return true;
}

static void check_tables(struct span names, struct conf_notices *notices)
{
    const struct table_options options = {.flags = TABLE_READ_ONCE};
    struct table_list *list = table_list_open(names, &options);
    for (size_t i = 0; list && i < table_list_count(list); i++) {
        struct table *table = table_list_at(list, i);
        struct entry_check check = {notices, table};
        if ((span_starts_with(table_name(table), SPAN("inline:")) ||
             span_starts_with(table_name(table), SPAN("texthash:"))) &&
            table_prepare(table) == TABLE_FOUND)
            (void)!table_walk(table, check_entry, &check); /* what is not a table is noted before */
    }
    table_list_close(&list);
}

static bool check_service(void *context, const struct tls_key_service *service)
{
    struct tls_chains chains;
    tls_chains_init(&chains, service->settings.prefix, time(NULL), note, context);
    (void)!tls_key_files_read(&service->settings, &chains); /* what is wrong is noted */
    tls_chains_clear(&chains);
    check_tables(service->tables, context);
    return true;
}

void key_check(const struct plan *plan, struct conf_notices *notices)
{
    struct conf_keyd conf;
    struct arena arena;
    arena_init(&arena, SETTINGS_MAX_BYTES, 0);
    if (conf_instance_load(&plan->instance, NULL, &conf_part_keyd, &arena, &conf, notices))
        tls_key_services_each(&conf, check_service, notices);
    arena_destroy(&arena);
}
