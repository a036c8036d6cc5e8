/* addrd/search - look-ups for one question, and whether one of them failed on the way.
 * A table that could not be asked is noted once; after that nothing that was found or not found
 * counts, and the answer to the question is "later".
 * Callers: addrd/resolver, addrd/rewriter, addrd/expander. */
#ifndef ADDRD_SEARCH_H
#define ADDRD_SEARCH_H

#include "address/mailbox.h"
#include "resolver.h"

struct search {
    struct resolver *resolver;
    struct arena *arena;
    bool has_failed;
};

/* Notes a failed look-up, for this reason; true where the key is there. */
bool search_note(struct search *search, enum table_result result, struct span reason);
/* Memory is out: as good as a failed look-up. Always false. */
bool search_note_memory(struct search *search);

bool search_is_in(struct search *search, struct table_match *match, struct span name);
/* The value of exactly this key, in the arena, or a span with NULL bytes. */
struct span search_key(struct search *search, struct table_list *list, struct span key);

struct search_address {
    const struct mailbox *mailbox;
    struct span domain;   /* in lower case */
    bool is_local_domain; /* the local part alone is a key, too */
    unsigned keys;        /* enum table_address_keys */
};

/* The value of the first key, or a span with NULL bytes. *extension, which may be NULL: what the
 * key left out. */
struct span search_address(struct search *search, struct table_list *list,
                           const struct search_address *address, struct span *extension);

/* Domain in lower case without its final dot; NULL bytes when memory is out, which is noted. */
struct span search_fold_domain(struct search *search, struct span domain);
/* Is this the domain of $myorigin, $mydestination, or of one of our addresses? Then tables are
 * asked for the local part alone, too. */
bool search_is_local_domain(struct search *search, const struct mailbox *mailbox,
                            struct span domain);
/* One of inet_interfaces and proxy_interfaces. */
bool search_is_own_address(const struct search *search, const struct ip_address *address);

#endif
