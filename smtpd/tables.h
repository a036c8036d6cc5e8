/* smtpd/tables - tables that sessions ask themselves: read into memory before the sandbox closes.
 * Interface: smtpd_tables_open(). Callers: server, tests/lib/smtpsession. */
#ifndef SMTPD_TABLES_H
#define SMTPD_TABLES_H

#include "conf/smtpd.h"
#include "table/list.h"

struct smtpd_tables {
    struct table_list *command_filter; /* NULL: none; and so on */
    struct table_list *ehlo_discard_maps;
    struct table_list *reject_footer_maps;
};

/* False, with the reason in *error, where one cannot be read or is of a type that is no matter of
 * memory. */
MUST_USE bool smtpd_tables_open(const struct conf_smtpd *conf, struct smtpd_tables *tables,
                                struct conf_error *error);
void smtpd_tables_close(struct smtpd_tables *tables);

#endif
