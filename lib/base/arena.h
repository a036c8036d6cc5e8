/* base/arena - memory that goes all at once: one arena per connection, one per transaction.
 * Every arena has a cap; reaching it gives NULL, which its user turns into a temporary failure. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/span.h"

enum {
    ARENA_WIPE = 1 /* holds secrets: overwrite before giving back */
};

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks; /* newest first */
    size_t capacity_bytes;      /* the cap on the sum of requests */
    size_t used_bytes;
    unsigned flags;
};

/* Allocates nothing yet. */
void arena_init(struct arena *arena, size_t capacity_bytes, unsigned flags);
/* Zeroed, aligned for any type; NULL at the cap or when memory is out. size may be 0. */
MUST_USE void *arena_alloc(struct arena *arena, size_t size);
/* A copy of the bytes; on failure a span whose bytes are NULL. */
MUST_USE struct span arena_copy(struct arena *arena, struct span span);
/* A NUL-terminated copy, or NULL. Bytes after an embedded NUL are there but invisible to C. */
MUST_USE char *arena_string(struct arena *arena, struct span span);
/* printf into the arena; on failure a span whose bytes are NULL. */
MUST_USE struct span arena_format(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);
/* Everything handed out becomes invalid; the arena is as new. */
void arena_reset(struct arena *arena);
/* Same as reset; a name for the end of life. */
void arena_destroy(struct arena *arena);

#endif
