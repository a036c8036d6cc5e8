/* table/names - take lists of table names and inline entries apart.
 * Words are separated by commas or white space, as everywhere in main.cf, and text in { braces }
 * holds together. Pure. Callers: table/maps, table/match, inline and static tables. */
#ifndef TABLE_NAMES_H
#define TABLE_NAMES_H

#include "base/span.h"

/* Takes the next word off *rest; false when none is left. Separators inside braces belong to the
 * word; braces that are never closed reach to the end. */
bool table_next_name(struct span *rest, struct span *word);

/* A text that begins with "{": what stands inside, without white space around it, in *inside.
 * Returns NULL or what is wrong: "missing '}'", "syntax error after '}'". */
MUST_USE const char *table_strip_braces(struct span text, struct span *inside);

#endif
