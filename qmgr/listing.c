/* qmgr/listing - see listing.h. */
#include "listing.h"

#include <stdlib.h>

#include "queuestore/walk.h"
#include "scan.h"

enum { PAGE_BYTES = 49152 };

struct listing {
    struct qmgr *qmgr;
    struct walk *walk;
    size_t page_index;      /* the message being written */
    size_t recipient_index; /* within it */
    bool is_entry_written;
};

struct listing *listing_create(struct qmgr *qmgr)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return NULL;
    listing->qmgr = qmgr;
    listing->walk = walk_create(scan_store(qmgr));
    if (!listing->walk) {
        free(listing);
        return NULL;
    }
    return listing;
}

void listing_destroy(struct listing **listing)
{
    if (!*listing)
        return;
    walk_destroy(&(*listing)->walk);
    free(*listing);
    *listing = NULL;
}

static void page_work(void *argument)
{
    struct listing *listing = argument;
    walk_read_page(listing->walk);
}

/* What the journal says of each recipient's last attempt; NULL when memory is out. */
static struct outcome *collect_reasons(struct walk_message *listed, uint64_t *next_attempt_us,
                                       bool *is_forced_expire)
{
    const size_t count = listed->message.preamble.recipient_count;
    struct outcome *outcomes = arena_alloc(&listed->arena, count * sizeof(*outcomes));
    struct span rest = listed->message.journal;
    struct queue_record record;
    *next_attempt_us = 0;
    while (outcomes && queue_journal_next(&rest, &record)) {
        if (record.kind == QUEUE_RECORD_NEXT)
            *next_attempt_us = record.next_attempt_us;
        *is_forced_expire |= record.kind == QUEUE_RECORD_EXPIRE;
        if (!record.has_outcome)
            continue;
        for (uint32_t i = 0; i < record.recipient_count; i++)
            if (record.first_recipient + (size_t)i < count)
                outcomes[record.first_recipient + i] = record.outcome;
    }
    return outcomes;
}

/* "host mx[192.0.2.1] said: 451 ...", as mailq shows it in parentheses. */
static struct span reason_of(const struct outcome *outcomes, size_t index)
{
    return outcomes && outcomes[index].reason.bytes ? outcomes[index].reason : span_empty();
}

static bool is_waiting(const struct listing *listing, const struct walk_message *listed,
                       size_t index)
{
    const struct message *active =
        message_find(listing->qmgr, span_from_string(listed->place.queue_id));
    const uint8_t status = active && index < active->recipient_count
                               ? active->recipients[index].status
                               : listed->message.statuses.bytes[index];
    return !queue_status_is_done(queue_status_from_byte(status));
}

static void put_entry(const struct listing *listing, struct walk_message *listed,
                      struct buffer *records)
{
    uint64_t next_us;
    bool is_forced_expire = false;
    const struct queue_envelope *envelope = &listed->message.decoded;
    (void)collect_reasons(listed, &next_us, &is_forced_expire);
    const bool is_active =
        message_find(listing->qmgr, span_from_string(listed->place.queue_id)) != NULL;
    const struct ipc_queue_entry entry = {
        .queue_id = span_from_string(listed->place.queue_id),
        .queue = is_active              ? SPAN("active")
                 : listed->is_held      ? SPAN("hold")
                 : listed->place.bucket ? SPAN("deferred")
                                        : SPAN("incoming"),
        .arrival_us = envelope->arrival_us,
        .size_bytes = envelope->facts.size_bytes,
        .sender = envelope->reverse_path,
        .is_forced_expire = is_forced_expire,
        .next_attempt_s = next_us / 1000000U,
    };
    ipc_records_append(IPC_QUEUE_ENTRY, &entry, records);
}

/* False when the packet is full. */
static bool put_listed(struct listing *listing, struct walk_message *listed, struct buffer *records)
{
    const struct queue_envelope *envelope = &listed->message.decoded;
    uint64_t next_us;
    bool is_forced_expire = false;
    struct outcome *outcomes = collect_reasons(listed, &next_us, &is_forced_expire);
    if (!listing->is_entry_written)
        put_entry(listing, listed, records);
    listing->is_entry_written = true;
    for (; listing->recipient_index < envelope->recipient_count; listing->recipient_index++) {
        const size_t index = listing->recipient_index;
        const struct queue_recipient *recipient = &envelope->recipients[index];
        if (records->length > PAGE_BYTES)
            return false;
        if (!is_waiting(listing, listed, index))
            continue;
        const struct ipc_queue_entry_recipient record = {
            .recipient = recipient->forward_path,
            .original = recipient->original_recipient,
            .reason = reason_of(outcomes, index),
        };
        ipc_records_append(IPC_QUEUE_ENTRY_RECIPIENT, &record, records);
    }
    listing->recipient_index = 0;
    listing->is_entry_written = false;
    return true;
}

bool listing_next_page(struct listing *listing, struct buffer *records)
{
    size_t count;
    struct walk_message *page = walk_page(listing->walk, &count);
    if (listing->page_index == count && !walk_is_at_end(listing->walk)) {
        pool_run(listing->qmgr->pool, page_work, listing);
        page = walk_page(listing->walk, &count);
        listing->page_index = 0;
    }
    while (listing->page_index < count && records->length <= PAGE_BYTES) {
        if (!put_listed(listing, &page[listing->page_index], records))
            return false;
        listing->page_index++;
    }
    return listing->page_index == count && walk_is_at_end(listing->walk);
}
