/* smtpserver/tables - see tables.h. */
#include "smtpserver/tables.h"

#include "table/held.h"

static struct client_list *open_clients(const char *parameter, struct span words,
                                        struct conf_error *error)
{
    struct buffer reason;
    buffer_init(&reason, NULL, CONF_ERROR_TEXT_BYTES);
    struct client_list *list = client_list_open(words, &reason);
    if (!list)
        conf_error_set(error, "%s: %.*s", parameter, SPAN_PRINTF(buffer_span(&reason)));
    buffer_release(&reason);
    return list;
}

bool smtpserver_tables_open(const struct conf_smtpd *conf, struct smtpserver_tables *tables,
                            struct conf_error *error)
{
    error->text[0] = '\0';
    tables->command_filter =
        table_held_open("smtpd_command_filter", conf->smtpd_command_filter, error);
    tables->ehlo_discard_maps =
        table_held_open("smtpd_discard_ehlo_keyword_address_maps",
                        conf->smtpd_discard_ehlo_keyword_address_maps, error);
    tables->reject_footer_maps =
        table_held_open("smtpd_reject_footer_maps", conf->smtpd_reject_footer_maps, error);
    tables->bare_lf_clients = open_clients("smtpd_forbid_bare_newline_exclusions",
                                           conf->smtpd_forbid_bare_newline_exclusions, error);
    tables->xclient_hosts =
        open_clients("smtpd_authorized_xclient_hosts", conf->smtpd_authorized_xclient_hosts, error);
    tables->xforward_hosts = open_clients("smtpd_authorized_xforward_hosts",
                                          conf->smtpd_authorized_xforward_hosts, error);
    tables->local_clients =
        open_clients("local_header_rewrite_clients", conf->local_header_rewrite_clients, error);
    return error->text[0] == '\0';
}

void smtpserver_tables_use(const struct smtpserver_tables *tables,
                           struct smtpsession_settings *settings)
{
    settings->command_filter = tables->command_filter;
    settings->ehlo_discard_maps = tables->ehlo_discard_maps;
    settings->reject_footer_maps = tables->reject_footer_maps;
    settings->bare_lf_clients = tables->bare_lf_clients;
    settings->xclient_hosts = tables->xclient_hosts;
    settings->xforward_hosts = tables->xforward_hosts;
    settings->local_clients = tables->local_clients;
}

void smtpserver_tables_close(struct smtpserver_tables *tables)
{
    table_list_close(&tables->command_filter);
    table_list_close(&tables->ehlo_discard_maps);
    table_list_close(&tables->reject_footer_maps);
    client_list_close(&tables->bare_lf_clients);
    client_list_close(&tables->xclient_hosts);
    client_list_close(&tables->xforward_hosts);
    client_list_close(&tables->local_clients);
}
