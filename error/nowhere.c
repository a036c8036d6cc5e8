/* error/nowhere - see nowhere.h. */
#include "nowhere.h"

#include "system/file.h"

/* Each holds a descriptor until its last result is acknowledged. */
enum { CAPACITY = 200 };

struct nowhere {
    enum outcome_kind kind;
    struct agent *agent;
};

static void deliver(struct agent_message *message, void *context)
{
    const struct nowhere *nowhere = context;
    const struct outcome outcome = outcome_from_text(nowhere->kind, message->deliver.nexthop);
    /* The message lives at least until its last result was acknowledged. */
    for (size_t i = 0; i < message->recipient_count; i++)
        agent_finish(&message->recipients[i], outcome);
}

bool nowhere_begin(struct service *service, enum outcome_kind kind, bool is_soft_bouncing,
                   void (*change_outcome)(void *context, struct outcome *outcome,
                                          struct arena *arena),
                   void *change_context)
{
    struct nowhere *nowhere = arena_alloc(&service->arena, sizeof(*nowhere));
    if (nowhere) {
        *nowhere = (struct nowhere){.kind = kind};
        service->state = nowhere;
        const struct agent_settings agent = {.relay = SPAN("none"),
                                             .log = &service->log,
                                             .is_soft_bouncing = is_soft_bouncing,
                                             .change_outcome = change_outcome,
                                             .change_context = change_context,
                                             .capacity = CAPACITY,
                                             .takes_verification = true,
                                             .deliver = deliver,
                                             .context = nowhere};
        nowhere->agent = agent_create(service->loop, &agent);
    }
    if (!nowhere || !nowhere->agent)
        service_say(service, "cannot start: out of memory");
    return nowhere && nowhere->agent;
}

void nowhere_on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    const struct nowhere *nowhere = service->state;
    if (peer->role == IPC_ROLE_QMGR)
        agent_attach(nowhere->agent, descriptor, peer->role);
    else
        file_close(descriptor); /* nobody else has business here */
}

static void leave(void *service)
{
    service_leave(service, 0);
}

void nowhere_drain(struct service *service)
{
    const struct nowhere *nowhere = service->state;
    agent_drain(nowhere->agent, leave, service);
}
