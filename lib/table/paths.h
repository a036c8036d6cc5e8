/* table/paths - the directories below which the files of a table are opened, for a sandbox.
 * Interface: table_add_paths(). Callers: addrd/dispatcher, authd/relay. */
#ifndef TABLE_PATHS_H
#define TABLE_PATHS_H

#include "sandbox/paths.h"
#include "table/table.h"

/* To read; those of its parts, too, and where the file is a link also where that leads. */
void table_add_paths(const struct table *table, struct sandbox_paths *paths, struct arena *arena);

#endif
