/* qmgr/probe - see probe.h. */
#include "probe.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "agent.h"
#include "maillog/queue.h"
#include "system/clock.h"
#include "system/random.h"

enum {
    ENVELOPE_MAX_BYTES = 16384,
    ACTIVE_SHARE = 4 /* probes take at most this part of the active set: mail comes first */
};

struct probe_peer {
    struct qmgr *qmgr;
    struct ipc_channel *channel;
    struct list probes;
};

struct probe {
    struct list_link link;   /* of the peer */
    struct probe_peer *peer; /* NULL: nobody waits for the answer any more */
    uint32_t request_id;
};

bool probe_prepare(struct qmgr *qmgr)
{
    qmgr->probe_content = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return qmgr->probe_content >= 0 &&
           fcntl(qmgr->probe_content, F_ADD_SEALS,
                 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0;
}

int probe_open(const struct qmgr *qmgr)
{
    return fcntl(qmgr->probe_content, F_DUPFD_CLOEXEC, 3);
}

/* ---- the answer ---- */

static void answer(struct probe_peer *peer, uint32_t request_id, const struct outcome *outcome,
                   bool is_unasked)
{
    const struct ipc_address_probe_reply reply = {.outcome = *outcome, .is_unasked = is_unasked};
    (void)ipc_channel_reply(peer->channel, request_id, IPC_ADDRESS_PROBE_REPLY, &reply);
}

static void finish(struct message *message)
{
    struct probe *probe = message->probe;
    message->probe = NULL;
    const struct recipient *recipient = &message->recipients[0];
    if (probe && probe->peer) {
        /* It may end without an attempt, as poison. */
        answer(probe->peer, probe->request_id, &recipient->outcome,
               recipient->last_attempt_us == 0);
        list_remove(&probe->peer->probes, &probe->link);
    }
    free(probe);
}

void probe_progress(struct message *message)
{
    for (size_t i = 0; i < message->acknowledgement_count; i++)
        agent_acknowledge(message->qmgr, message_id(message), &message->acknowledgements[i]);
    message->acknowledgement_count = 0;
    if (message->open_count > 0)
        return;
    finish(message);
    maillog_removed(&message->qmgr->service->log, message_id(message));
    message_discard(message);
}

/* ---- the question ---- */

static struct message *make_message(struct qmgr *qmgr, const struct ipc_address_probe *question)
{
    const uint64_t now_us = clock_realtime_us();
    const struct queue_envelope envelope = {.arrival_us = now_us,
                                            .origin = QUEUE_ORIGIN_BOUNCE,
                                            .reverse_path = question->sender,
                                            .flags = QUEUE_FLAG_VERIFY | QUEUE_FLAG_NO_REPORT};
    const struct queue_recipient recipient = {.forward_path = question->address,
                                              .notify = QUEUE_NOTIFY_NEVER};
    uint8_t random[QUEUE_ID_RANDOM_BYTES];
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    struct buffer encoded;
    bool is_malformed;
    random_bytes(random, sizeof(random));
    (void)queue_id_make(now_us, random, queue_id);
    buffer_init(&encoded, NULL, ENVELOPE_MAX_BYTES);
    queue_envelope_encode_header(&envelope, &encoded);
    queue_envelope_append_recipient(&recipient, &encoded);
    struct message *message =
        buffer_ok(&encoded) ? message_create(qmgr, queue_id, buffer_span(&encoded), &is_malformed)
                            : NULL;
    buffer_release(&encoded);
    return message;
}

static void on_probe(struct probe_peer *peer, uint32_t request_id,
                     const struct ipc_address_probe *question)
{
    struct qmgr *qmgr = peer->qmgr;
    const struct outcome busy =
        outcome_temporary(451, 3, 2, "too many addresses are being verified");
    const struct outcome trouble =
        outcome_temporary(451, 3, 0, "the address cannot be verified now");
    const size_t limit = qmgr->settings->qmgr_message_active_limit / ACTIVE_SHARE + 1;
    if (peer->probes.count >= limit || !qmgr_has_room(qmgr)) {
        answer(peer, request_id, &busy, true);
        return;
    }
    struct probe *probe = calloc(1, sizeof(*probe));
    struct message *message = probe ? make_message(qmgr, question) : NULL;
    if (!message) {
        free(probe);
        answer(peer, request_id, &trouble, true);
        return;
    }
    *probe = (struct probe){.peer = peer, .request_id = request_id};
    list_append(&peer->probes, &probe->link);
    message->probe = probe;
    message->is_probe = true;
    message->recipients[0].outcome = trouble; /* until an agent knows better */
    message_activate(message);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)channel;
    if (delivery->type == IPC_ADDRESS_PROBE && delivery->id != 0)
        on_probe(context, delivery->id, delivery->message);
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct probe_peer *peer = context;
    struct list_link *link;
    (void)channel;
    (void)reason;
    while ((link = list_pop(&peer->probes)) != NULL)
        LIST_ITEM(link, struct probe, link)->peer = NULL;
    ipc_channel_destroy(&peer->channel);
    free(peer);
}

static const struct ipc_permission permissions[] = {
    {IPC_ADDRESS_PROBE, IPC_ROLE_BIT(IPC_ROLE_VERIFY)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void probe_attach(struct qmgr *qmgr, int descriptor)
{
    struct probe_peer *peer = calloc(1, sizeof(*peer));
    if (!peer) {
        file_close(descriptor);
        return;
    }
    peer->qmgr = qmgr;
    list_init(&peer->probes);
    peer->channel = ipc_channel_create(qmgr->loop, descriptor, IPC_ROLE_VERIFY, &handlers, peer);
    if (!peer->channel)
        free(peer);
}
