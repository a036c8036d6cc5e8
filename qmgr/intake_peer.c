/* qmgr/intake_peer - see intake_peer.h. */
#include "intake_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "flush.h"
#include "intake_private.h"
#include "recovered.h"
#include "scan.h"
#include "source.h"
#include "system/random.h"
#include "system/task.h"

enum {
    GRANTS_PER_JOB = 16,
    WANTED_MAX = 4096,
    BATCHED_MAX_BYTES = 128 << 20,
    CLAIM_SLACK_BYTES = 16 << 20 /* a header in front of the largest message */
};

void intake_peer_unuse(struct intake_peer *peer)
{
    if (--peer->user_count == 0 && !peer->channel) {
        loop_hook_cancel(peer->qmgr->loop, &peer->refill_hook);
        map_destroy(&peer->grants);
        free(peer);
    }
}

/* ---- giving ids ---- */

struct grant_job {
    struct pool_job job;
    struct intake_peer *peer;
    const struct store *store;
    struct {
        char queue_id[QUEUE_ID_MAX_BYTES + 1];
        int descriptor, copy;
    } files[GRANTS_PER_JOB];
    size_t count;
    int error;
};

static void grant_work(struct pool_job *job)
{
    struct grant_job *grant_job = CONTAINER_OF(job, struct grant_job, job);
    for (size_t i = 0; i < grant_job->count; i++) {
        const int descriptor = store_create(grant_job->store, grant_job->files[i].queue_id);
        grant_job->files[i].descriptor = descriptor;
        grant_job->files[i].copy = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
        if (grant_job->files[i].copy < 0)
            grant_job->error = errno;
    }
}

static void retry_refill(void *context)
{
    struct intake_peer *peer = context;
    peer->is_retry_set = false;
    loop_hook_request(peer->qmgr->loop, &peer->refill_hook);
    intake_peer_unuse(peer);
}

/* NULL when memory is out. */
static struct grant *make_grant(struct intake_peer *peer, const char *queue_id, int descriptor)
{
    struct grant *grant = calloc(1, sizeof(*grant));
    if (!grant)
        return NULL;
    memcpy(grant->queue_id, queue_id, sizeof(grant->queue_id));
    grant->descriptor = descriptor;
    buffer_init(&grant->recipients, NULL, ENVELOPE_MAX_BYTES);
    grant->node.key = span_from_string(grant->queue_id);
    if (map_insert(&peer->grants, &grant->node))
        return grant;
    free(grant);
    return NULL;
}

/* Takes copy over; on false the grant was not given. */
static bool add_grant(struct intake_peer *peer, const char *queue_id, int descriptor, int copy)
{
    struct grant *grant = make_grant(peer, queue_id, descriptor);
    if (!grant) {
        file_close(copy);
        return false;
    }
    const struct ipc_queue_grant message = {.queue_id = grant->node.key, .content = copy};
    if (ipc_channel_send(peer->channel, IPC_QUEUE_GRANT, &message))
        return true;
    map_remove(&peer->grants, &grant->node);
    free(grant);
    return false;
}

static void grant_done(struct pool_job *job)
{
    struct grant_job *grant_job = CONTAINER_OF(job, struct grant_job, job);
    struct intake_peer *peer = grant_job->peer;
    bool has_failed = false;
    peer->making_count -= (uint32_t)grant_job->count;
    for (size_t i = 0; i < grant_job->count; i++) {
        const int descriptor = grant_job->files[i].descriptor;
        const int copy = grant_job->files[i].copy;
        if (copy >= 0 && peer->channel &&
            add_grant(peer, grant_job->files[i].queue_id, descriptor, copy))
            continue;
        has_failed |= peer->channel != NULL;
        if (copy >= 0 && !peer->channel)
            file_close(copy);
        if (descriptor >= 0)
            store_abandon(grant_job->store, grant_job->files[i].queue_id, descriptor);
    }
    if (has_failed && !peer->is_retry_set) {
        peer->is_retry_set = true;
        maillog_text(&peer->qmgr->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "cannot create queue files: %s", strerror(grant_job->error));
        peer->user_count++;
        scan_later(peer->qmgr, retry_refill, peer);
    }
    free(grant_job);
    intake_peer_unuse(peer);
}

