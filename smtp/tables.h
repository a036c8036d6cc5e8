/* smtp/tables - tables that sessions ask themselves: read into memory before the sandbox closes.
 * Interface: tables_open(), tables_find(). Callers: process, connection, greeting, delivery. */
#ifndef SMTP_TABLES_H
#define SMTP_TABLES_H

#include "agent/status_filter.h"
#include "conf/smtp.h"
#include "table/match.h"

enum tables_kind {
    TABLES_DISCARDED_KEYWORDS,
    TABLES_PIX_WORKAROUNDS,
    TABLES_REPLIES,
    TABLES_COUNT
};

struct tables {
    struct table_list *lists[TABLES_COUNT]; /* NULL: none */
    struct table_match *mechanisms;         /* smtp_sasl_mechanism_filter; NULL: all pass */
    struct status_filter results;
    struct maillog *log;
    bool speaks_lmtp; /* the parameters have other names */
};

/* False, with the reason in *error, where one cannot be read or is of a type that is no matter of
 * memory. */
MUST_USE bool tables_open(struct tables *tables, const struct conf_smtp *settings, bool speaks_lmtp,
                          struct maillog *log, struct conf_error *error);
/* Replaces what was in *value where there is something. TABLE_ERROR has been logged. */
MUST_USE enum table_result tables_find(const struct tables *tables, enum tables_kind kind,
                                       struct span key, struct buffer *value);

#endif
