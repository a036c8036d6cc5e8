/* table/berkeley_pages - are all pages of a Berkeley DB file there? The library takes one that is
 * not for an empty one: users that exist would be unknown, or a search would never end.
 * Callers: table/berkeley, with the lock held. */
#ifndef TABLE_BERKELEY_PAGES_H
#define TABLE_BERKELEY_PAGES_H

#include <sys/types.h>

#include "base/compiler.h"

/* NULL, or what is wrong with the file. Of a few system calls, whatever its size: of pages that
 * nobody wrote only those are seen that are holes in the file, as a crash leaves them. */
MUST_USE const char *berkeley_find_missing_page(int descriptor, off_t size_bytes);

#endif