static void make_grants(struct intake_peer *peer, size_t count)
{
    struct grant_job *job = calloc(1, sizeof(*job));
    if (!job)
        return;
    job->job.work = grant_work;
    job->job.done = grant_done;
    job->peer = peer;
    job->store = scan_store(peer->qmgr);
    job->count = count;
    for (size_t i = 0; i < count; i++) {
        uint8_t random[QUEUE_ID_RANDOM_BYTES];
        random_bytes(random, sizeof(random));
        memcpy(random, peer->qmgr->id_mark, sizeof(peer->qmgr->id_mark));
        (void)queue_id_make(clock_realtime_us(), random, job->files[i].queue_id);
    }
    peer->making_count += (uint32_t)count;
    peer->user_count++;
    pool_submit(peer->qmgr->pool, &job->job);
}

static void on_refill(struct loop_hook *hook)
{
    struct intake_peer *peer = CONTAINER_OF(hook, struct intake_peer, refill_hook);
    if (!peer->channel || peer->is_retry_set || !peer->qmgr->has_lock ||
        peer->qmgr->service->is_draining)
        return;
    const size_t held = peer->grants.count + peer->making_count;
    size_t missing = peer->wanted_count > held ? peer->wanted_count - held : 0;
    while (missing > 0) {
        const size_t count = missing < GRANTS_PER_JOB ? missing : GRANTS_PER_JOB;
        make_grants(peer, count);
        missing -= count;
    }
}

void intake_peer_refill(struct intake_peer *peer)
{
    loop_hook_request(peer->qmgr->loop, &peer->refill_hook);
}

/* ---- ids that come to nothing ---- */

void intake_forget_grant(struct intake_peer *peer, struct grant *grant)
{
    map_remove(&peer->grants, &grant->node);
    peer->batched_bytes -= grant->recipients.length;
    buffer_release(&grant->recipients);
    free(grant);
}

struct grant *intake_find_grant(struct intake_peer *peer, struct span queue_id)
{
    struct map_node *node = map_find(&peer->grants, queue_id);
    return node ? CONTAINER_OF(node, struct grant, node) : NULL;
}

struct abandon_job {
    struct pool_job job;
    const struct store *store;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int descriptor;
};

static void abandon_work(struct pool_job *job)
{
    struct abandon_job *abandon = CONTAINER_OF(job, struct abandon_job, job);
    store_abandon(abandon->store, abandon->queue_id, abandon->descriptor);
}

static void abandon_done(struct pool_job *job)
{
    free(CONTAINER_OF(job, struct abandon_job, job));
}

void intake_abandon_grant(struct intake_peer *peer, struct grant *grant)
{
    struct abandon_job *job = calloc(1, sizeof(*job));
    if (job) {
        job->job.work = abandon_work;
        job->job.done = abandon_done;
        job->store = scan_store(peer->qmgr);
        memcpy(job->queue_id, grant->queue_id, sizeof(job->queue_id));
        job->descriptor = grant->descriptor;
        pool_submit(peer->qmgr->pool, &job->job);
    } else {
        file_close(grant->descriptor);
    }
    intake_forget_grant(peer, grant);
}

/* ---- ids that pickup brings, or that an earlier qmgr gave ---- */

struct claim_job {
    struct pool_job job;
    struct intake_peer *peer;
    const struct store *store;
    uint32_t request_id;
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int earlier; /* where the content is, so far; -1: none is written */
    uint64_t limit_bytes;
    int descriptor, copy;
    bool is_known;
    int error;
};

static void reply_claim(struct intake_peer *peer, uint32_t request_id, int content, bool is_known,
                        const char *reason)
{
    const struct ipc_queue_claim_reply message = {
        .outcome = reason ? outcome_temporary(451, 3, 0, reason) : outcome_ok(),
        .content = content,
        .is_known = is_known};
    if (peer->channel)
        (void)ipc_channel_reply(peer->channel, request_id, IPC_QUEUE_CLAIM_REPLY, &message);
    else
        file_close(content);
}

/* What is called known is removed by pickup, and acknowledged by others: so nothing may be that we
 * could not look for, or that a power cut could take away. */
static bool find_claimed(struct claim_job *claim)
{
    struct store_place place = {.bucket = 0};
    memcpy(place.queue_id, claim->queue_id, sizeof(place.queue_id));
    const int found = claim->earlier >= 0 || claim->is_known
                          ? store_find_anywhere(claim->store, &place)
                          : store_look(claim->store, &place);
    claim->error = errno;
    if (found == 0)
        return claim->is_known; /* it has been delivered meanwhile */
    claim->is_known = found > 0 && store_make_durable(claim->store, &place) == 0;
    if (found > 0)
        claim->error = errno;
    return true;
}

