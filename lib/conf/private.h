/* conf/private - what the files of lib/conf share among themselves. */
#ifndef CONF_PRIVATE_H
#define CONF_PRIVATE_H

#include "base/arena.h"

enum { CONF_SETTINGS_MAX_BYTES = 4 * 1024 * 1024 };

/* All of a regular file, from its beginning whatever the descriptor's offset is. On failure false
 * and errno; EFBIG above the limit, ENOMEM at the arena's cap. */
MUST_USE bool conf_read_descriptor(int fd, size_t limit_bytes, struct arena *arena,
                                   struct span *text);

#endif
