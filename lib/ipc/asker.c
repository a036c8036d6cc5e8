/* ipc/asker - see asker.h. */
#include "ipc/asker.h"

#include <stdlib.h>

#include "system/file.h"

struct ipc_waiter *ipc_waiter_first(const struct list *line)
{
    struct list_link *link = list_first(line);
    return link ? LIST_ITEM(link, struct ipc_waiter, line_link) : NULL;
}

void ipc_waiter_end(struct ipc_waiter *waiter)
{
    list_remove(&waiter->asker->waiters, &waiter->asker_link);
    list_remove(waiter->line, &waiter->line_link);
    loop_timer_release(&waiter->timer);
    free(waiter);
}

static void on_waited(void *context)
{
    struct ipc_waiter *waiter = context;
    waiter->asker->rules->on_waited(waiter);
    ipc_waiter_end(waiter);
}

bool ipc_asker_wait(struct ipc_asker *asker, uint32_t request_id, struct list *line, void *subject,
                    int64_t deadline_ms)
{
    struct ipc_waiter *waiter = calloc(1, sizeof(*waiter));
    if (!waiter)
        return false;
    waiter->asker = asker;
    waiter->request_id = request_id;
    waiter->subject = subject;
    waiter->line = line;
    loop_timer_init(&waiter->timer, asker->loop, on_waited, waiter);
    loop_timer_set(&waiter->timer, deadline_ms);
    list_append(&asker->waiters, &waiter->asker_link);
    list_append(line, &waiter->line_link);
    return true;
}

static void on_message(struct ipc_channel *channel UNUSED, const struct ipc_delivery *delivery,
                       void *context)
{
    struct ipc_asker *asker = context;
    if (delivery->id != 0)
        asker->rules->on_question(asker, delivery);
}

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    struct ipc_asker *asker = context;
    struct list_link *link;
    while ((link = list_first(&asker->waiters)) != NULL)
        ipc_waiter_end(LIST_ITEM(link, struct ipc_waiter, asker_link));
    ipc_channel_destroy(&asker->channel);
    free(asker);
}

void ipc_asker_create(struct loop *loop, int descriptor, enum ipc_role role,
                      const struct ipc_asker_rules *rules, void *server)
{
    struct ipc_asker *asker = calloc(1, sizeof(*asker));
    if (!asker) {
        file_close(descriptor);
        return;
    }
    asker->server = server;
    asker->rules = rules;
    asker->loop = loop;
    asker->handlers = (struct ipc_channel_handlers){on_message, on_closed, rules->permissions};
    list_init(&asker->waiters);
    asker->channel = ipc_channel_create(loop, descriptor, role, &asker->handlers, asker);
    if (!asker->channel)
        free(asker);
}
