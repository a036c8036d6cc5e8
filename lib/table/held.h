/* table/held - tables for processes in a sandbox that opens nothing: of types that live in memory,
 * or whose entries can be
 * listed and copied, read before the sandbox closes. Changes take effect with the next reload.
 * Interface: table_held_open(). Callers: smtpd, smtp, agent/status_filter, table/check. */
#ifndef TABLE_HELD_H
#define TABLE_HELD_H

#include "conf/notice.h"
#include "table/list.h"

/* What such a table is told to be, for complaints about one that is not. */
#define TABLE_HELD_TYPES                                                                           \
    "a table of type btree, cdb, cidr, hash, inline, lmdb, pcre, regexp, static or texthash"

MUST_USE bool table_is_held(struct span name);
/* NULL where there is none, or *error says why not: a type that is no matter of memory, a file that
 * cannot be read. *error is left alone otherwise. flags: TABLE_KEEP_CASE or none. */
MUST_USE struct table_list *table_held_open(const char *parameter, struct span names,
                                            unsigned flags, struct conf_error *error);

#endif
