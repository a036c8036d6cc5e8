/* addrd/tables - see tables.h. */
#include "tables.h"

#include <stdlib.h>

#include "table/names.h"

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
    if (is_open && number_all(tables))
        return true;
    addr_tables_close(tables);
    return false;
}

void addr_tables_close(struct addr_tables *tables)
{
    free(tables->all);
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
