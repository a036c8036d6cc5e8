/* qmgr/flush - see flush.h. */
#include "flush.h"

#include <stdlib.h>

#include "queuestore/walk.h"
#include "scan.h"
#include "schedule.h"
#include "system/clock.h"
#include "system/task.h"

enum { WANTED_MAX = 64, ASKED_MAX = 1000, WAIT_MS = 50 };

struct find_job {
    const struct store *store;
    struct store_place place;
    bool is_found;
};

static void find_work(void *argument)
{
    struct find_job *job = argument;
    /* Where it cannot be looked for, the attempt to load it says so. */
    job->is_found = store_find(job->store, &job->place) != 0;
}

struct outcome flush_message(struct qmgr *qmgr, struct span queue_id)
{
    const struct outcome unknown = outcome_temporary(451, 3, 0, "no such message in the queue");
    const struct outcome busy =
        outcome_temporary(451, 3, 2, "too many others wait for an attempt that was asked for");
    struct find_job job = {.store = scan_store(qmgr)};
    if (!queue_id_is_valid(queue_id))
        return unknown;
    memcpy(job.place.queue_id, queue_id.bytes, queue_id.length);
    if (!message_find(qmgr, queue_id)) {
        pool_run(qmgr->pool, find_work, &job);
        /* Or it came into memory meanwhile. */
        if (!job.is_found && !message_find(qmgr, queue_id))
            return unknown;
    }
    /* Anybody may ask, as often as they like, and each is looked at again and again. */
    return scan_wanted_count(qmgr) < ASKED_MAX &&
                   scan_flush_message(qmgr, queue_id, clock_monotonic_ms())
               ? outcome_ok()
               : busy;
}

static void page_work(void *argument)
{
    walk_read_page(argument);
}

static struct span domain_of(struct span address)
{
    return span_after(address, span_find_last_byte(address, '@') + 1);
}

/* The host of "[host]:port", "host:port" or "host". */
static struct span host_of(struct span next_hop)
{
    if (span_starts_with(next_hop, SPAN("["))) {
        const struct span inner = span_after(next_hop, 1);
        return span_first(inner, span_find_byte(inner, ']'));
    }
    return span_first(next_hop, span_find_byte(next_hop, ':'));
}

static bool leads_to(struct span next_hop, struct span site)
{
    return next_hop.length > 0 && (span_equals_ascii_nocase(next_hop, site) ||
                                   span_equals_ascii_nocase(host_of(next_hop), host_of(site)));
}

static bool is_in(struct span address, struct span site)
{
    return span_find_last_byte(address, '@') < address.length &&
           span_equals_ascii_nocase(domain_of(address), site);
}

static bool is_for_site(const struct walk_message *read, struct span site)
{
    const struct queue_envelope *envelope = &read->message.decoded;
    const struct span statuses = read->message.statuses;
    for (size_t i = 0; i < envelope->recipient_count && i < statuses.length; i++)
        if (!queue_status_is_done(queue_status_from_byte(statuses.bytes[i])) &&
            is_in(envelope->recipients[i].forward_path, site))
            return true;
    return false;
}

/* Reads the journal: whether the site was tried, and whether since then: not twice in one flush,
 * when what failed again lies further on in the queue. */
static bool is_wanted(const struct walk_message *read, struct span site, uint64_t began_us)
{
    struct span rest = read->message.journal;
    struct queue_record record;
    bool is_tried_there = false;
    uint64_t deferred_us = 0;
    while (queue_journal_next(&rest, &record)) {
        if (record.kind == QUEUE_RECORD_NEXT)
            deferred_us = record.time_us;
        else if (span_equals_ascii_nocase(record.remote, site) || leads_to(record.next_hop, site))
            is_tried_there = true;
    }
    /* (Where the clock was set, twice is better than never.) */
    const bool is_over = deferred_us >= began_us && deferred_us <= clock_realtime_us();
    return !is_over && (is_tried_there || is_for_site(read, site));
}

struct site_flush {
    struct span site;
    int64_t began_ms;
};

/* One that is just being put off may have nothing in its journal yet, and leaves its bucket. */
static bool flush_active(struct map_node *node, void *context)
{
    struct message *message = CONTAINER_OF(node, struct message, node);
    const struct site_flush *flush = context;
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct recipient *recipient = &message->recipients[i];
        if (recipient->status == QUEUE_STATUS_PENDING &&
            (leads_to(recipient->next_hop, flush->site) ||
             is_in(message->envelope.recipients[i].forward_path, flush->site))) {
            message_flush(message, flush->began_ms);
            break;
        }
    }
    return true;
}

void flush_site(struct qmgr *qmgr, struct span site)
{
    const uint64_t began_us = clock_realtime_us();
    const int64_t began_ms = clock_monotonic_ms();
    struct walk *walk = walk_create(scan_store(qmgr));
    struct site_flush flush = {site, began_ms};
    map_for_each(&qmgr->messages, flush_active, &flush);
    while (walk && !walk_is_at_end(walk) && !task_is_cancelled()) {
        size_t count;
        pool_run(qmgr->pool, page_work, walk);
        const struct walk_message *page = walk_page(walk, &count);
        for (size_t i = 0; i < count; i++)
            if (page[i].place.bucket && !page[i].is_held && is_wanted(&page[i], site, began_us))
                (void)scan_flush_message(qmgr, span_from_string(page[i].place.queue_id), began_ms);
        while (scan_wanted_count(qmgr) > WANTED_MAX && task_sleep(WAIT_MS) != TASK_CANCELLED)
            ;
    }
    walk_destroy(&walk);
}

/* A flush that a client of smtpd asked for. */
struct requested_flush {
    struct qmgr *qmgr;
    size_t length;
    uint8_t site[];
};

static void requested_flush_body(void *argument)
{
    struct requested_flush *request = argument;
    struct qmgr *qmgr = request->qmgr;
    flush_site(qmgr, span_of(request->site, request->length));
    qmgr->is_flushing = false;
    free(request);
}

struct outcome flush_site_on_request(struct qmgr *qmgr, struct span site)
{
    struct requested_flush *request = NULL;
    /* Each reads the whole queue: strangers get one at a time. */
    if (!qmgr->is_flushing)
        request = malloc(sizeof(*request) + site.length);
    if (!request)
        return outcome_temporary(458, 3, 0, "busy");
    *request = (struct requested_flush){.qmgr = qmgr, .length = site.length};
    memcpy(request->site, site.bytes, site.length);
    if (!task_start(qmgr->loop, "flush on request", requested_flush_body, request)) {
        free(request);
        return outcome_temporary(458, 3, 0, "out of memory");
    }
    qmgr->is_flushing = true;
    schedule_forget_suspensions(qmgr, site);
    return outcome_ok();
}
