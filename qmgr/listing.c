/* qmgr/listing - see listing.h. */
#include "listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/number.h"
#include "scan.h"

enum { MESSAGES_PER_PAGE = 32, PAGE_BYTES = 49152, LISTING_ARENA_BYTES = 64 << 20 };

struct listed {
    struct store_place place;
    const char *directory; /* for hold and corrupt */
    struct arena arena;
    struct store_message message;
    enum store_load_result result;
};

struct listing {
    struct qmgr *qmgr;
    const struct store *store;
    uint32_t *buckets;
    size_t bucket_count;
    size_t step; /* 0: new; 1..: buckets; then hold */
    DIR *directory;
    struct listed page[MESSAGES_PER_PAGE];
    size_t page_count, page_index;
    size_t recipient_index; /* within page[page_index] */
    bool is_entry_written;
    bool is_end;
};

struct listing *listing_create(struct qmgr *qmgr)
{
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing)
        return NULL;
    listing->qmgr = qmgr;
    listing->store = scan_store(qmgr);
    return listing;
}

static void drop_page(struct listing *listing)
{
    for (size_t i = 0; i < listing->page_count; i++)
        arena_destroy(&listing->page[i].arena);
    listing->page_count = listing->page_index = 0;
    listing->recipient_index = 0;
    listing->is_entry_written = false;
}

void listing_destroy(struct listing **listing)
{
    if (!*listing)
        return;
    drop_page(*listing);
    if ((*listing)->directory)
        (void)closedir((*listing)->directory);
    free((*listing)->buckets);
    free(*listing);
    *listing = NULL;
}

/* ---- in a thread ---- */

static int compare_buckets(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

static DIR *open_below(int parent, const char *name)
{
    const int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory)
        file_close(descriptor);
    return directory;
}

static void list_buckets(struct listing *listing)
{
    DIR *directory = open_below(listing->store->queue, "deferred");
    size_t capacity = 0;
    uint32_t number;
    if (!directory)
        return;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (!queue_bucket_parse(span_from_string(entry->d_name), &number))
            continue;
        if (listing->bucket_count == capacity) {
            capacity = capacity * 2 + 64;
            uint32_t *buckets = realloc(listing->buckets, capacity * sizeof(*buckets));
            if (!buckets)
                break;
            listing->buckets = buckets;
        }
        listing->buckets[listing->bucket_count++] = number;
    }
    (void)closedir(directory);
    if (listing->bucket_count)
        qsort(listing->buckets, listing->bucket_count, sizeof(*listing->buckets), compare_buckets);
}

static DIR *open_step(struct listing *listing)
{
    if (listing->step == 0)
        return open_below(listing->store->queue, "new");
    if (listing->step <= listing->bucket_count) {
        char name[QUEUE_BUCKET_NAME_BYTES + 1];
        queue_bucket_name(listing->buckets[listing->step - 1], name);
        return open_below(listing->store->deferred, name);
    }
    return NULL;
}

static bool read_one(struct listing *listing, const char *name)
{
    struct listed *listed = &listing->page[listing->page_count];
    const struct span id = span_from_string(name);
    if (!queue_id_is_valid(id))
        return false;
    *listed = (struct listed){.place = {.bucket = 0}};
    if (listing->step > 0)
        listed->place.bucket = listing->buckets[listing->step - 1];
    memcpy(listed->place.queue_id, name, id.length + 1);
    arena_init(&listed->arena, LISTING_ARENA_BYTES, 0);
    listed->result =
        store_load(listing->store, &listed->place, true, false, &listed->arena, &listed->message);
    if (listed->result != STORE_LOADED) {
        arena_destroy(&listed->arena); /* gone meanwhile, or for scan to judge */
        return false;
    }
    listing->page_count++;
    return true;
}

static void page_work(void *argument)
{
    struct listing *listing = argument;
    if (listing->step == 0 && !listing->directory) {
        list_buckets(listing);
        listing->directory = open_step(listing);
    }
    while (listing->page_count < MESSAGES_PER_PAGE) {
        struct dirent *entry = listing->directory ? readdir(listing->directory) : NULL;
        if (entry) {
            (void)read_one(listing, entry->d_name);
            continue;
        }
        if (listing->directory)
            (void)closedir(listing->directory);
        listing->directory = NULL;
        if (++listing->step > listing->bucket_count) {
            listing->is_end = true;
            return;
        }
        listing->directory = open_step(listing);
    }
}

/* ---- in the loop ---- */

/* What the journal says of each recipient's last attempt; NULL when memory is out. */
static struct outcome *collect_reasons(struct listed *listed, uint64_t *next_attempt_us)
{
    const size_t count = listed->message.preamble.recipient_count;
    struct outcome *outcomes = arena_alloc(&listed->arena, count * sizeof(*outcomes));
    struct span rest = listed->message.journal;
    struct queue_record record;
    *next_attempt_us = 0;
    while (outcomes && queue_journal_next(&rest, &record)) {
        if (record.kind == QUEUE_RECORD_NEXT)
            *next_attempt_us = record.next_attempt_us;
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

static bool is_waiting(const struct listing *listing, const struct listed *listed, size_t index)
{
    const struct message *active =
        message_find(listing->qmgr, span_from_string(listed->place.queue_id));
    const uint8_t status = active && index < active->recipient_count
                               ? active->recipients[index].status
                               : listed->message.statuses.bytes[index];
    return !queue_status_is_done(queue_status_from_byte(status));
}

static void put_entry(const struct listing *listing, struct listed *listed, struct buffer *records)
{
    uint64_t next_us;
    const struct queue_envelope *envelope = &listed->message.decoded;
    (void)collect_reasons(listed, &next_us);
    const bool is_active =
        message_find(listing->qmgr, span_from_string(listed->place.queue_id)) != NULL;
    const struct ipc_queue_entry entry = {
        .queue_id = span_from_string(listed->place.queue_id),
        .queue = is_active              ? SPAN("active")
                 : listed->place.bucket ? SPAN("deferred")
                                        : SPAN("incoming"),
        .arrival_us = envelope->arrival_us,
        .size_bytes = envelope->facts.size_bytes,
        .sender = envelope->reverse_path,
        .next_attempt_s = next_us / 1000000U,
    };
    ipc_records_append(IPC_QUEUE_ENTRY, &entry, records);
}

/* False when the packet is full. */
static bool put_listed(struct listing *listing, struct listed *listed, struct buffer *records)
{
    const struct queue_envelope *envelope = &listed->message.decoded;
    uint64_t next_us;
    struct outcome *outcomes = collect_reasons(listed, &next_us);
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
    if (listing->page_index == listing->page_count) {
        drop_page(listing);
        if (!listing->is_end)
            pool_run(listing->qmgr->pool, page_work, listing);
    }
    while (listing->page_index < listing->page_count && records->length <= PAGE_BYTES) {
        if (!put_listed(listing, &listing->page[listing->page_index], records))
            return false;
        listing->page_index++;
    }
    return listing->is_end && listing->page_index == listing->page_count;
}
