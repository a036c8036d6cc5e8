/* addrd/tables - see tables.h. */
#include "tables.h"

#include <stdlib.h>

#include "table/names.h"
#include "table/restrictions.h"

bool addr_tables_parent_matches(const struct conf_addrd *settings, const char *parameter)
{
    struct span rest = settings->parent_domain_matches_subdomains;
    struct span word;

    while (table_next_name(&rest, &word))
        if (span_equals_ascii_nocase(word, span_from_string(parameter)))
            return true;
    return false;
}

/* Every list by its setting, so that opening, numbering and closing go through one table. */
struct list_row {
    size_t list;  /* offset in struct addr_tables */
    size_t names; /* offset in struct conf_addrd */
};
#define LIST_ROW(field, setting)                                                                   \
    {                                                                                              \
        offsetof(struct addr_tables, field), offsetof(struct conf_addrd, setting)                  \
    }
static const struct list_row list_rows[] = {
    LIST_ROW(local_recipients, local_recipient_maps),
    LIST_ROW(virtual_aliases, virtual_alias_maps),
    LIST_ROW(virtual_mailboxes, virtual_mailbox_maps),
    LIST_ROW(relay_recipients, relay_recipient_maps),
    LIST_ROW(transports, transport_maps),
    LIST_ROW(relayhosts_by_sender, sender_dependent_relayhost_maps),
    LIST_ROW(transports_by_sender, sender_dependent_default_transport_maps),
    LIST_ROW(verify_transports, address_verify_transport_maps),
    LIST_ROW(verify_relayhosts_by_sender, address_verify_sender_dependent_relayhost_maps),
    LIST_ROW(verify_transports_by_sender, address_verify_sender_dependent_default_transport_maps),
    LIST_ROW(relocated, relocated_maps),
    LIST_ROW(canonical, canonical_maps),
    LIST_ROW(sender_canonical, sender_canonical_maps),
    LIST_ROW(recipient_canonical, recipient_canonical_maps),
    LIST_ROW(smtp_generic, smtp_generic_maps),
    LIST_ROW(lmtp_generic, lmtp_generic_maps),
    LIST_ROW(of_agents[ADDR_TABLE_SMTP_TLS_POLICY], smtp_tls_policy_maps),
    LIST_ROW(of_agents[ADDR_TABLE_LMTP_TLS_POLICY], lmtp_tls_policy_maps),
    LIST_ROW(of_agents[ADDR_TABLE_SMTP_TLS_SITE], smtp_tls_per_site),
    LIST_ROW(of_agents[ADDR_TABLE_LMTP_TLS_SITE], lmtp_tls_per_site),
    LIST_ROW(sender_copies, sender_bcc_maps),
    LIST_ROW(recipient_copies, recipient_bcc_maps),
};
static const struct list_row match_rows[] = {
    LIST_ROW(my_destination, mydestination),
    LIST_ROW(virtual_alias_domains, virtual_alias_domains),
    LIST_ROW(virtual_mailbox_domains, virtual_mailbox_domains),
    LIST_ROW(relay_domains, relay_domains),
    LIST_ROW(masquerade_exceptions, masquerade_exceptions),
};

static struct table_list **list_at(struct addr_tables *tables, const struct list_row *row)
{
    return (struct table_list **)(void *)((char *)tables + row->list);
}

static struct table_match **match_at(struct addr_tables *tables, const struct list_row *row)
{
    return (struct table_match **)(void *)((char *)tables + row->list);
}

static struct span names_at(const struct conf_addrd *settings, const struct list_row *row)
{
    return *(const struct span *)(const void *)((const char *)settings + row->names);
}

/* ---- tables of servers, by name ---- */

enum { LISTS_MAX_BYTES = 16 << 20 };

struct asked_table {
    struct asked_table *next;
    struct span name;
    bool keeps_case;
    struct table_list *list;
};

struct asked_tables {
    struct arena arena;
    struct asked_table *first;
    size_t count; /* of tables */
};

struct table_list *addr_tables_asked(const struct addr_tables *tables, struct span name,
                                     bool keeps_case)
{
    for (const struct asked_table *asked = tables->asked ? tables->asked->first : NULL; asked;
         asked = asked->next)
        if (asked->keeps_case == keeps_case && span_equals(asked->name, name))
            return asked->list;
    return NULL;
}

static bool add_asked(struct addr_tables *tables, struct span name,
                      const struct table_options *options)
{
    struct asked_tables *all = tables->asked;
    const bool keeps_case = options && options->flags & TABLE_KEEP_CASE;
    if (addr_tables_asked(tables, name, keeps_case))
        return true;
    struct asked_table *asked = arena_alloc(&all->arena, sizeof(*asked));
    if (!asked)
        return false;
    *asked = (struct asked_table){.next = all->first, .name = name, .keeps_case = keeps_case};
    asked->list = table_list_open(name, options);
    if (!asked->list)
        return false;
    all->first = asked;
    all->count += table_list_count(asked->list);
    return true;
}

