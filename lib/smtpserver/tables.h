/* smtpserver/tables - tables and lists of clients that sessions ask themselves: read into memory
 * before the sandbox closes. Interface: smtpserver_tables_open(). Callers: server,
 * tests/lib/smtpsession. */
#ifndef SMTPSERVER_TABLES_H
#define SMTPSERVER_TABLES_H

#include "conf/smtpd.h"
#include "smtpsession/session.h"
#include "table/clients.h"
#include "table/list.h"

struct smtpserver_tables {
    struct table_reference command_filter;
    struct table_reference ehlo_discard_maps;
    struct table_reference reject_footer_maps;
    struct client_list *bare_lf_clients;
    struct client_list *xclient_hosts;
    struct client_list *xforward_hosts;
    struct client_list *verp_clients;
    struct client_list *local_clients;
    struct client_list *interface_clients;
    struct table_reference login_maps;
    struct client_list *login_mechanisms;
    struct client_list *login_exceptions;
    struct table_reference client_certificates;
    struct table_words noop_commands;
    struct table_words forbidden_commands;
    struct restriction_list restrictions[SMTPSESSION_LIST_COUNT];
};

/* False, with the reason in *error, where one is none, or is a list of clients that cannot be read
 * or is of a type that is no matter of memory. */
MUST_USE bool smtpserver_tables_open(const struct conf_smtpd *conf, struct arena *arena,
                                     struct smtpserver_tables *tables, struct conf_error *error);
/* The settings live no longer than the tables. */
void smtpserver_tables_use(const struct smtpserver_tables *tables,
                           struct smtpsession_settings *settings);
void smtpserver_tables_close(struct smtpserver_tables *tables);

#endif
