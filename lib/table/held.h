/* table/held - tables for processes in a sandbox that opens nothing: of types that live in memory,
 * or whose entries can be
 * listed and copied, read before the sandbox closes. Changes take effect with the next reload.
 * Interface: table_held_open(), table_reference_open(). Callers: smtpd, smtp, agent/status_filter,
 * table/check. */
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

/* Tables of a setting, in such a process: those that stand in the setting itself are held, files
 * and services are asked where somebody may open them, at each look-up, so that changes count. */
struct table_reference {
    struct span names;       /* as in the setting; empty: none */
    struct table_list *held; /* NULL: to be asked elsewhere */
    bool keeps_case;         /* of keys */
};

enum { TABLE_REFERENCE_MAX_BYTES = 4096 }; /* of names to be asked elsewhere, IPC_TABLES_MAX */

/* The names outlive the reference. False where one of them is none. flags: TABLE_KEEP_CASE or none.
 */
MUST_USE bool table_reference_open(const char *parameter, struct span names, unsigned flags,
                                   struct table_reference *reference, struct conf_error *error);
void table_reference_close(struct table_reference *reference);
static inline bool table_reference_is_empty(const struct table_reference *reference)
{
    return span_is_empty(reference->names);
}

#endif
