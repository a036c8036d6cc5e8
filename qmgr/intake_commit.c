/* qmgr/intake_commit - a message that somebody has written becomes one of the queue, and is
 * answered for when it is on disk. */
#include <errno.h>
#include <stdlib.h>

#include "intake_private.h"
#include "origin.h"
#include "recovered.h"
#include "route.h"
#include "scan.h"
#include "schedule.h"
#include "source.h"
#include "space.h"
#include "system/note.h"

struct commit_job {
    struct pool_job job;
    struct intake_peer *peer;
    uint32_t request_id;
    const struct store *store;
    struct message *message;
    struct queue_preamble preamble;
    struct span envelope;       /* in the message's arena */
    struct origin_marks origin; /* of recipients that this message was made of, if any */
    int descriptor;
    bool is_kept;         /* in the active set */
    bool is_opened_ahead; /* for its first delivery */
    int result, error;
    int delivery_descriptor;
};

static void reply(struct intake_peer *peer, uint32_t request_id, const struct outcome *outcome)
{
    const struct ipc_queue_commit_reply message = {.outcome = *outcome};
    if (peer->channel)
        (void)ipc_channel_reply(peer->channel, request_id, IPC_QUEUE_COMMIT_REPLY, &message);
}

static void commit_work(struct pool_job *job)
{
    struct commit_job *commit = CONTAINER_OF(job, struct commit_job, job);
    commit->result = origin_marks_look(&commit->origin, commit->store);
    commit->error = errno;
    if (commit->result != 0 || commit->origin.is_known) {
        store_abandon(commit->store, commit->message->place.queue_id, commit->descriptor);
        return;
    }
    commit->result = store_commit(commit->store, commit->message->place.queue_id,
                                  commit->descriptor, &commit->preamble, commit->envelope,
                                  (uint32_t)commit->message->recipient_count,
                                  commit->is_opened_ahead, &commit->delivery_descriptor);
    commit->error = errno;
    if (commit->result == 0)
        origin_marks_write(&commit->origin, commit->store);
}

static void refuse(struct commit_job *commit)
{
    const bool is_full = space_is_short(commit->error);
    const struct outcome outcome =
        is_full ? outcome_temporary(452, 3, 1, "Insufficient system storage")
                : outcome_temporary(451, 3, 0, "Error: queue file write error");
    maillog_text(&commit->peer->qmgr->service->log, LOG_LEVEL_WARNING, message_id(commit->message),
                 "queue file write error: %s", strerror(commit->error));
    reply(commit->peer, commit->request_id, &outcome);
    if (is_full && !(IPC_ROLE_BIT(commit->peer->role) & THROTTLED))
        space_spend_reserve(commit->peer->qmgr);
    message_discard(commit->message);
}

/* It was in the queue and is delivered: to take it once more would double it. */
static void drop_known(struct commit_job *commit)
{
    const struct outcome outcome = outcome_ok();
    reply(commit->peer, commit->request_id, &outcome);
    maillog_text(&commit->peer->qmgr->service->log, LOG_LEVEL_INFO, message_id(commit->message),
                 "not taken twice: the recipient of %s that it was made of is settled",
                 commit->origin.sought_id);
    message_discard(commit->message);
}

/* The client asks for it on the next channel, if this one closes before it has read the answer. */
static void note_answer(struct intake_peer *peer, const struct message *message)
{
    if (peer->channel)
        memcpy(peer->answered[peer->answered_count++ % ANSWERED_KEPT], message->place.queue_id,
               sizeof(peer->answered[0]));
    else
        recovered_note_unheard(peer->qmgr, message_id(message));
}

static void accept_message(struct commit_job *commit)
{
    struct message *message = commit->message;
    struct qmgr *qmgr = message->qmgr;
    const struct outcome outcome = outcome_ok();
    reply(commit->peer, commit->request_id, &outcome);
    note_answer(commit->peer, message);
    if (commit->peer->role == IPC_ROLE_PICKUP)
        source_expect(qmgr, message_id(message), commit->peer->channel ? commit->peer : NULL);
    origin_committed(message);
    message->preamble = commit->preamble;
    message_keep_ready(message, commit->delivery_descriptor);
    if (commit->is_kept) {
        origin_activate(message, commit->origin.are_written);
    } else {
        message_discard(message); /* from memory; scan finds it in new/ */
        scan_want_new(qmgr);
    }
}

static void commit_done(struct pool_job *job)
{
    struct commit_job *commit = CONTAINER_OF(job, struct commit_job, job);
    struct intake_peer *peer = commit->peer;
    struct message *message = commit->message;
    note_set(message_id(message));
    if (commit->result != 0)
        refuse(commit);
    else if (commit->origin.is_known)
        drop_known(commit);
    else
        accept_message(commit);
    note_clear();
    message_unuse(message);
    origin_marks_release(&commit->origin);
    free(commit);
    intake_peer_unuse(peer);
}

/* The header record, then the batches that came ahead, if they still count, then the last
 * recipients. */
