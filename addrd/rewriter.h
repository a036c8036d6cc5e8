/* addrd/rewriter - other names for addresses: completion, canonical(5), generic(5), masquerading.
 * Interface: rewriter_complete(), rewriter_rewrite(), and the pieces that the expander shares.
 * Callers: addrd/questions, addrd/expander, addrd/resolver. */
#ifndef ADDRD_REWRITER_H
#define ADDRD_REWRITER_H

#include "search.h"

/* Adds what is missing to an address as somebody wrote it: user, user%site, site!user, user@host.
 * domain: what takes $myorigin's place, or empty. False when the result is no address or memory is
 * out, which search->has_failed tells apart. */
MUST_USE bool rewriter_complete(struct search *search, struct span remote_domain,
                                struct mailbox *address);

/* All the addresses in a table's value, completed; "@other.example" keeps the local part of
 * *address; extension, which may be empty, is put to each of the others. */
struct rewriter_values {
    struct mailbox *all; /* in the arena */
    size_t count;
};
MUST_USE bool rewriter_read_values(struct search *search, struct span value,
                                   const struct mailbox *address, struct span extension,
                                   struct rewriter_values *values);

/* Does a parameter that is a list of words have this one? */
MUST_USE bool rewriter_has_word(struct span words, const char *word);

/* Looks the address up and replaces it by what is found. False where nothing was. */
bool rewriter_map(struct search *search, struct table_list *list, bool keeps_extension,
                  struct mailbox *address);

/* canonical maps and masquerading, where the settings have them for this class of address:
 * "envelope_sender", "envelope_recipient", "header_sender" or "header_recipient". Whether a table
 * had it. */
bool rewriter_canonical(struct search *search, const char *class, struct mailbox *address);

/* The answer to ADDR_REWRITE: the address as it is to be written from now on. Text in the arena.
 * What is no address stays as it is. */
struct outcome rewriter_rewrite(struct resolver *resolver, enum addr_rewriting kind,
                                struct span address, struct arena *arena, struct span *rewritten);
/* Could that change an address that is complete? */
MUST_USE bool rewriter_is_needed(const struct resolver *resolver);

#endif
