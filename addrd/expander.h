/* addrd/expander - whom a recipient stands for, as the envelope is to have it.
 * The order is cleanup(8)'s: recipient_canonical_maps and canonical_maps, masquerading, blind
 * copies (recipient_bcc_maps), then virtual_alias_maps, again and again until nothing changes: an
 * address that expands to itself stays, one that comes up twice counts once. Past a limit, or where
 * a table cannot be asked, the whole is a temporary failure and never a part of the list.
 * Callers: addrd/questions, addrd/resolver. Manual: man/addrd.8. */
#ifndef ADDRD_EXPANDER_H
#define ADDRD_EXPANDER_H

#include "search.h"

enum { EXPANDER_ARENA_BYTES = 16 << 20 }; /* the least that one expansion's arena should hold */

struct expanded {
    struct span address;
    struct span original; /* who was meant at first; empty: the recipient asked for */
    bool is_copy;         /* a blind copy that nobody asked for */
};

struct expansion {
    struct outcome outcome;
    struct expanded *all;
    size_t count;       /* 1 and the recipient itself where no table has it */
    bool is_known;      /* some table has it: it exists, whatever its class */
    struct span sender; /* rewritten; empty: as it was */
};

/* recipient: complete, and resolved. flags: enum addr_expand_flags. */
void expander_expand(struct resolver *resolver, const struct mailbox *recipient, struct span sender,
                     unsigned flags, struct arena *arena, struct expansion *expansion);
/* A recipient as somebody named it: completed first. */
void expander_expand_named(struct resolver *resolver, struct span recipient, struct span sender,
                           unsigned flags, struct arena *arena, struct expansion *expansion);

#endif
