/* error/nowhere - see nowhere.h. */
#include "nowhere.h"

/* Each holds a descriptor until its last result is acknowledged. */
enum { CAPACITY = 200 };

struct nowhere {
    enum outcome_kind kind;
    struct agent_service agent;
};

static void deliver(struct agent_message *message, void *context)
{
    const struct nowhere *nowhere = context;
    const struct outcome outcome = outcome_from_text(nowhere->kind, message->deliver.nexthop);
    /* The message lives at least until its last result was acknowledged. */
    for (size_t i = 0; i < message->recipient_count; i++)
        agent_finish(&message->recipients[i], outcome);
}

struct agent_service *nowhere_create(struct service *service)
{
    struct nowhere *nowhere = arena_alloc(&service->arena, sizeof(*nowhere));
    ASSERT(nowhere);
    service->state = nowhere;
    return &nowhere->agent;
}

bool nowhere_begin(struct service *service, enum outcome_kind kind, bool is_soft_bouncing)
{
    struct nowhere *nowhere = service->state;
    const struct agent_settings agent = {.relay = SPAN("none"),
                                         .is_soft_bouncing = is_soft_bouncing,
                                         .capacity = CAPACITY,
                                         .takes_verification = true,
                                         .deliver = deliver,
                                         .context = nowhere};
    nowhere->kind = kind;
    return agent_service_begin(service, &nowhere->agent, agent);
}

void nowhere_on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct nowhere *nowhere = service->state;
    agent_service_on_peer(&nowhere->agent, peer, descriptor);
}

void nowhere_drain(struct service *service)
{
    struct nowhere *nowhere = service->state;
    agent_service_drain(service, &nowhere->agent);
}
