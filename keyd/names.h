/* keyd/names - keys of names that clients ask for (tls_server_sni_maps).
 * A name is looked up as it is, then its parent domains with a dot in front (".example.com"), each
 * in all tables. Tables in memory (inline, texthash, static) have names of files: these are read at
 * the start. Others (hash, btree, cdb, lmdb) have the files' content in base64, as postmap -F puts
 * it there: what was asked for last is kept, the rest is read when it is asked for.
 * Interface: name_tables_open(), name_tables_find(). Caller: keyd/vault. */
#ifndef KEYD_NAMES_H
#define KEYD_NAMES_H

#include "base/map.h"
#include "key_set.h"
#include "maillog/log.h"
#include "system/file_watch.h"

struct name_tables;
struct name_files;

/* The sets of all lists of files, which are watched (watch may be NULL). NULL when memory is out.
 */
MUST_USE struct name_files *name_files_create(struct maillog *log, struct file_watch *watch);
void name_files_destroy(struct name_files **files);
/* The set of a list; NULL when it was not read. */
MUST_USE struct key_set *name_files_find(const struct name_files *files, struct span list);
/* Each that was read, until visit returns false. */
void name_files_each(struct name_files *files,
                     bool (*visit)(void *context, struct span list, struct key_set *set),
                     void *context);
/* tables: the setting; lasts as long as they do. NULL when memory is out. What is wrong is
 * logged. */
MUST_USE struct name_tables *name_tables_open(struct span tables, struct name_files *files,
                                              struct arena *arena);
void name_tables_close(struct name_tables **tables);
/* NULL when no table has the name. The set lasts until the next question. *is_error: nobody can
 * tell. */
MUST_USE const struct key_set *name_tables_find(struct name_tables *tables, struct span name,
                                                bool *is_error);

#endif
