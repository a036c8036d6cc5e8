/* qmgr/result - what agents report, and the acknowledgements they wait for. See agent.h.
 * A result of a delivery that this qmgr began closes recipients. One that an earlier qmgr began is
 * kept until the message is read again, and applied then: the recipient is not delivered twice. */
#include <stdlib.h>

#include "agent.h"
#include "late.h"
#include "scan.h"
#include "schedule.h"

enum { ORPHANS_MAX = 10000 };

struct orphan {
    struct list_link link;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    struct acknowledgement acknowledgement;
    struct span results; /* RECORDS, in bytes[] */
    uint8_t bytes[];
};

void agent_acknowledge(struct qmgr *qmgr, struct span queue_id,
                       const struct acknowledgement *acknowledgement)
{
    LIST_FOR_EACH (&qmgr->agents, link) {
        struct agent *agent = LIST_ITEM(link, struct agent, link);
        if (agent->process_number != acknowledgement->process_number)
            continue;
        const struct ipc_deliver_acknowledge message = {.queue_id = queue_id,
                                                        .delivery = acknowledgement->delivery,
                                                        .serial = acknowledgement->serial};
        (void)ipc_channel_send(agent->channel, IPC_DELIVER_ACKNOWLEDGE, &message);
        if (acknowledgement->is_last && agent->unheard_count > 0) {
            agent->unheard_count--;
            schedule_wake(qmgr);
        }
    }
}

/* The recipient is no business of the delivery any more: it may be under way elsewhere before this
 * one is over. */
static void forget_index(struct entry *entry, uint32_t index)
{
    size_t kept = 0;
    for (size_t i = 0; i < entry->count; i++)
        if (entry->indexes[i] != index)
            entry->indexes[kept++] = entry->indexes[i];
    entry->count = kept;
}

/* Whom an agent may hand a recipient over to: transports that have agents, so that no name makes a
 * new one. smtp talks to strangers: it may name those that deliver mail as mail, not a command. */
static bool may_name(const struct agent *agent, struct span name)
{
    const uint32_t from_smtp = IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP) |
                               IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_VIRTUAL);
    LIST_FOR_EACH (&agent->qmgr->agents, link) {
        const struct agent *other = LIST_ITEM(link, struct agent, link);
        if (!span_equals(span_from_string(other->transport->name), name))
            continue;
        return agent->role == IPC_ROLE_LOCAL ||
               (agent->role == IPC_ROLE_SMTP && (IPC_ROLE_BIT(other->role) & from_smtp));
    }
    return false;
}

/* local knows who the recipient is, and that another transport delivers to that one; smtp that the
 * best mail exchanger is this host. Of a delivery that this round knows nothing of the word is
 * passed over: the agent is asked again. Once in a round, or two could play ball. */
static void redirect(struct message *message, const struct ipc_recipient_result *result,
                     struct entry *entry)
{
    struct recipient *recipient = &message->recipients[result->index];
    struct outcome outcome = outcome_temporary(451, 4, 6, "mail transport loop");
    if (!entry)
        return;
    if (!may_name(entry->agent, result->transport)) {
        outcome = outcome_temporary(451, 3, 0, "mail transport unavailable");
    } else if (!recipient->is_redirected && !message->is_settling && !message->is_deleted &&
               !message->is_holding) {
        recipient->is_redirected = true;
        recipient->stage = STAGE_QUEUED;
        if (schedule_recipient(message, result->index, result->transport, result->nexthop)) {
            forget_index(entry, result->index);
            schedule_message(message);
            return;
        }
        recipient->stage = STAGE_IN_FLIGHT;
        outcome = outcome_temporary(451, 3, 0, "queue manager is out of memory");
    }
    message_fail_locally(message, result->index, &outcome);
}

static bool has_index(const struct entry *entry, uint32_t index)
{
    for (size_t i = 0; entry && i < entry->count; i++)
        if (entry->indexes[i] == index)
            return true;
    return false;
}

/* Applies the records to recipients for which it is still open what became of them. entry: the
 * delivery that they are of, NULL: none. former: one that is under way with the same process, over
 * a channel that this one comes after; NULL: none. */
static void apply(struct message *message, struct span results, struct entry *entry,
                  const struct entry *former)
{
    struct ipc_recipient_result result;
    while (results.length &&
           ipc_records_next(&results, IPC_RECIPIENT_RESULT, &result) == PARSE_OK) {
        if (result.index >= message->recipient_count)
            continue;
        const struct recipient *recipient = &message->recipients[result.index];
        /* A delivery may speak of its own recipients only. */
        const bool is_own =
            entry ? has_index(entry, result.index) && recipient->stage == STAGE_IN_FLIGHT
                  : late_result_counts(recipient, result.outcome.kind,
                                       has_index(former, result.index));
        if (is_own && !span_is_empty(result.transport)) {
            redirect(message, &result, entry);
        } else if (is_own) {
            message->recipients[result.index].is_expanded = result.is_expanded;
            message->recipients[result.index].is_relayed = result.is_relayed;
            message_set_result(message, result.index, &result.outcome, result.remote,
                               result.diagnostic, result.will_report);
        }
    }
}

