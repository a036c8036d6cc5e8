/* limitd/store - see store.h. */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

/* A record in a file is smaller than its counter in memory. */
enum { SNAPSHOT_MAX_BYTES = 1 << 30 };

int store_open(struct store *store, int directory)
{
    static const char *const names[STORE_FILES] = {"counters.0", "counters.1"};
    for (size_t i = 0; i < STORE_FILES; i++) {
        struct stat facts;
        const int descriptor =
            openat(directory, names[i], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (descriptor < 0)
            return -1;
        store->descriptors[i] = descriptor;
        /* The directory belongs to another user: it is no way to a file of ours. */
        if (fstat(descriptor, &facts) != 0)
            return -1;
        if (!S_ISREG(facts.st_mode) || facts.st_nlink != 1) {
            errno = EPERM;
            return -1;
        }
    }
    return 0;
}

/* The content of one file; NULL bytes when it cannot be had. */
static struct span read_file(int descriptor, size_t capacity_bytes, struct buffer *bytes)
{
    const off_t size = lseek(descriptor, 0, SEEK_END);
    const struct span nothing = {NULL, 0};
    if (size < 0 || (uint64_t)size > (uint64_t)capacity_bytes + SNAPSHOT_HEADER_BYTES)
        return nothing;
    uint8_t *room = buffer_reserve(bytes, (size_t)size + 1);
    if (!room || file_pread_all(descriptor, room, (size_t)size, 0) != 0)
        return nothing;
    buffer_extend(bytes, (size_t)size);
    return buffer_span(bytes);
}

bool store_load(struct store *store, size_t capacity_bytes, uint64_t time_us, int64_t now_ms,
                struct counters *counters)
{
    struct buffer bytes[STORE_FILES];
    struct snapshot snapshots[STORE_FILES];
    bool is_good[STORE_FILES] = {false};
    bool has_content = false;
    buffer_init(&store->bytes, NULL, SNAPSHOT_MAX_BYTES);
    for (size_t i = 0; i < STORE_FILES; i++) {
        buffer_init(&bytes[i], NULL, SNAPSHOT_MAX_BYTES);
        const struct span content = read_file(store->descriptors[i], capacity_bytes, &bytes[i]);
        has_content = has_content || !content.bytes || content.length > 0;
        is_good[i] = content.bytes && snapshot_decode(content, &snapshots[i]) == PARSE_OK;
    }
    store->present = is_good[1] && (!is_good[0] || snapshots[1].serial > snapshots[0].serial);
    const bool is_loaded = is_good[store->present];
    if (is_loaded) {
        store->serial = snapshots[store->present].serial;
        snapshot_restore(&snapshots[store->present], time_us, now_ms, counters);
    }
    for (size_t i = 0; i < STORE_FILES; i++)
        buffer_release(&bytes[i]);
    return is_loaded || !has_content;
}

/* Into the file that does not have the last one. */
static void write_snapshot(struct store *store)
{
    const size_t next = (store->present + 1) % STORE_FILES;
    const int descriptor = store->descriptors[next];
    const struct span bytes = buffer_span(&store->bytes);
    store->error = 0;
    if (file_pwrite_all(descriptor, bytes.bytes, bytes.length, 0) != 0 ||
        ftruncate(descriptor, (off_t)bytes.length) != 0 || fdatasync(descriptor) != 0)
        store->error = errno;
    else
        store->present = next;
}

static bool encode(struct store *store, const struct counters *counters, bool is_whole)
{
    buffer_reset(&store->bytes);
    snapshot_encode(counters, is_whole, ++store->serial, clock_realtime_us(), clock_monotonic_ms(),
                    &store->bytes);
    if (!buffer_ok(&store->bytes))
        store->error = ENOMEM;
    return buffer_ok(&store->bytes);
}

static void work(struct pool_job *job)
{
    write_snapshot(CONTAINER_OF(job, struct store, job));
}

static void done(struct pool_job *job)
{
    struct store *store = CONTAINER_OF(job, struct store, job);
    store->is_writing = false;
    buffer_release(&store->bytes);
    store->on_written(store);
}

void store_save(struct store *store, const struct counters *counters)
{
    if (store->is_writing)
        return;
    if (!encode(store, counters, false)) {
        store->on_written(store);
        return;
    }
    store->is_writing = true;
    store->job = (struct pool_job){.work = work, .done = done};
    pool_submit(store->pool, &store->job);
}

void store_save_all(struct store *store, const struct counters *counters)
{
    pool_destroy(&store->pool); /* waits for what has begun */
    if (encode(store, counters, true))
        write_snapshot(store);
}