static void claim_work(struct pool_job *job)
{
    struct claim_job *claim = CONTAINER_OF(job, struct claim_job, job);
    claim->descriptor = claim->copy = -1;
    if (find_claimed(claim)) /* its commit would take the place of the other */
        return;
    claim->descriptor = store_create(claim->store, claim->queue_id);
    claim->error = errno;
    if (claim->descriptor < 0 ||
        (claim->earlier >= 0 &&
         store_copy_content(claim->earlier, claim->descriptor, claim->limit_bytes) != 0)) {
        claim->error = errno;
        return;
    }
    claim->copy = fcntl(claim->descriptor, F_DUPFD_CLOEXEC, 3);
    claim->error = errno;
}

/* pickup is told that the message is in the queue. Until it has removed the file, which may fail,
 * that has to stay true. */
static void expect_source(struct intake_peer *peer, struct span queue_id)
{
    if (peer->role == IPC_ROLE_PICKUP && peer->channel)
        source_expect(peer->qmgr, queue_id, peer);
}

static void claim_done(struct pool_job *job)
{
    struct claim_job *claim = CONTAINER_OF(job, struct claim_job, job);
    struct intake_peer *peer = claim->peer;
    const struct span queue_id = span_from_string(claim->queue_id);
    /* It may have been read, and have left, between our question and our look at the disk. */
    if (claim->is_known || (claim->copy >= 0 && recovered_has(peer->qmgr, queue_id))) {
        expect_source(peer, queue_id);
        reply_claim(peer, claim->request_id, -1, true, NULL);
        file_close(claim->copy);
        if (claim->descriptor >= 0)
            store_abandon(claim->store, claim->queue_id, claim->descriptor);
    } else if (claim->copy >= 0 && peer->channel &&
               make_grant(peer, claim->queue_id, claim->descriptor)) {
        reply_claim(peer, claim->request_id, claim->copy, false, NULL);
    } else {
        reply_claim(peer, claim->request_id, -1, false,
                    claim->copy < 0 ? strerror(claim->error) : "out of memory");
        file_close(claim->copy);
        if (claim->descriptor >= 0)
            store_abandon(claim->store, claim->queue_id, claim->descriptor);
    }
    file_close(claim->earlier);
    free(claim);
    intake_peer_unuse(peer);
}

/* Whether a message that is being committed will be in the queue is known when that has ended: the
 * client that hears meanwhile that it is not would bring it again. */
static void look_for_claimed(void *context)
{
    struct claim_job *claim = context;
    struct qmgr *qmgr = claim->peer->qmgr;
    const struct span queue_id = span_from_string(claim->queue_id);
    const enum source_state state = source_look(qmgr, queue_id);
    claim->is_known = state == SOURCE_IN_QUEUE || recovered_has(qmgr, queue_id);
    if (state == SOURCE_BUSY && !claim->is_known && claim->peer->channel)
        scan_later(qmgr, look_for_claimed, claim);
    else
        pool_submit(qmgr->pool, &claim->job);
}

static void on_claim(struct intake_peer *peer, uint32_t request_id, struct ipc_queue_claim *message)
{
    const struct qmgr *qmgr = peer->qmgr;
    const struct span queue_id = message->queue_id;
    const char *reason = NULL;
    if (!queue_id_is_valid(queue_id) || (message->earlier < 0 && peer->role != IPC_ROLE_PICKUP))
        reason = "not a queue id";
    else if (!qmgr->has_lock || qmgr->service->is_draining)
        reason = "the queue is another queue manager's";
    else if (!outcome_is_ok(&qmgr->intake_state))
        reason = "insufficient system storage";
    struct grant *earlier = intake_find_grant(peer, queue_id);
    if (earlier) { /* its answer came too late */
        intake_abandon_grant(peer, earlier);
        reason = "it was claimed before";
    }
    struct claim_job *claim = reason ? NULL : calloc(1, sizeof(*claim));
    if (!claim) {
        reply_claim(peer, request_id, -1, false, reason ? reason : "out of memory");
        return;
    }
    claim->earlier = message->earlier;
    message->earlier = -1;
    claim->limit_bytes = qmgr->settings->message_size_limit
                             ? (uint64_t)qmgr->settings->message_size_limit + CLAIM_SLACK_BYTES
                             : 0;
    claim->job.work = claim_work;
    claim->job.done = claim_done;
    claim->peer = peer;
    claim->store = scan_store(peer->qmgr);
    claim->request_id = request_id;
    memcpy(claim->queue_id, queue_id.bytes, queue_id.length);
    peer->user_count++;
    look_for_claimed(claim);
}

