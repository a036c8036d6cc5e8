/* smtp/tables - see tables.h. */
#include "tables.h"

static const char *const names[TABLES_COUNT][2] = {
    [TABLES_DISCARDED_KEYWORDS] = {"smtp_discard_ehlo_keyword_address_maps",
                                   "lmtp_discard_lhlo_keyword_address_maps"},
    [TABLES_PIX_WORKAROUNDS] = {"smtp_pix_workaround_maps", "lmtp_pix_workaround_maps"},
    [TABLES_REPLIES] = {"smtp_reply_filter", "lmtp_reply_filter"},
};

static void warn(void *context, struct span text)
{
    const struct tables *tables = context;
    maillog_text(tables->log, LOG_LEVEL_WARNING, span_empty(), "%s_sasl_mechanism_filter: %.*s",
                 tables->speaks_lmtp ? "lmtp" : "smtp", SPAN_PRINTF(text));
}

bool tables_open(struct tables *tables, const struct conf_smtp *settings, bool speaks_lmtp,
                 struct maillog *log, struct conf_error *error)
{
    const struct span values[TABLES_COUNT] = {
        [TABLES_DISCARDED_KEYWORDS] = settings->smtp_discard_ehlo_keyword_address_maps,
        [TABLES_PIX_WORKAROUNDS] = settings->smtp_pix_workaround_maps,
        [TABLES_REPLIES] = settings->smtp_reply_filter,
    };
    *tables = (struct tables){.log = log, .speaks_lmtp = speaks_lmtp};
    error->text[0] = '\0';
    for (size_t i = 0; i < TABLES_COUNT; i++)
        tables->lists[i] =
            table_held_open(names[i][speaks_lmtp], values[i], TABLE_KEEP_CASE, error);
    if (!span_is_empty(settings->smtp_sasl_mechanism_filter)) {
        const struct table_options options = {.warn = warn, .warn_context = tables};
        tables->mechanisms =
            table_match_open(settings->smtp_sasl_mechanism_filter, TABLE_MATCH_EXACT, &options);
        if (!tables->mechanisms)
            conf_error_set(error, "out of memory");
    }
    return error->text[0] == '\0' &&
           status_filter_open(&tables->results,
                              speaks_lmtp ? "lmtp_delivery_status_filter"
                                          : "smtp_delivery_status_filter",
                              settings->smtp_delivery_status_filter, log, error);
}

enum table_result tables_find(const struct tables *tables, enum tables_kind kind, struct span key,
                              struct buffer *value)
{
    struct table_list *list = tables->lists[kind];
    const enum table_result result = list ? table_list_lookup(list, key, value) : TABLE_NOT_FOUND;
    if (result == TABLE_FOUND && !buffer_ok(value))
        return TABLE_ERROR;
    if (result == TABLE_ERROR)
        maillog_text(tables->log, LOG_LEVEL_WARNING, span_empty(), "%s: %.*s",
                     names[kind][tables->speaks_lmtp], SPAN_PRINTF(table_list_error(list)));
    return result;
}
