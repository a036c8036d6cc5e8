/* master/handover - what a master leaves to the one that takes its place in the same process: the
 * listening sockets and the children, as lines of text in a memory file. Writer and reader may be
 * of different releases: the format is of version 1 for good, and a reader skips lines that it does
 * not know. Pure but for the memory file. Callers: master/upgrade, master/fleet.
 *
 *   posthouse-handover 1 SCHEMA GENERATION NUMBER LOCK UPGRADES
 *   listener DESCRIPTOR GENERATION TEXT
 *   process PID NUMBER GENERATION CONTROL ERRORS PROGRAM SERVICE
 *
 * SCHEMA is the hash of ipc's schema as it opens a channel, in hexadecimal digits; GENERATION and
 * NUMBER are the last ones given; LOCK is the descriptor of the locked pid file; UPGRADES counts
 * the masters before. */
#ifndef MASTER_HANDOVER_H
#define MASTER_HANDOVER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"

enum { HANDOVER_MAX_BYTES = 1 << 20, HANDOVER_ITEMS_MAX = 4096 };

struct handover_listener {
    int socket;
    uint32_t generation;
    struct span text;
};

struct handover_process {
    int pid;
    uint32_t number, generation;
    int control, errors;
    struct span program, service;
};

struct handover {
    struct span schema;
    uint32_t last_generation, last_number, upgrade_count;
    int lock;
    struct handover_listener *listeners;
    size_t listener_count;
    struct handover_process *processes;
    size_t process_count;
};

/* Spans point into the text. */
MUST_USE enum parse_result handover_parse(struct span text, struct arena *arena,
                                          struct handover *handover);
void handover_write(const struct handover *handover, struct buffer *text);
/* The hash of this program's schema. */
void handover_schema(struct buffer *digits);
/* Text into a new memory file that an exec keeps open; -1 and errno. */
MUST_USE int handover_store(struct span text);

#endif
