/* conf/private - what the files of lib/conf share among themselves. */
#ifndef CONF_PRIVATE_H
#define CONF_PRIVATE_H

#include "conf/instance.h"

enum { CONF_SETTINGS_MAX_BYTES = 4 * 1024 * 1024 };

/* All of a regular file, from its beginning whatever the descriptor's offset is. On failure false
 * and errno; EFBIG above the limit, ENOMEM at the arena's cap. */
MUST_USE bool conf_read_descriptor(int fd, size_t limit_bytes, struct arena *arena,
                                   struct span *text);

/* Is it a row that says what a service of that program wants? */
MUST_USE bool conf_each_service_is_for(const struct conf_parameter *parameter, struct span program);
/* Appends what a parameter is for each service of its programs: conf_each_service_next(). Mistakes
 * are noted; false when there was one. */
MUST_USE bool conf_each_service_render(const struct conf_instance *instance,
                                       const struct conf_parameter *parameter,
                                       struct buffer *output, struct conf_notices *notices);

#endif