struct known_request {
    struct intake_peer *peer;
    uint32_t request_id;
    struct buffer queue_ids;
};

static void known_body(void *argument)
{
    struct known_request *request = argument;
    struct intake_peer *peer = request->peer;
    struct buffer known;
    buffer_init(&known, NULL, IPC_RECORDS_MAX);
    const bool is_answer = source_find_known(peer->qmgr, buffer_span(&request->queue_ids), &known);
    const struct ipc_queue_known_reply message = {.queue_ids = buffer_span(&known)};
    struct span rest = buffer_span(&known), queue_id;
    while (is_answer && span_next_word(&rest, " ", &queue_id))
        expect_source(peer, queue_id);
    if (peer->channel && is_answer)
        (void)ipc_channel_reply(peer->channel, request->request_id, IPC_QUEUE_KNOWN_REPLY,
                                &message);
    buffer_release(&known);
    buffer_release(&request->queue_ids);
    free(request);
    intake_peer_unuse(peer);
}

/* Without an answer pickup asks again. */
static void on_known(struct intake_peer *peer, uint32_t request_id, struct span queue_ids)
{
    struct known_request *request = peer->qmgr->has_lock ? calloc(1, sizeof(*request)) : NULL;
    if (!request)
        return;
    request->peer = peer;
    request->request_id = request_id;
    buffer_init(&request->queue_ids, NULL, IPC_RECORDS_MAX);
    buffer_append_span(&request->queue_ids, queue_ids);
    peer->user_count++;
    if (buffer_ok(&request->queue_ids) &&
        task_start(peer->qmgr->loop, "known", known_body, request))
        return;
    buffer_release(&request->queue_ids);
    free(request);
    intake_peer_unuse(peer);
}

/* ---- messages ---- */

static void on_recipients(struct intake_peer *peer, const struct ipc_queue_recipients *batch)
{
    struct grant *grant = intake_find_grant(peer, batch->queue_id);
    if (!grant)
        return;
    /* A buffer that has failed makes the commit fail, as temporary. */
    if (peer->batched_bytes + batch->recipients.length > BATCHED_MAX_BYTES) {
        grant->recipients.has_failed = true;
        return;
    }
    const size_t before = grant->recipients.length;
    buffer_append_span(&grant->recipients, batch->recipients);
    peer->batched_bytes += grant->recipients.length - before;
}

/* For ETRN: one site, never a message of its choosing or all. */
static void on_flush(struct intake_peer *peer, uint32_t request_id,
                     const struct ipc_queue_flush *flush)
{
    const struct ipc_queue_flush_reply reply = {
        .outcome = flush->site.length && !flush->queue_id.length
                       ? flush_site_on_request(peer->qmgr, flush->site)
                       : outcome_permanent(501, 5, 4, "no site")};
    (void)ipc_channel_reply(peer->channel, request_id, IPC_QUEUE_FLUSH_REPLY, &reply);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct intake_peer *peer = context;
    (void)channel;
    switch ((int)delivery->type) {
    case IPC_QUEUE_WANT: {
        const uint32_t wanted = ((const struct ipc_queue_want *)delivery->message)->count;
        peer->wanted_count = wanted < WANTED_MAX ? wanted : WANTED_MAX;
        intake_peer_refill(peer);
        break;
    }
    case IPC_QUEUE_RECIPIENTS:
        on_recipients(peer, delivery->message);
        break;
    case IPC_QUEUE_COMMIT:
        if (delivery->id)
            intake_on_commit(peer, delivery->id, delivery->message);
        break;
    case IPC_QUEUE_ABANDON: {
        const struct ipc_queue_abandon *abandon = delivery->message;
        struct grant *grant = intake_find_grant(peer, abandon->queue_id);
        if (grant)
            intake_abandon_grant(peer, grant);
        intake_peer_refill(peer);
        break;
    }
    case IPC_QUEUE_FLUSH:
        if (delivery->id)
            on_flush(peer, delivery->id, delivery->message);
        break;
    case IPC_QUEUE_CLAIM:
        if (delivery->id)
            on_claim(peer, delivery->id, delivery->message);
        break;
    case IPC_QUEUE_KNOWN:
        if (delivery->id)
            on_known(peer, delivery->id,
                     ((const struct ipc_queue_known *)delivery->message)->queue_ids);
        break;
    case IPC_QUEUE_SOURCE_GONE:
        source_gone(peer->qmgr,
                    ((const struct ipc_queue_source_gone *)delivery->message)->queue_id);
        break;
    case IPC_QUEUE_SOURCES_SETTLED:
        source_settled(peer->qmgr, peer);
        break;
    default:
        break;
    }
}

