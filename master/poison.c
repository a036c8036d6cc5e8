/* master/poison - see poison.h. */
#include "poison.h"

#include <stdlib.h>
#include <string.h>

void poisons_init(struct poisons *poisons)
{
    list_init(&poisons->list);
}

static void forget(struct poisons *poisons, struct poison *poison)
{
    list_remove(&poisons->list, &poison->link);
    free(poison);
}

void poisons_destroy(struct poisons *poisons)
{
    LIST_FOR_EACH (&poisons->list, link)
        forget(poisons, LIST_ITEM(link, struct poison, link));
}

static struct poison *find(struct poisons *poisons, enum ipc_role role, struct span work)
{
    LIST_FOR_EACH (&poisons->list, link) {
        struct poison *poison = LIST_ITEM(link, struct poison, link);
        if (poison->role == role && span_equals(span_from_string(poison->work), work))
            return poison;
    }
    return NULL;
}

const struct poison *poisons_count(struct poisons *poisons, enum ipc_role role,
                                   uint32_t process_number, struct span work, int64_t now_ms)
{
    work = span_first(work, sizeof(((struct poison *)NULL)->work) - 1);
    LIST_FOR_EACH (&poisons->list, link) {
        struct poison *old = LIST_ITEM(link, struct poison, link);
        if (now_ms - old->last_ms >= POISON_MEMORY_MS)
            forget(poisons, old);
    }
    struct poison *poison = find(poisons, role, work);
    if (poison) {
        list_remove(&poisons->list, &poison->link);
    } else {
        if (poisons->list.count >= POISON_ENTRIES_MAX)
            forget(poisons, LIST_ITEM(list_first(&poisons->list), struct poison, link));
        poison = calloc(1, sizeof(*poison));
        if (!poison)
            return NULL;
        poison->role = role;
        memcpy(poison->work, work.bytes, work.length);
    }
    poison->process_number = process_number;
    poison->count++;
    poison->last_ms = now_ms;
    list_append(&poisons->list, &poison->link);
    return poison;
}
