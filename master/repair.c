/* master/repair - see repair.h. */
#include "repair.h"

#include <stdlib.h>

#include "system/clock.h"

void repairs_init(struct repairs *repairs)
{
    list_init(&repairs->list);
}

static void forget(struct repairs *repairs, struct repair *repair)
{
    list_remove(&repairs->list, &repair->link);
    free(repair);
}

void repairs_destroy(struct repairs *repairs)
{
    LIST_FOR_EACH (&repairs->list, link)
        forget(repairs, LIST_ITEM(link, struct repair, link));
}

/* NULL when memory is out: the next restart of either side brings a channel. */
static struct repair *find_or_add(struct repairs *repairs, uint32_t client, uint32_t server)
{
    LIST_FOR_EACH (&repairs->list, link) {
        struct repair *repair = LIST_ITEM(link, struct repair, link);
        if (repair->client == client && repair->server == server)
            return repair;
    }
    struct repair *repair = calloc(1, sizeof(*repair));
    if (!repair)
        return NULL;
    repair->client = client;
    repair->server = server;
    repair->due_ms = CLOCK_NEVER;
    list_append(&repairs->list, &repair->link);
    return repair;
}

void repairs_tell(struct repairs *repairs, uint32_t client, uint32_t server, uint32_t channel,
                  bool says_server, int64_t now_ms)
{
    struct repair *repair = find_or_add(repairs, client, server);
    if (!repair || channel < repair->channel)
        return;
    if (says_server)
        repair->is_told_by_server = true;
    else
        repair->is_told_by_client = true;
    const bool is_sure = repair->is_told_by_client && repair->is_told_by_server;
    const int64_t wait_ms = is_sure ? REPAIR_MS : (int64_t)REPAIR_MS << repair->lone_count;
    if (repair->due_ms == CLOCK_NEVER || repair->due_ms > now_ms + wait_ms)
        repair->due_ms = now_ms + wait_ms;
}

void repairs_want(struct repairs *repairs, uint32_t client, uint32_t server, int64_t now_ms)
{
    struct repair *repair = find_or_add(repairs, client, server);
    if (!repair)
        return;
    repair->is_told_by_client = repair->is_told_by_server = true;
    repair->due_ms = now_ms + REPAIR_MS;
}

struct repair *repairs_next_due(struct repairs *repairs, int64_t now_ms)
{
    LIST_FOR_EACH (&repairs->list, link) {
        struct repair *repair = LIST_ITEM(link, struct repair, link);
        if (repair->due_ms != CLOCK_NEVER && repair->due_ms <= now_ms)
            return repair;
    }
    return NULL;
}

void repair_made(struct repair *repair, uint32_t channel)
{
    const bool is_sure = repair->is_told_by_client && repair->is_told_by_server;
    if (!is_sure && repair->lone_count < REPAIR_DOUBLINGS_MAX)
        repair->lone_count++;
    repair->channel = channel;
    repair->is_told_by_client = repair->is_told_by_server = false;
    repair->due_ms = CLOCK_NEVER;
}

void repair_put_off(struct repair *repair, int64_t now_ms)
{
    repair->due_ms = now_ms + REPAIR_MS;
}

void repairs_forget(struct repairs *repairs, uint32_t number)
{
    LIST_FOR_EACH (&repairs->list, link) {
        struct repair *repair = LIST_ITEM(link, struct repair, link);
        if (repair->client == number || repair->server == number)
            forget(repairs, repair);
    }
}

int64_t repairs_due_ms(const struct repairs *repairs)
{
    int64_t due_ms = CLOCK_NEVER;
    LIST_FOR_EACH (&repairs->list, link) {
        const struct repair *repair = LIST_ITEM(link, struct repair, link);
        if (repair->due_ms != CLOCK_NEVER && (due_ms == CLOCK_NEVER || repair->due_ms < due_ms))
            due_ms = repair->due_ms;
    }
    return due_ms;
}