static bool abandon_node(struct map_node *node, void *context)
{
    intake_abandon_grant(context, CONTAINER_OF(node, struct grant, node));
    return true;
}

static void note_unheard(struct intake_peer *peer)
{
    const uint32_t count = peer->answered_count;
    for (uint32_t i = 0; i < count && i < ANSWERED_KEPT; i++)
        recovered_note_unheard(peer->qmgr, span_from_string(peer->answered[i]));
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct intake_peer *peer = context;
    (void)channel;
    (void)reason;
    list_remove(&peer->qmgr->intake_peers, &peer->link);
    map_for_each(&peer->grants, abandon_node, peer);
    note_unheard(peer);
    source_forget_pickup(peer->qmgr, peer);
    peer->user_count++;
    ipc_channel_destroy(&peer->channel);
    intake_peer_unuse(peer);
}

#define PICKUP IPC_ROLE_BIT(IPC_ROLE_PICKUP)
#define LOCAL IPC_ROLE_BIT(IPC_ROLE_LOCAL)
#define INTAKES (THROTTLED | IPC_ROLE_BIT(IPC_ROLE_BOUNCE) | PICKUP | LOCAL)
static const struct ipc_permission permissions[] = {
    {IPC_QUEUE_WANT, INTAKES},           {IPC_QUEUE_RECIPIENTS, INTAKES},
    {IPC_QUEUE_COMMIT, INTAKES},         {IPC_QUEUE_ABANDON, INTAKES},
    {IPC_QUEUE_FLUSH, SERVERS},          {IPC_QUEUE_CLAIM, INTAKES},
    {IPC_QUEUE_KNOWN, PICKUP},           {IPC_QUEUE_SOURCE_GONE, PICKUP},
    {IPC_QUEUE_SOURCES_SETTLED, PICKUP}, {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

/* ---- the state of the disk ---- */

/* Those who bring what we made ourselves are never throttled: reports and forwarded mail live off
 * the room that the others leave. */
static void tell_state(struct intake_peer *peer)
{
    const struct qmgr *qmgr = peer->qmgr;
    const bool is_throttled = IPC_ROLE_BIT(peer->role) & THROTTLED;
    const struct ipc_queue_state state = {
        .outcome = is_throttled ? qmgr->intake_state : outcome_ok(),
        .available_bytes = is_throttled ? qmgr->available_bytes : UINT64_MAX};
    (void)ipc_channel_send(peer->channel, IPC_QUEUE_STATE, &state);
}

void intake_peer_tell_state(struct qmgr *qmgr)
{
    LIST_FOR_EACH (&qmgr->intake_peers, link)
        tell_state(LIST_ITEM(link, struct intake_peer, link));
}

void intake_peer_open_gates(struct qmgr *qmgr)
{
    qmgr->intake_state = outcome_ok();
    LIST_FOR_EACH (&qmgr->intake_peers, link)
        intake_peer_refill(LIST_ITEM(link, struct intake_peer, link));
}

void intake_peer_attach(struct qmgr *qmgr, enum ipc_role role, int descriptor)
{
    struct intake_peer *peer = calloc(1, sizeof(*peer));
    if (!peer) {
        file_close(descriptor);
        return;
    }
    peer->qmgr = qmgr;
    peer->role = role;
    peer->refill_hook.run = on_refill;
    map_init(&peer->grants, qmgr->messages.seed);
    peer->channel = ipc_channel_create(qmgr->loop, descriptor, role, &handlers, peer);
    if (!peer->channel) {
        free(peer);
        return;
    }
    list_append(&qmgr->intake_peers, &peer->link);
    if (qmgr->is_space_known)
        tell_state(peer);
}
