/* qmgr/agent - see agent.h. */
#include "agent.h"

#include <stdlib.h>

#include "capacity.h"
#include "poison.h"

enum {
    AGENT_RETURN_MS = 20 * 1000,
    QUEUED_MAX_BYTES = 512 << 10, /* half of what a channel takes */
    OPENING_MAX = 64              /* in vain, if what is opened first fills the channel */
};

bool agent_serves(struct qmgr *qmgr, struct span transport)
{
    struct map_node *node = map_find(&qmgr->transports, transport);
    return node && !list_is_empty(&CONTAINER_OF(node, struct transport, node)->agents);
}

bool agent_reads(const struct agent *agent)
{
    return ipc_channel_queued_bytes(agent->channel) < QUEUED_MAX_BYTES;
}

bool agent_keeps_up(const struct agent *agent)
{
    return agent_reads(agent) && agent->opening_count < OPENING_MAX;
}

bool agent_is_final(const struct transport *transport)
{
    struct agent *agent = LIST_ITEM(list_first(&transport->agents), struct agent, transport_link);
    const uint32_t final_roles = IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_VIRTUAL) |
                                 IPC_ROLE_BIT(IPC_ROLE_ERROR) | IPC_ROLE_BIT(IPC_ROLE_DISCARD);
    return agent && (IPC_ROLE_BIT(agent->role) & final_roles) != 0;
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct agent *agent = context;
    (void)channel;
    agent->unanswered_count = 0;
    if (delivery->type == IPC_DELIVER_CAPACITY) {
        const struct ipc_deliver_capacity *capacity = delivery->message;
        agent->capacity =
            capacity_to_give(capacity->count, agent->qmgr->settings->qmgr_message_active_limit);
        schedule_wake(agent->qmgr);
    } else if (delivery->type == IPC_DELIVER_RESULT) {
        agent_take_result(agent, delivery->message);
    }
}

static void detach(struct agent *agent)
{
    struct list_link *link;
    list_remove(&agent->qmgr->agents, &agent->link);
    list_remove(&agent->transport->agents, &agent->transport_link);
    agent->transport->agents_expected_until_ms = clock_deadline_after(AGENT_RETURN_MS);
    while ((link = list_pop(&agent->in_flight)) != NULL) {
        struct entry *entry = LIST_ITEM(link, struct entry, link);
        map_remove(&agent->qmgr->in_flight, &entry->node);
        poison_note_loss(agent->qmgr, agent->process_number, message_id(entry->message));
        schedule_returned(entry, true);
    }
    ipc_channel_destroy(&agent->channel);
    free(agent);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct agent *agent = context;
    (void)channel;
    (void)reason;
    detach(agent);
}

#define AGENTS                                                                                     \
    (IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_VIRTUAL) | \
     IPC_ROLE_BIT(IPC_ROLE_ERROR) | IPC_ROLE_BIT(IPC_ROLE_DISCARD) | IPC_ROLE_BIT(IPC_ROLE_PIPE) | \
     IPC_ROLE_BIT(IPC_ROLE_LMTP))
static const struct ipc_permission permissions[] = {
    {IPC_DELIVER_CAPACITY, AGENTS},
    {IPC_DELIVER_RESULT, AGENTS},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void agent_attach(struct qmgr *qmgr, const struct service_peer *peer, int descriptor)
{
    struct agent *agent = calloc(1, sizeof(*agent));
    struct transport *transport = schedule_transport(qmgr, peer->service);
    if (!agent || !transport) {
        free(agent);
        file_close(descriptor);
        return;
    }
    agent->qmgr = qmgr;
    agent->transport = transport;
    agent->role = peer->role;
    agent->process_number = peer->process_number;
    list_init(&agent->in_flight);
    agent->channel = ipc_channel_create(qmgr->loop, descriptor, peer->role, &handlers, agent);
    if (!agent->channel) {
        free(agent);
        return;
    }
    list_append(&qmgr->agents, &agent->link);
    list_append(&transport->agents, &agent->transport_link);
}
