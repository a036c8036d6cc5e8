/* local/attributes - what is known of one delivery under a name: for $name in settings, and in the
 * environment of commands. Values that others have written are made of the permitted characters
 * before a path or a shell sees them.
 * Callers: local/delivery, local/runner. */
#ifndef LOCAL_ATTRIBUTES_H
#define LOCAL_ATTRIBUTES_H

#include "agent/agent.h"
#include "conf/local.h"

/* Empty texts where there is no such thing. */
struct attributes {
    struct span recipient;          /* the whole address */
    struct span original_recipient; /* as the client named it */
    struct span local;              /* the local part, in lower case */
    struct span user;               /* without its extension */
    struct span extension;
    struct span delimiter; /* the one that was found */
    struct span domain;
    struct span home;
    struct span shell;
    const struct agent_message *message;
};

/* From the recipient. False: it is no address that could be a user's. */
MUST_USE bool attributes_init(struct attributes *attributes,
                              const struct agent_recipient *recipient,
                              const struct conf_local *settings, struct arena *arena);

/* An address as it stands in an alias, with the domain that it lacks. False: it is none. */
MUST_USE bool attributes_complete(const struct conf_local *settings, struct span text,
                                  struct arena *arena, struct span *address);

enum attributes_expansion {
    ATTRIBUTES_EXPANDED,
    ATTRIBUTES_HAVE_GAPS,     /* the same, but a name outside of a condition stands for nothing */
    ATTRIBUTES_HAS_NO_MEANING /* the text is wrong, or memory is out */
};

/* $name of the text: home user local domain recipient extension recipient_delimiter shell. What the
 * filter does not permit becomes "_"; an empty filter permits all. */
MUST_USE enum attributes_expansion attributes_expand(const struct attributes *attributes,
                                                     struct span text, struct span filter,
                                                     struct arena *arena, struct span *result);

/* The environment of a command, ended by NULL; NULL when memory is out. */
MUST_USE const char *const *attributes_environment(const struct attributes *attributes,
                                                   const struct conf_local *settings,
                                                   struct arena *arena);

#endif
