/* smtpd/tables - see tables.h. */
#include "tables.h"

static bool is_in_memory(struct span name)
{
    static const struct span types[] = {SPAN_LITERAL("cidr"),    SPAN_LITERAL("fail"),
                                        SPAN_LITERAL("inline"),  SPAN_LITERAL("pcre"),
                                        SPAN_LITERAL("regexp"),  SPAN_LITERAL("static"),
                                        SPAN_LITERAL("texthash")};
    const struct span type = span_first(name, span_find_byte(name, ':'));
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++)
        if (span_equals(type, types[i]))
            return true;
    return false;
}

/* NULL where there is none, or *error says why not. */
static struct table_list *open_list(const char *parameter, struct span names,
                                    struct conf_error *error)
{
    const struct table_options options = {.flags = (unsigned)TABLE_READ_ONCE | TABLE_MAY_BLOCK |
                                                   TABLE_KEEP_CASE};
    struct table_list *list = table_list_open(names, &options);
    if (!list)
        conf_error_set(error, "%s: out of memory", parameter);
    for (size_t i = 0; list && i < table_list_count(list); i++) {
        struct table *table = table_list_at(list, i);
        const struct span name = table_name(table);
        if (!is_in_memory(name))
            conf_error_set(error,
                           "%s: %.*s: a table of type cidr, inline, pcre, regexp, static or "
                           "texthash is needed here",
                           parameter, SPAN_PRINTF(span_first(name, 200)));
        else if (table_prepare(table) != TABLE_FOUND)
            conf_error_set(error, "%s: %.*s: cannot be read", parameter,
                           SPAN_PRINTF(span_first(name, 200)));
        else
            continue;
        table_list_close(&list);
    }
    if (list && table_list_is_empty(list))
        table_list_close(&list);
    return list;
}

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

bool smtpd_tables_open(const struct conf_smtpd *conf, struct smtpd_tables *tables,
                       struct conf_error *error)
{
    error->text[0] = '\0';
    tables->command_filter = open_list("smtpd_command_filter", conf->smtpd_command_filter, error);
    tables->ehlo_discard_maps = open_list("smtpd_discard_ehlo_keyword_address_maps",
                                          conf->smtpd_discard_ehlo_keyword_address_maps, error);
    tables->reject_footer_maps =
        open_list("smtpd_reject_footer_maps", conf->smtpd_reject_footer_maps, error);
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

void smtpd_tables_use(const struct smtpd_tables *tables, struct smtpsession_settings *settings)
{
    settings->command_filter = tables->command_filter;
    settings->ehlo_discard_maps = tables->ehlo_discard_maps;
    settings->reject_footer_maps = tables->reject_footer_maps;
    settings->bare_lf_clients = tables->bare_lf_clients;
    settings->xclient_hosts = tables->xclient_hosts;
    settings->xforward_hosts = tables->xforward_hosts;
    settings->local_clients = tables->local_clients;
}

void smtpd_tables_close(struct smtpd_tables *tables)
{
    table_list_close(&tables->command_filter);
    table_list_close(&tables->ehlo_discard_maps);
    table_list_close(&tables->reject_footer_maps);
    client_list_close(&tables->bare_lf_clients);
    client_list_close(&tables->xclient_hosts);
    client_list_close(&tables->xforward_hosts);
    client_list_close(&tables->local_clients);
}
