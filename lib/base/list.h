/* base/list - a doubly linked list whose links live in its members.
 * A member that is on no list has next == NULL. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct list_link {
    struct list_link *next;
    struct list_link *previous;
};

struct list {
    struct list_link head;
    size_t count;
};

/* Must be called before first use. */
static inline void list_init(struct list *list)
{
    list->head.next = list->head.previous = &list->head;
    list->count = 0;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->count == 0;
}

static inline bool list_is_linked(const struct list_link *link)
{
    return link->next != NULL;
}

static inline void list_insert_before(struct list *list, struct list_link *position,
                                      struct list_link *link)
{
    ASSERT(!list_is_linked(link));
    link->previous = position->previous;
    link->next = position;
    position->previous->next = link;
    position->previous = link;
    list->count++;
}

static inline void list_append(struct list *list, struct list_link *link)
{
    list_insert_before(list, &list->head, link);
}

static inline void list_prepend(struct list *list, struct list_link *link)
{
    list_insert_before(list, list->head.next, link);
}

/* The link must be on this list. */
static inline void list_remove(struct list *list, struct list_link *link)
{
    ASSERT(list_is_linked(link) && list->count > 0);
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = NULL;
    list->count--;
}

/* NULL when the list is empty. */
static inline struct list_link *list_first(const struct list *list)
{
    return list->count ? list->head.next : NULL;
}

static inline struct list_link *list_next(const struct list *list, const struct list_link *link)
{
    return link->next == &list->head ? NULL : link->next;
}

static inline struct list_link *list_pop(struct list *list)
{
    struct list_link *link = list_first(list);
    if (link)
        list_remove(list, link);
    return link;
}

static inline void *list_item_at(struct list_link *link, size_t offset)
{
    return link ? (char *)link - offset : NULL;
}

/* The structure that a link belongs to; NULL for NULL. Evaluates link once. */
#define LIST_ITEM(link, type, member) ((type *)list_item_at(link, offsetof(type, member)))

/* Walks the links; the body may remove the current one. */
#define LIST_FOR_EACH(list, link)                                                                  \
    for (struct list_link *link = list_first(list), *link##_next = NULL;                           \
         link && (link##_next = list_next(list, link), true); link = link##_next)

#endif
