/* qmgr/deliver - hand one delivery to an agent: descriptor, extents, recipients. See agent.h. */
#include <errno.h>
#include <stdlib.h>

#include "agent.h"
#include "maillog/event.h"
#include "probe.h"
#include "scan.h"
#include "verp.h"

enum { HEADER_MAX_BYTES = 3 + UINT16_MAX };

struct open_job {
    struct pool_job job;
    const struct store *store;
    struct store_place place;
    struct message *message;
    uint64_t number;
    int descriptor, error;
};

static void fail_with(struct entry *entry, const struct outcome *outcome)
{
    struct message *message = entry->message;
    for (size_t i = 0; i < entry->count; i++)
        if (message->recipients[entry->indexes[i]].stage != STAGE_DONE)
            message_fail_locally(message, entry->indexes[i], outcome);
    message_use(message);
    schedule_finished(entry, NULL);
    message_progress(message);
    message_unuse(message);
}

static void fail(struct entry *entry, const char *reason)
{
    const struct outcome outcome = outcome_temporary(451, 3, 0, reason);
    fail_with(entry, &outcome);
}

static void leave_agent(struct entry *entry)
{
    list_remove(&entry->agent->in_flight, &entry->link);
    map_remove(&entry->agent->qmgr->in_flight, &entry->node);
    entry->agent = NULL;
}

static bool append_recipients(const struct entry *entry, struct buffer *records,
                              bool *is_maybe_repeated)
{
    const struct message *message = entry->message;
    for (size_t i = 0; i < entry->count; i++) {
        const uint32_t index = entry->indexes[i];
        const struct recipient *recipient = &message->recipients[index];
        const struct queue_recipient *envelope = &message->envelope.recipients[index];
        const struct span address = message_recipient_address(message, index);
        const struct span original = envelope->original_recipient.length
                                         ? envelope->original_recipient
                                         : envelope->forward_path;
        const struct ipc_deliver_recipient record = {
            .index = index,
            .recipient = address,
            .original = span_equals(original, address) ? span_empty() : original,
            .orcpt = envelope->orcpt,
            .notify = envelope->notify,
            .mailbox = recipient->mailbox,
        };
        *is_maybe_repeated |= recipient->is_maybe_repeated;
        ipc_records_append(IPC_DELIVER_RECIPIENT, &record, records);
    }
    return buffer_ok(records);
}

/* The header record of the envelope, in *made where it is not the message's. An empty one: *outcome
 * says why there is none. */
static struct span header_for(const struct entry *entry, struct buffer *made,
                              struct outcome *outcome)
{
    const struct message *message = entry->message;
    if (!verp_is_wanted(message))
        return message->envelope_header;
    return verp_append_header(message, entry->indexes[0], made, outcome) ? buffer_span(made)
                                                                         : span_empty();
}

/* Meanwhile others have filled its channel. */
static void give_back(struct entry *entry, int descriptor)
{
    file_close(descriptor);
    leave_agent(entry);
    schedule_returned(entry, false);
}

/* The descriptor goes with it. */
static void send_delivery(struct agent *agent, struct entry *entry, int descriptor)
{
    struct message *message = entry->message;
    const struct destination *destination = entry->destination;
    struct buffer records, extents, header;
    struct outcome outcome;
    bool is_maybe_repeated = false;
    buffer_init(&records, NULL, 32768);
    buffer_init(&extents, NULL, QUEUE_EXTENT_MAX * QUEUE_EXTENT_BYTES);
    queue_extents_encode(message->preamble.extents, message->preamble.extent_count, &extents);
    buffer_init(&header, NULL, HEADER_MAX_BYTES);
    const struct span envelope = header_for(entry, &header, &outcome);
    const bool is_encoded = append_recipients(entry, &records, &is_maybe_repeated);
    const struct ipc_deliver delivery = {
        .queue_id = message_id(message),
        .content = descriptor,
        .extents = buffer_span(&extents),
        .envelope = envelope,
        .transport = span_from_string(destination->transport->name),
        .nexthop = destination->nexthop,
        .recipients = buffer_span(&records),
        .active_us = message->active_us,
        .is_maybe_repeated = is_maybe_repeated,
        .delivery = entry->number,
    };
    if (span_is_empty(envelope)) {
        file_close(descriptor);
        leave_agent(entry);
        fail_with(entry, &outcome);
    } else if (!is_encoded) {
        file_close(descriptor);
        leave_agent(entry);
        fail(entry, "too many recipients for one delivery");
    } else if (!ipc_channel_send(agent->channel, IPC_DELIVER, &delivery)) {
        leave_agent(entry);
        fail(entry, "the delivery agent is busy");
    }
    buffer_release(&records);
    buffer_release(&extents);
    buffer_release(&header);
}

static void open_work(struct pool_job *job)
{
    struct open_job *open_job = CONTAINER_OF(job, struct open_job, job);
    open_job->descriptor = store_open_delivery(open_job->store, &open_job->place);
    open_job->error = errno;
}

/* Meanwhile the agent may be gone and the entry with it: it is looked up by its number. */
static void open_done(struct pool_job *job)
{
    struct open_job *open_job = CONTAINER_OF(job, struct open_job, job);
    struct message *message = open_job->message;
    struct map_node *node =
        map_find(&message->qmgr->in_flight, span_of(&open_job->number, sizeof(open_job->number)));
    struct entry *entry = node ? CONTAINER_OF(node, struct entry, node) : NULL;
    if (entry) {
        if (!agent_keeps_up(entry->agent))
            schedule_wake(message->qmgr);
        entry->agent->opening_count--;
    }
    if (!entry) {
        file_close(open_job->descriptor);
    } else if (open_job->descriptor < 0) {
        maillog_text(&message->qmgr->service->log, LOG_LEVEL_WARNING, message_id(message),
                     "cannot open the queue file: %s", strerror(open_job->error));
        leave_agent(entry);
        fail(entry, "queue file read error");
    } else if (!agent_reads(entry->agent)) {
        give_back(entry, open_job->descriptor);
    } else {
        send_delivery(entry->agent, entry, open_job->descriptor);
    }
    free(open_job);
    message_unuse(message);
}

void agent_deliver(struct agent *agent, struct entry *entry)
{
    struct message *message = entry->message;
    struct qmgr *qmgr = agent->qmgr;
    entry->agent = agent;
    entry->number = ++qmgr->next_delivery;
    entry->node.key = span_of(&entry->number, sizeof(entry->number));
    agent->unanswered_count++;
    list_append(&agent->in_flight, &entry->link);
    ASSERT(map_insert(&qmgr->in_flight, &entry->node));
    for (size_t i = 0; i < entry->count; i++)
        message->recipients[entry->indexes[i]].stage = STAGE_IN_FLIGHT;
    const int descriptor = message->is_probe ? probe_open(qmgr) : message_take_ready(message);
    if (descriptor >= 0) {
        send_delivery(agent, entry, descriptor);
        return;
    }
    struct open_job *job = calloc(1, sizeof(*job));
    if (!job) {
        leave_agent(entry);
        fail(entry, "queue manager is out of memory");
        return;
    }
    job->job.work = open_work;
    job->job.done = open_done;
    job->store = scan_store(qmgr);
    job->place = message->place;
    job->message = message;
    job->number = entry->number;
    agent->opening_count++;
    message_use(message);
    pool_submit(qmgr->pool, &job->job);
}
