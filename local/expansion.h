/* local/expansion - what an alias or a .forward file makes of a recipient: addresses, commands and
 * files, with :include: files read into it. Reads files, as whoever the process is.
 * Callers: local/delivery, and local/runner, which finds a command out for itself. */
#ifndef LOCAL_EXPANSION_H
#define LOCAL_EXPANSION_H

#include "attributes.h"
#include "base/map.h"
#include "destinations.h"
#include "table/table.h"

enum {
    EXPANSION_ACTIONS_MAX = 50000,
    EXPANSION_DEPTH_MAX = 20, /* :include: in :include: */
    /* With as many plain addresses in it as there may be it fits into a message's arena. */
    EXPANSION_FILE_MAX_BYTES = 8 << 20,
    EXPANSION_KINDS = DESTINATION_INCLUDE + 1
};

enum expansion_source { EXPANSION_ALIAS, EXPANSION_FORWARD, EXPANSION_INCLUDE };

struct action {
    enum destination_kind kind; /* but DESTINATION_INCLUDE */
    enum expansion_source source;
    struct span text; /* in the arena, or in the alias */
    bool is_final;
    bool is_untrusted; /* a command or file that its author has no right to: not to be done */
};

struct expansion {
    struct arena *arena;
    struct action *actions;
    size_t action_count;
    size_t capacity;
    struct outcome outcome; /* not OK: nothing is to be done, and why */
    struct span note;       /* for the log; empty: none */
    struct map seen[EXPANSION_KINDS];
};

void expansion_init(struct expansion *expansion, struct arena *arena);
/* The maps' memory. */
void expansion_release(struct expansion *expansion);

/* The right-hand side of an alias, whose bytes stay as long as the actions. */
void expansion_add_alias(struct expansion *expansion, struct span text);

/* The first file of forward_path that is there. False: there is none, or none that is safe to
 * follow (*note says why): the mailbox is it. Whether there is one cannot be said just now: true,
 * with an outcome that waits. *has_extension: its name was made with it. */
MUST_USE bool expansion_read_forward(struct expansion *expansion,
                                     const struct attributes *attributes,
                                     const struct conf_local *settings, bool *has_extension);

#endif
