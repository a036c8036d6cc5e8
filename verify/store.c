/* verify/store - see store.h. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/number.h"
#include "system/file.h"

enum {
    FILE_MAX_BYTES = 2 * CACHE_BYTES_MAX,
    SLACK_BYTES = 1 << 20,
    LINE_MAX_BYTES = 2048,
    PIECE_BYTES = 65536
};

#define HEAD "generation "

int store_open(struct store *store, int directory)
{
    static const char *const names[] = {"cache.0", "cache.1"};
    *store = (struct store){.descriptors = {-1, -1}};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        store->descriptors[i] =
            openat(directory, names[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (store->descriptors[i] < 0)
            return -1;
    }
    return 0;
}

/* ---- reading ---- */

/* NULL when it cannot be read; *text is then empty. */
static uint8_t *read_all(int descriptor, struct span *text)
{
    *text = span_empty();
    const off_t size = lseek(descriptor, 0, SEEK_END);
    if (size <= 0 || size > FILE_MAX_BYTES)
        return NULL;
    uint8_t *bytes = malloc((size_t)size);
    if (!bytes || file_pread_all(descriptor, bytes, (size_t)size, 0) != 0) {
        free(bytes);
        return NULL;
    }
    *text = span_of(bytes, (size_t)size);
    return bytes;
}

static bool next_line(struct span *rest, struct span *line)
{
    return span_split_once(*rest, '\n', line, rest); /* a last one without its end is torn */
}

/* 0: none, the file does not count. */
static uint64_t take_generation(struct span *rest)
{
    struct span line;
    uint64_t generation;
    if (!next_line(rest, &line) || !span_starts_with(line, SPAN(HEAD)) ||
        !number_parse_uint64(span_after(line, sizeof(HEAD) - 1), UINT64_MAX - 1, &generation))
        return 0;
    return generation;
}

static void take_lines(struct span rest, struct cache *cache)
{
    struct span line;
    struct verify_record record;
    while (next_line(&rest, &line))
        if (verify_record_parse(line, &record) == PARSE_OK)
            cache_restore(cache, &record);
}

static int write_all(struct store *store, struct cache *cache);

void store_load(struct store *store, struct cache *cache)
{
    struct span rest[2];
    uint8_t *const bytes[] = {read_all(store->descriptors[0], &rest[0]),
                              read_all(store->descriptors[1], &rest[1])};
    const uint64_t generations[] = {take_generation(&rest[0]), take_generation(&rest[1])};
    const size_t later = generations[1] > generations[0];
    /* The earlier one first: should the writing of the later one have been cut short, it fills
     * up what is missing there. */
    if (generations[!later])
        take_lines(rest[!later], cache);
    if (generations[later])
        take_lines(rest[later], cache);
    free(bytes[0]);
    free(bytes[1]);
    store->active = later;
    store->generation = generations[later];
    store->has_failed = write_all(store, cache) != 0; /* the next change says so, if need be */
}

/* ---- writing ---- */

struct writer {
    int descriptor;
    uint64_t offset;
    struct buffer pending;
    int error;
};

static void flush(struct writer *writer)
{
    const struct span bytes = buffer_span(&writer->pending);
    if (writer->error == 0 && !buffer_ok(&writer->pending))
        writer->error = ENOMEM;
    if (writer->error == 0 &&
        file_pwrite_all(writer->descriptor, bytes.bytes, bytes.length, writer->offset) != 0)
        writer->error = errno;
    writer->offset += bytes.length;
    buffer_reset(&writer->pending);
}

/* Everything, into the other file. 0 or errno. */
static int write_all(struct store *store, struct cache *cache)
{
    const size_t other = !store->active;
    struct writer writer = {.descriptor = store->descriptors[other]};
    struct verify_record record;
    buffer_init(&writer.pending, NULL, PIECE_BYTES + LINE_MAX_BYTES);
    if (ftruncate(writer.descriptor, 0) != 0)
        writer.error = errno;
    buffer_append_format(&writer.pending, HEAD "%llu\n",
                         (unsigned long long)(store->generation + 1));
    LIST_FOR_EACH (&cache->recent, link) {
        cache_record(LIST_ITEM(link, struct cache_entry, recent), &record);
        verify_record_append(&record, &writer.pending);
        if (writer.pending.length >= PIECE_BYTES)
            flush(&writer);
    }
    flush(&writer);
    buffer_release(&writer.pending);
    if (writer.error != 0)
        return writer.error;
    store->active = other;
    store->generation++;
    store->length_bytes = writer.offset;
    return 0;
}

int store_append(struct store *store, struct cache *cache, const struct cache_entry *entry)
{
    struct verify_record record;
    int error = 0;
    if (store->has_failed || store->length_bytes > 2 * cache->size_bytes + SLACK_BYTES) {
        error = write_all(store, cache);
    } else {
        struct writer writer = {.descriptor = store->descriptors[store->active],
                                .offset = store->length_bytes};
        buffer_init(&writer.pending, NULL, LINE_MAX_BYTES);
        cache_record(entry, &record);
        verify_record_append(&record, &writer.pending);
        flush(&writer);
        buffer_release(&writer.pending);
        error = writer.error;
        if (error == 0)
            store->length_bytes = writer.offset;
    }
    const bool is_news = error != 0 && !store->has_failed;
    store->has_failed = error != 0;
    return is_news ? error : 0;
}
