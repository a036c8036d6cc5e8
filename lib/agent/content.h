/* agent/content - where the content of a message lies that an agent has been given.
 * Callers: lib/agent, and who writes the content somewhere. */
#ifndef AGENT_CONTENT_H
#define AGENT_CONTENT_H

#include "queuefile/preamble.h"

/* Where a queue file's content lies. The descriptor is only read with pread: its offset belongs to
 * nobody. */
struct message_content {
    int descriptor;
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t extent_count;
    uint64_t size_bytes;
};

#endif
