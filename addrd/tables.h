/* addrd/tables - all tables and lists that the settings name, opened once and numbered.
 * The numbers are the same in the dispatcher and in its workers, which are forked after this.
 * Interface: addr_tables_open(), addr_tables_close(), addr_tables_number().
 * Callers: addrd/main, addrd/resolver. */
#ifndef ADDRD_TABLES_H
#define ADDRD_TABLES_H

#include "addr/client.h"
#include "conf/addrd.h"
#include "table/list.h"
#include "table/match.h"

struct asked_tables;

struct addr_tables {
    struct table_match *my_destination;
    struct table_match *virtual_alias_domains;
    struct table_match *virtual_mailbox_domains;
    struct table_match *relay_domains;
    struct table_list *local_recipients;
    struct table_list *virtual_aliases;
    struct table_list *virtual_mailboxes;
    struct table_list *relay_recipients;
    struct table_list *transports;
    struct table_list *relayhosts_by_sender;
    struct table_list *transports_by_sender;
    struct table_list *verify_transports; /* the three above for probes, address_verify_... */
    struct table_list *verify_relayhosts_by_sender;
    struct table_list *verify_transports_by_sender;
    struct table_list *relocated;
    struct table_list *canonical;
    struct table_list *sender_canonical;
    struct table_list *recipient_canonical;
    struct table_list *smtp_generic;
    struct table_list *lmtp_generic;
    struct table_list *of_agents[ADDR_AGENT_TABLE_COUNT];
    struct table_list *sender_copies;    /* sender_bcc_maps */
    struct table_list *recipient_copies; /* recipient_bcc_maps */
    struct table_match *masquerade_exceptions;
    struct asked_tables *asked; /* of smtpd's and submitd's settings */
    struct table **all;         /* [count], owned by the lists above */
    size_t count;
};

/* Opens no file of a table, but reads the files of lists. False when memory is out. */
MUST_USE bool addr_tables_open(struct addr_tables *tables, const struct conf_addrd *settings,
                               const struct table_options *options);
void addr_tables_close(struct addr_tables *tables);

/* The table of that name that a server's settings have; NULL: they have none. */
MUST_USE struct table_list *addr_tables_asked(const struct addr_tables *tables, struct span name,
                                              bool keeps_case);

/* tables->count for one that is not among them. */
MUST_USE size_t addr_tables_number(const struct addr_tables *tables, const struct table *table);

/* Does parent_domain_matches_subdomains name the parameter? */
MUST_USE bool addr_tables_parent_matches(const struct conf_addrd *settings, const char *parameter);

#endif
