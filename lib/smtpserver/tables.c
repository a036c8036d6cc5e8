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

/* A mistake must not make an open relay: whoever may send what where is said in one of two lists.
 */
static bool check_relaying(const struct restriction_list *lists, struct conf_error *error)
{
    if (restriction_list_is_closed(&lists[SMTPSESSION_LIST_RELAY]) ||
        restriction_list_is_closed(&lists[SMTPSESSION_LIST_RECIPIENT]))
        return true;
    conf_error_set(error, "smtpd_relay_restrictions or smtpd_recipient_restrictions needs one "
                          "of " RESTRICTIONS_THAT_CLOSE);
    return false;
}

static bool open_restrictions(const struct conf_smtpd *conf, struct arena *arena,
                              struct restriction_list *lists, struct conf_error *error)
{
    const struct {
        const char *parameter;
        struct span text;
    } texts[SMTPSESSION_LIST_COUNT] = {
        [SMTPSESSION_LIST_CLIENT] = {"smtpd_client_restrictions", conf->smtpd_client_restrictions},
        [SMTPSESSION_LIST_HELO] = {"smtpd_helo_restrictions", conf->smtpd_helo_restrictions},
        [SMTPSESSION_LIST_SENDER] = {"smtpd_sender_restrictions", conf->smtpd_sender_restrictions},
        [SMTPSESSION_LIST_RELAY] = {"smtpd_relay_restrictions", conf->smtpd_relay_restrictions},
        [SMTPSESSION_LIST_RECIPIENT] = {"smtpd_recipient_restrictions",
                                        conf->smtpd_recipient_restrictions},
        [SMTPSESSION_LIST_DATA] = {"smtpd_data_restrictions", conf->smtpd_data_restrictions},
        [SMTPSESSION_LIST_END_OF_DATA] = {"smtpd_end_of_data_restrictions",
                                          conf->smtpd_end_of_data_restrictions},
        [SMTPSESSION_LIST_ETRN] = {"smtpd_etrn_restrictions", conf->smtpd_etrn_restrictions},
    };
    for (size_t i = 0; i < SMTPSESSION_LIST_COUNT; i++) {
        struct conf_error reason;
        if (!restriction_list_parse(texts[i].text, arena, &lists[i], &reason)) {
            conf_error_set(error, "%s: %s", texts[i].parameter, reason.text);
            return false;
        }
        if (!restriction_list_open(&lists[i], texts[i].parameter, error))
            return false;
    }
    return check_relaying(lists, error);
}

bool smtpserver_tables_open(const struct conf_smtpd *conf, struct arena *arena,
                            struct smtpserver_tables *tables, struct conf_error *error)
{
    error->text[0] = '\0';
    tables->bare_lf_clients = open_clients("smtpd_forbid_bare_newline_exclusions",
                                           conf->smtpd_forbid_bare_newline_exclusions, error);
    tables->xclient_hosts =
        open_clients("smtpd_authorized_xclient_hosts", conf->smtpd_authorized_xclient_hosts, error);
    tables->xforward_hosts = open_clients("smtpd_authorized_xforward_hosts",
                                          conf->smtpd_authorized_xforward_hosts, error);
    tables->verp_clients =
        open_clients("smtpd_authorized_verp_clients", conf->smtpd_authorized_verp_clients, error);
    tables->local_clients =
        open_clients("local_header_rewrite_clients", conf->local_header_rewrite_clients, error);
    tables->interface_clients =
        open_clients("smtpd_interface_clients", conf->smtpd_interface_clients, error);
    tables->login_mechanisms =
        span_is_empty(conf->smtpd_sasl_mechanism_filter)
            ? NULL /* all of them pass */
            : open_clients("smtpd_sasl_mechanism_filter", conf->smtpd_sasl_mechanism_filter, error);
    tables->login_exceptions =
        open_clients("smtpd_sasl_exceptions_networks", conf->smtpd_sasl_exceptions_networks, error);
    const struct {
        const char *parameter;
        struct span names;
        unsigned flags;
        struct table_reference *reference;
    } rows[] = {
        {"relay_clientcerts", conf->relay_clientcerts, 0, &tables->client_certificates},
        {"smtpd_sender_login_maps", conf->smtpd_sender_login_maps, 0, &tables->login_maps},
        {"smtpd_command_filter", conf->smtpd_command_filter, TABLE_KEEP_CASE,
         &tables->command_filter},
        {"smtpd_discard_ehlo_keyword_address_maps", conf->smtpd_discard_ehlo_keyword_address_maps,
         TABLE_KEEP_CASE, &tables->ehlo_discard_maps},
        {"smtpd_reject_footer_maps", conf->smtpd_reject_footer_maps, TABLE_KEEP_CASE,
         &tables->reject_footer_maps},
    };
    if (error->text[0] != '\0' ||
        !table_words_open("smtpd_noop_commands", conf->smtpd_noop_commands, &tables->noop_commands,
                          error) ||
        !table_words_open("smtpd_forbidden_commands", conf->smtpd_forbidden_commands,
                          &tables->forbidden_commands, error))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (!table_reference_open(rows[i].parameter, rows[i].names, rows[i].flags,
                                  rows[i].reference, error))
            return false;
    return open_restrictions(conf, arena, tables->restrictions, error);
}

void smtpserver_tables_use(const struct smtpserver_tables *tables,
                           struct smtpsession_settings *settings)
{
    settings->command_filter = tables->command_filter;
    settings->noop_commands = &tables->noop_commands;
    settings->forbidden_commands = &tables->forbidden_commands;
    settings->ehlo_discard_maps = tables->ehlo_discard_maps;
    settings->reject_footer_maps = tables->reject_footer_maps;
    settings->bare_lf_clients = tables->bare_lf_clients;
    settings->xclient_hosts = tables->xclient_hosts;
    settings->xforward_hosts = tables->xforward_hosts;
    settings->verp_clients = tables->verp_clients;
    settings->local_clients = tables->local_clients;
    settings->restrictions.interface_clients = tables->interface_clients;
    settings->restrictions.login_maps = tables->login_maps;
    settings->login.mechanisms = tables->login_mechanisms;
    settings->login.exceptions = tables->login_exceptions;
    settings->restrictions.client_certificates = tables->client_certificates;
    for (size_t i = 0; i < SMTPSESSION_LIST_COUNT; i++)
        settings->restrictions.lists[i] = tables->restrictions[i];
}

void smtpserver_tables_close(struct smtpserver_tables *tables)
{
    table_reference_close(&tables->command_filter);
    table_words_close(&tables->noop_commands);
    table_words_close(&tables->forbidden_commands);
    table_reference_close(&tables->ehlo_discard_maps);
    table_reference_close(&tables->reject_footer_maps);
    client_list_close(&tables->bare_lf_clients);
    client_list_close(&tables->xclient_hosts);
    client_list_close(&tables->xforward_hosts);
    client_list_close(&tables->verp_clients);
    client_list_close(&tables->local_clients);
    client_list_close(&tables->interface_clients);
    table_reference_close(&tables->login_maps);
    client_list_close(&tables->login_mechanisms);
    client_list_close(&tables->login_exceptions);
    table_reference_close(&tables->client_certificates);
    for (size_t i = 0; i < SMTPSESSION_LIST_COUNT; i++)
        restriction_list_close(&tables->restrictions[i]);
}