/* The settings live as long as the tables. A list that is none keeps its server from starting. */
static bool open_asked(struct addr_tables *tables, const struct conf_addrd *settings,
                       const struct table_options *options)
{
    struct span rest = settings->addrd_server_tables, service, text, name;
    struct table_options exact = options ? *options : (struct table_options){.flags = 0};
    exact.flags |= TABLE_KEEP_CASE;
    tables->asked = calloc(1, sizeof(*tables->asked));
    if (!tables->asked)
        return false;
    arena_init(&tables->asked->arena, LISTS_MAX_BYTES, 0);
    while (conf_each_service_next(&rest, &service, &text)) {
        struct restriction_list list;
        struct conf_error error;
        if (!restriction_list_parse(text, &tables->asked->arena, &list, &error))
            continue;
        for (size_t i = 0; i < list.count; i++)
            if (!table_reference_is_empty(&list.items[i].table) &&
                !add_asked(tables, list.items[i].table.names, options))
                return false;
    }
    rest = settings->addrd_server_exact_tables;
    while (conf_each_service_next(&rest, &service, &text))
        while (table_next_name(&text, &name))
            if (!add_asked(tables, name, &exact))
                return false;
    return true;
}

static void close_asked(struct addr_tables *tables)
{
    struct asked_tables *all = tables->asked;
    if (!all)
        return;
    for (struct asked_table *asked = all->first; asked; asked = asked->next)
        table_list_close(&asked->list);
    arena_destroy(&all->arena);
    free(all);
}

/* ---- all of them ---- */

static void note(struct addr_tables *tables, struct table *table, size_t capacity)
{
    ASSERT(tables->count < capacity);
    tables->all[tables->count++] = table;
}

static bool number_all(struct addr_tables *tables)
{
    size_t capacity = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(match_rows); i++)
        capacity += table_match_table_count(*match_at(tables, &match_rows[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(list_rows); i++)
        capacity += table_list_count(*list_at(tables, &list_rows[i]));
    capacity += tables->asked->count;
    tables->all = calloc(capacity + 1, sizeof(struct table *));
    if (!tables->all)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(match_rows); i++) {
        const struct table_match *match = *match_at(tables, &match_rows[i]);
        for (size_t k = 0; k < table_match_table_count(match); k++)
            note(tables, table_match_table_at(match, k), capacity);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(list_rows); i++) {
        const struct table_list *list = *list_at(tables, &list_rows[i]);
        for (size_t k = 0; k < table_list_count(list); k++)
            note(tables, table_list_at(list, k), capacity);
    }
    for (const struct asked_table *asked = tables->asked->first; asked; asked = asked->next)
        for (size_t k = 0; k < table_list_count(asked->list); k++)
            note(tables, table_list_at(asked->list, k), capacity);
    return true;
}

static enum table_match_style style_of(const struct addr_tables *tables,
                                       struct table_match *const *match,
                                       const struct conf_addrd *settings)
{
    if (match != &tables->relay_domains)
        return TABLE_MATCH_EXACT;
    return addr_tables_parent_matches(settings, "relay_domains") ? TABLE_MATCH_PARENT
                                                                 : TABLE_MATCH_DOTTED_PARENT;
}

bool addr_tables_open(struct addr_tables *tables, const struct conf_addrd *settings,
                      const struct table_options *options)
{
    bool is_open = true;

    *tables = (struct addr_tables){.count = 0};
    for (size_t i = 0; i < ARRAY_LENGTH(match_rows) && is_open; i++) {
        struct table_match **match = match_at(tables, &match_rows[i]);
        *match = table_match_open(names_at(settings, &match_rows[i]),
                                  style_of(tables, match, settings), options);
        is_open = *match != NULL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(list_rows) && is_open; i++) {
        struct table_list **list = list_at(tables, &list_rows[i]);
        *list = table_list_open(names_at(settings, &list_rows[i]), options);
        is_open = *list != NULL;
    }
    if (is_open && open_asked(tables, settings, options) && number_all(tables))
        return true;
    addr_tables_close(tables);
    return false;
}

void addr_tables_close(struct addr_tables *tables)
{
    free(tables->all);
    close_asked(tables);
    for (size_t i = 0; i < ARRAY_LENGTH(match_rows); i++)
        table_match_close(match_at(tables, &match_rows[i]));
    for (size_t i = 0; i < ARRAY_LENGTH(list_rows); i++)
        table_list_close(list_at(tables, &list_rows[i]));
    *tables = (struct addr_tables){.count = 0};
}

size_t addr_tables_number(const struct addr_tables *tables, const struct table *table)
{
    size_t i = 0;
    while (i < tables->count && tables->all[i] != table)
        i++;
    return i;
}
