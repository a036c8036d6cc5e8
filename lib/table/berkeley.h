/* table/berkeley - what reading and building Berkeley DB files have in common. */
#ifndef TABLE_BERKELEY_H
#define TABLE_BERKELEY_H

#include <db.h>
#include <stddef.h>

#include "base/span.h"

/* A handle with a private cache that writes no messages of its own; 0 or the library's code. The
 * handle is to be closed also after a failure, if it is not NULL. */
MUST_USE int berkeley_create(DB **database, size_t cache_bytes);
void berkeley_ignore_message(const DB_ENV *environment, const char *prefix, const char *message);
/* The span as the library wants it, which does not write to it. */
DBT berkeley_thing(struct span span);

#endif