/* A delivery that is under way with the process, perhaps over another channel. */
static struct entry *find_entry(const struct agent *agent, const struct ipc_deliver_result *result)
{
    const uint64_t number = result->delivery;
    struct map_node *node = map_find(&agent->qmgr->in_flight, span_of(&number, sizeof(number)));
    struct entry *entry = node ? CONTAINER_OF(node, struct entry, node) : NULL;
    return entry && entry->agent->process_number == agent->process_number &&
                   span_equals(message_id(entry->message), result->queue_id)
               ? entry
               : NULL;
}

/* The content is not what was committed: nobody gets it, and the operator has to look. */
static void note_corruption(struct message *message)
{
    message->is_corrupt = true;
    maillog_text(&message->qmgr->service->log, LOG_LEVEL_ERROR, message_id(message),
                 "content does not match its digest; the message goes to corrupt");
}

static bool keep_orphan(struct agent *agent, const struct ipc_deliver_result *result,
                        const struct acknowledgement *acknowledgement)
{
    struct qmgr *qmgr = agent->qmgr;
    if (!queue_id_is_valid(result->queue_id) || qmgr->orphans.count >= ORPHANS_MAX)
        return false;
    struct orphan *orphan = calloc(1, sizeof(*orphan) + result->results.length);
    if (!orphan)
        return false;
    memcpy(orphan->queue_id, result->queue_id.bytes, result->queue_id.length);
    memcpy(orphan->bytes, result->results.bytes, result->results.length);
    orphan->results = span_of(orphan->bytes, result->results.length);
    orphan->acknowledgement = *acknowledgement;
    list_append(&qmgr->orphans, &orphan->link);
    return true;
}

static void take_orphan(struct agent *agent, const struct ipc_deliver_result *result,
                        const struct acknowledgement *acknowledgement)
{
    /* Unacknowledged it will come again to the next channel. */
    if (keep_orphan(agent, result, acknowledgement))
        (void)scan_want(agent->qmgr, result->queue_id);
}

static void note_connection(struct destination *destination, uint32_t process_number)
{
    destination->warm_process = process_number;
    if (destination->transport->is_by_recipient && process_number)
        destination->transport->warm_process = process_number;
}

void agent_take_result(struct agent *agent, const struct ipc_deliver_result *result)
{
    const struct acknowledgement acknowledgement = {agent->process_number, result->delivery,
                                                    result->serial, false};
    struct entry *entry = find_entry(agent, result);
    if (!entry || entry->agent != agent) {
        struct message *known = message_find(agent->qmgr, result->queue_id);
        if (!known) {
            take_orphan(agent, result, &acknowledgement);
            return;
        }
        /* A repeated result of a delivery that was given back, or one from before. */
        apply(known, result->results, NULL, entry);
        message_owe_acknowledgement(known, &acknowledgement);
        message_progress(known);
        return;
    }
    struct message *message = entry->message;
    message_use(message);
    apply(message, result->results, entry, NULL);
    struct acknowledgement owed = acknowledgement;
    owed.is_last = result->is_last;
    agent->unheard_count += result->is_last;
    message_owe_acknowledgement(message, &owed);
    if (result->is_corrupt)
        note_corruption(message);
    if (result->is_last) {
        note_connection(entry->destination, result->has_connection ? agent->process_number : 0);
        list_remove(&agent->in_flight, &entry->link);
        map_remove(&agent->qmgr->in_flight, &entry->node);
        entry->agent = NULL;
        /* Whoever got no result although the delivery is over is put off. */
        const struct outcome outcome =
            outcome_temporary(451, 3, 0, "the delivery agent gave no result");
        for (size_t i = 0; i < entry->count; i++)
            if (message->recipients[entry->indexes[i]].stage == STAGE_IN_FLIGHT)
                message_fail_locally(message, entry->indexes[i], &outcome);
        schedule_finished(entry, &result->site);
    }
    message_progress(message);
    message_unuse(message);
}

void result_apply_orphans(struct qmgr *qmgr, struct message *message)
{
    LIST_FOR_EACH (&qmgr->orphans, link) {
        struct orphan *orphan = LIST_ITEM(link, struct orphan, link);
        if (!span_equals(span_from_string(orphan->queue_id), message_id(message)))
            continue;
        list_remove(&qmgr->orphans, link);
        apply(message, orphan->results, NULL, NULL);
        message_owe_acknowledgement(message, &orphan->acknowledgement);
        free(orphan);
    }
}

void result_want_orphans(struct qmgr *qmgr)
{
    LIST_FOR_EACH (&qmgr->orphans, link) {
        const struct span queue_id =
            span_from_string(LIST_ITEM(link, struct orphan, link)->queue_id);
        if (!message_find(qmgr, queue_id))
            (void)scan_want(qmgr, queue_id);
    }
}

bool result_is_awaited(struct qmgr *qmgr, struct span queue_id)
{
    LIST_FOR_EACH (&qmgr->orphans, link)
        if (span_equals(span_from_string(LIST_ITEM(link, struct orphan, link)->queue_id), queue_id))
            return true;
    return false;
}

void result_forget_orphans(struct qmgr *qmgr, struct span queue_id)
{
    LIST_FOR_EACH (&qmgr->orphans, link) {
        struct orphan *orphan = LIST_ITEM(link, struct orphan, link);
        if (!span_equals(span_from_string(orphan->queue_id), queue_id))
            continue;
        list_remove(&qmgr->orphans, link);
        agent_acknowledge(qmgr, queue_id, &orphan->acknowledgement);
        free(orphan);
    }
}
