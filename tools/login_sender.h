/* tools/login_sender - which sender addresses a user's mail may have: local_login_sender_maps, by
 * login name. Interface: login_sender_find() before anything is read, login_sender_matches() when
 * the sender is known. Callers: tools/postdrop. */
#ifndef TOOLS_LOGIN_SENDER_H
#define TOOLS_LOGIN_SENDER_H

#include "base/arena.h"
#include "base/compiler.h"

enum login_sender_result {
    LOGIN_SENDER_FOUND, /* *patterns has them; "*": any */
    LOGIN_SENDER_NONE,  /* the user may have no sender at all */
    LOGIN_SENDER_ERROR  /* a table cannot say */
};

/* maps is a list of tables. What is odd in them is told on standard error. */
MUST_USE enum login_sender_result login_sender_find(struct span maps, struct span login,
                                                    struct arena *arena, struct span *patterns);

/* Pure. patterns: addresses, "@domain", "*" for any, and null_pattern for the null address, with
 * commas or spaces between. The extension of the sender's local-part, where delimiters has the
 * byte that begins it, may be left out. */
MUST_USE bool login_sender_matches(struct span patterns, struct span sender, struct span delimiters,
                                   struct span null_pattern, struct arena *arena);

#endif
