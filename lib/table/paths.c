/* table/paths - see paths.h. */
#include "table/paths.h"

#include <stdlib.h>

void table_add_paths(const struct table *table, struct sandbox_paths *paths, struct arena *arena)
{
    const struct span file = table_file(table);
    const char *name = file.length > 0 ? arena_string(arena, file) : NULL;
    char *resolved = name ? realpath(name, NULL) : NULL;

    /* What memory is too short for cannot be opened, and lookups say so. */
    if (name)
        (void)sandbox_paths_add_directory(paths, file, SANDBOX_PATH_READ, arena);
    if (resolved)
        (void)sandbox_paths_add_directory(paths, span_from_string(resolved), SANDBOX_PATH_READ,
                                          arena);
    free(resolved);
    for (size_t i = 0; i < table_part_count(table); i++)
        table_add_paths(table_part(table, i), paths, arena);
}