static bool join_envelope(const struct ipc_queue_commit *request, const struct buffer *batches,
                          struct buffer *joined)
{
    const struct span last = request->envelope;
    struct span rest = last;
    struct queue_envelope header;
    if (queue_envelope_next_header(&rest, &header) != PARSE_OK)
        return false;
    buffer_append_span(joined, span_first(last, last.length - rest.length));
    if (!request->is_redirected)
        buffer_append_span(joined, buffer_span(batches));
    buffer_append_span(joined, rest);
    return buffer_ok(joined) &&
           (request->is_redirected || buffer_ok(batches)); /* or recipients would be missing */
}

static bool fill_preamble(const struct ipc_queue_commit *request, struct queue_preamble *preamble)
{
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t count;
    *preamble = (struct queue_preamble){.extent_count = 0};
    if (queue_extents_decode(request->extents, extents, &count) != PARSE_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!queue_preamble_add_extent(preamble, &extents[i]))
            return false;
    return true;
}

/* NULL with the reply's outcome set. */
static struct commit_job *prepare_commit(struct intake_peer *peer, struct grant *grant,
                                         const struct ipc_queue_commit *request, bool *is_malformed)
{
    struct commit_job *commit = calloc(1, sizeof(*commit));
    struct buffer joined;
    *is_malformed = false;
    if (!commit)
        return NULL;
    buffer_init(&joined, NULL, ENVELOPE_MAX_BYTES);
    if (!fill_preamble(request, &commit->preamble) ||
        !join_envelope(request, &grant->recipients, &joined)) {
        *is_malformed = true;
    } else {
        commit->message =
            message_create(peer->qmgr, grant->queue_id, buffer_span(&joined), is_malformed);
    }
    if (commit->message)
        commit->envelope = arena_copy(&commit->message->arena, buffer_span(&joined));
    buffer_release(&joined);
    if (commit->message && !commit->envelope.bytes) {
        message_discard(commit->message);
        commit->message = NULL;
    }
    if (!commit->message) {
        free(commit);
        return NULL;
    }
    return commit;
}

/* Forwarded mail comes from local, reports from bounce; and once. False: it has been answered. */
static bool is_to_be_committed(struct intake_peer *peer, uint32_t request_id,
                               const struct message *message, bool *is_malformed)
{
    const struct outcome known = outcome_ok();
    const struct outcome later =
        outcome_temporary(451, 3, 0, "whether it was made before is not known yet");
    if (!origin_exists(message))
        return true;
    *is_malformed = peer->role !=
                    (span_is_empty(message->envelope.report_of) ? IPC_ROLE_LOCAL : IPC_ROLE_BOUNCE);
    if (*is_malformed)
        return false;
    switch (origin_ask(peer->qmgr, message)) {
    case ORIGIN_NEW:
        return true;
    case ORIGIN_KNOWN:
        reply(peer, request_id, &known);
        break;
    case ORIGIN_LATER:
        reply(peer, request_id, &later);
        break;
    }
    return false;
}

void intake_on_commit(struct intake_peer *peer, uint32_t request_id,
                      const struct ipc_queue_commit *request)
{
    struct qmgr *qmgr = peer->qmgr;
    const struct outcome trouble = outcome_temporary(451, 3, 0, "Error: queue file write error");
    struct grant *grant = intake_find_grant(peer, request->queue_id);
    bool is_malformed = false;
    struct commit_job *commit = grant ? prepare_commit(peer, grant, request, &is_malformed) : NULL;
    if (commit && !is_to_be_committed(peer, request_id, commit->message, &is_malformed)) {
        message_discard(commit->message);
        free(commit);
        commit = NULL;
        if (!is_malformed) {
            intake_abandon_grant(peer, grant);
            intake_peer_refill(peer);
            return;
        }
    }
    if (!commit) {
        if (!grant || is_malformed)
            maillog_text(&qmgr->service->log, LOG_LEVEL_WARNING, span_empty(),
                         "%s sent a commit that makes no sense%s", ipc_role_name(peer->role),
                         grant ? "" : ": an id that was not given to it");
        reply(peer, request_id, &trouble);
        if (grant)
            intake_abandon_grant(peer, grant);
        intake_peer_refill(peer);
        return;
    }
    commit->job.work = commit_work;
    commit->job.done = commit_done;
    commit->peer = peer;
    commit->request_id = request_id;
    commit->store = scan_store(qmgr);
    commit->descriptor = grant->descriptor;
    commit->is_kept = qmgr_has_room(qmgr);
    commit->is_opened_ahead = commit->is_kept && qmgr->ready_count < qmgr->ready_limit;
    origin_marks_prepare(commit->message, &commit->origin);
    origin_begin_commit(commit->message);
    intake_forget_grant(peer, grant);
    intake_peer_refill(peer);
    message_use(commit->message);
    peer->user_count++;
    pool_submit(qmgr->pool, &commit->job);
    /* addrd answers while the disk works. */
    if (commit->is_kept && !(commit->message->envelope.flags & QUEUE_FLAGS_RETURNED))
        route_message(commit->message);
}
