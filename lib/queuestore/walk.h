/* queuestore/walk - go through the queue a few dozen messages at a time: new/, then the buckets in
 * the order of their time, then hold/.
 * What is reported is what one saw in passing: messages come and go meanwhile. */
#ifndef QUEUESTORE_WALK_H
#define QUEUESTORE_WALK_H

#include "queuestore/store.h"

enum { WALK_PAGE_MESSAGES = 32 };

struct walk_message {
    struct store_place place;
    bool is_held;
    struct arena arena; /* of the message */
    struct store_message message;
};

struct walk;

/* NULL when memory is out. The store must outlive it. */
struct walk *walk_create(const struct store *store);
void walk_destroy(struct walk **walk);
/* Reads the next messages, at most WALK_PAGE_MESSAGES; those of the page before are gone then.
 * Touches nothing but the walk: may run in a thread. */
void walk_read_page(struct walk *walk);
/* The messages of the page. */
struct walk_message *walk_page(struct walk *walk, size_t *count);
/* No page will follow. */
bool walk_is_at_end(const struct walk *walk);

#endif
