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

static void note(struct addr_tables *tables, struct table *table, size_t capacity)
{
    ASSERT(tables->count < capacity);
    tables->all[tables->count++] = table;
}

static bool number_all(struct addr_tables *tables)
{
    struct table_match *const matches[] = {tables->my_destination, tables->virtual_alias_domains,
                                           tables->virtual_mailbox_domains, tables->relay_domains};
    struct table_list *const lists[] = {tables->local_recipients,    tables->virtual_aliases,
                                        tables->virtual_mailboxes,   tables->relay_recipients,
                                        tables->transports,          tables->relayhosts_by_sender,
                                        tables->transports_by_sender};
    size_t capacity = 0;

    for (size_t i = 0; i < ARRAY_LENGTH(matches); i++)
        capacity += table_match_table_count(matches[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        capacity += table_list_count(lists[i]);
    tables->all = calloc(capacity + 1, sizeof(struct table *));
    if (!tables->all)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(matches); i++)
        for (size_t k = 0; k < table_match_table_count(matches[i]); k++)
            note(tables, table_match_table_at(matches[i], k), capacity);
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        for (size_t k = 0; k < table_list_count(lists[i]); k++)
            note(tables, table_list_at(lists[i], k), capacity);
    return true;
}

static bool open_match(struct table_match **match, struct span words, enum table_match_style style,
                       const struct table_options *options)
{
    *match = table_match_open(words, style, options);
    return *match != NULL;
}

static bool open_list(struct table_list **list, struct span names,
                      const struct table_options *options)
{
    *list = table_list_open(names, options);
    return *list != NULL;
}

bool addr_tables_open(struct addr_tables *tables, const struct conf_addrd *settings,
                      const struct table_options *options)
{
    const enum table_match_style relay_style = addr_tables_parent_matches(settings, "relay_domains")
                                                   ? TABLE_MATCH_PARENT
                                                   : TABLE_MATCH_DOTTED_PARENT;
    *tables = (struct addr_tables){.count = 0};
    if (open_match(&tables->my_destination, settings->mydestination, TABLE_MATCH_EXACT, options) &&
        open_match(&tables->virtual_alias_domains, settings->virtual_alias_domains,
                   TABLE_MATCH_EXACT, options) &&
        open_match(&tables->virtual_mailbox_domains, settings->virtual_mailbox_domains,
                   TABLE_MATCH_EXACT, options) &&
        open_match(&tables->relay_domains, settings->relay_domains, relay_style, options) &&
        open_list(&tables->local_recipients, settings->local_recipient_maps, options) &&
        open_list(&tables->virtual_aliases, settings->virtual_alias_maps, options) &&
        open_list(&tables->virtual_mailboxes, settings->virtual_mailbox_maps, options) &&
        open_list(&tables->relay_recipients, settings->relay_recipient_maps, options) &&
        open_list(&tables->transports, settings->transport_maps, options) &&
        open_list(&tables->relayhosts_by_sender, settings->sender_dependent_relayhost_maps,
                  options) &&
        open_list(&tables->transports_by_sender, settings->sender_dependent_default_transport_maps,
                  options) &&
        number_all(tables))
        return true;
    addr_tables_close(tables);
    return false;
}

void addr_tables_close(struct addr_tables *tables)
{
    free(tables->all);
    table_match_close(&tables->my_destination);
    table_match_close(&tables->virtual_alias_domains);
    table_match_close(&tables->virtual_mailbox_domains);
    table_match_close(&tables->relay_domains);
    table_list_close(&tables->local_recipients);
    table_list_close(&tables->virtual_aliases);
    table_list_close(&tables->virtual_mailboxes);
    table_list_close(&tables->relay_recipients);
    table_list_close(&tables->transports);
    table_list_close(&tables->relayhosts_by_sender);
    table_list_close(&tables->transports_by_sender);
    *tables = (struct addr_tables){.count = 0};
}

size_t addr_tables_number(const struct addr_tables *tables, const struct table *table)
{
    size_t i = 0;
    while (i < tables->count && tables->all[i] != table)
        i++;
    return i;
}
