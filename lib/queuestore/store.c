/* queuestore/store - see store.h. */
#include "queuestore/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

enum {
    PATH_BYTES = 16 + QUEUE_BUCKET_NAME_BYTES + QUEUE_ID_MAX_BYTES,
    ENVELOPE_LIMIT_BYTES = 32 << 20,
    RECIPIENT_LIMIT = 1000000,
    COPY_BYTES = 1 << 18,
    /* A pipe would keep us waiting for who writes to it. */
    READING = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
};

/* "<bucket>/<id>" below deferred/, or "<id>" below new/. */
static int directory_and_name(const struct store *store, const struct store_place *place,
                              char name[PATH_BYTES])
{
    if (place->is_held) {
        (void)snprintf(name, PATH_BYTES, "hold/%s", place->queue_id);
        return store->queue;
    }
    if (place->bucket == 0) {
        (void)snprintf(name, PATH_BYTES, "%s", place->queue_id);
        return store->new;
    }
    char bucket[QUEUE_BUCKET_NAME_BYTES + 1];
    queue_bucket_name(place->bucket, bucket);
    (void)snprintf(name, PATH_BYTES, "%s/%s", bucket, place->queue_id);
    return store->deferred;
}

int store_create(const struct store *store, const char *queue_id)
{
    return openat(store->tmp, queue_id, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

void store_abandon(const struct store *store, const char *queue_id, int descriptor)
{
    (void)unlinkat(store->tmp, queue_id, 0); /* what stays is swept at the next start */
    file_close(descriptor);
}

/* Envelope, the gap up to the state's sector, and the state, in one write. */
static int write_tail(int descriptor, const struct queue_preamble *preamble, struct span envelope,
                      uint32_t recipient_count)
{
    static const uint8_t gap[QUEUE_FILE_PREAMBLE_BYTES];
    struct buffer state;
    int result = -1;
    buffer_init(&state, NULL, RECIPIENT_LIMIT);
    queue_state_append_initial(recipient_count, &state);
    const uint64_t gap_bytes =
        preamble->state_offset - preamble->envelope_offset - preamble->envelope_length;
    if (buffer_ok(&state) && gap_bytes <= sizeof(gap)) {
        struct iovec pieces[3] = {{(void *)(uintptr_t)envelope.bytes, envelope.length},
                                  {(void *)(uintptr_t)gap, (size_t)gap_bytes},
                                  {state.bytes, state.length}};
        result = file_pwritev_all(descriptor, pieces, 3, preamble->envelope_offset);
    } else {
        errno = ENOMEM;
    }
    buffer_release(&state);
    return result;
}

/* Each thread makes its own copy of the key once: a context cannot be shared. */
static struct queue_key *thread_key(const struct store *store)
{
    static _Thread_local struct queue_key key;
    static _Thread_local bool is_made;
    if (!is_made)
        is_made = queue_key_init(&key, store->key_bytes);
    return is_made ? &key : NULL;
}

static int write_message(const struct store *store, const char *queue_id, int descriptor,
                         struct queue_preamble *preamble, struct span envelope,
                         uint32_t recipient_count)
{
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
    struct stat facts;
    uint64_t content_end = QUEUE_FILE_CONTENT_OFFSET;
    struct queue_key *key = thread_key(store);
    for (size_t i = 0; i < preamble->extent_count; i++) {
        const uint64_t end = preamble->extents[i].offset + preamble->extents[i].length;
        if (end > content_end)
            content_end = end;
    }
    /* Intake says where the content lies; the file must be that long. */
    if (fstat(descriptor, &facts) != 0)
        return -1;
    if (!key || facts.st_size < 0 || (uint64_t)facts.st_size < content_end ||
        !queue_preamble_place(preamble, content_end, envelope.length, recipient_count) ||
        !queue_preamble_encode(preamble, span_from_string(queue_id), envelope, key, sector)) {
        errno = EINVAL;
        return -1;
    }
    if (write_tail(descriptor, preamble, envelope, recipient_count) != 0)
        return -1;
    return file_pwrite_all(descriptor, sector, sizeof(sector), 0);
}

int store_commit(const struct store *store, const char *queue_id, int descriptor,
                 struct queue_preamble *preamble, struct span envelope, uint32_t recipient_count,
                 bool open_delivery, int *delivery_descriptor)
{
    *delivery_descriptor = -1;
    if (write_message(store, queue_id, descriptor, preamble, envelope, recipient_count) != 0)
        goto refuse;
    /* The new name first, then the flush: on ext4, xfs and btrfs the flush of the file makes the
     * rename durable with it, and a crash before it leaves a message that nobody was promised. */
    if (file_rename(store->tmp, queue_id, store->new, queue_id) != 0)
        goto refuse;
    /* A failed fsync is never tried again: the pages it gave up on look clean the second time. */
    if (fsync(descriptor) != 0 || (store->syncs_directory && fsync(store->new) != 0)) {
        const int error = errno;
        (void)unlinkat(store->new, queue_id, 0);
        file_close(descriptor);
        errno = error;
        return -1;
    }
    file_close(descriptor);
    if (open_delivery) {
        struct store_place place = {.bucket = 0};
        memcpy(place.queue_id, queue_id, strlen(queue_id) + 1);
        *delivery_descriptor = store_open_delivery(store, &place);
    }
    return 0;
refuse:;
    const int error = errno;
    store_abandon(store, queue_id, descriptor);
    errno = error;
    return -1;
}

int store_copy_content(int from, int to, uint64_t limit_bytes)
{
    struct stat facts;
    uint64_t offset = QUEUE_FILE_CONTENT_OFFSET;
    int result = -1;
    if (fstat(from, &facts) != 0)
        return -1;
    if (!S_ISREG(facts.st_mode) || (limit_bytes && (uint64_t)facts.st_size > limit_bytes)) {
        errno = EFBIG;
        return -1;
    }
    uint8_t *piece = malloc(COPY_BYTES);
    if (!piece)
        return -1;
    for (;;) {
        const ssize_t count = file_pread_upto(from, piece, COPY_BYTES, offset);
        if (count <= 0)
            result = count == 0 ? 0 : -1;
        if (count <= 0 || file_pwrite_all(to, piece, (size_t)count, offset) != 0)
            break;
        offset += (uint64_t)count;
    }
    free(piece);
    return result;
}

int store_make_durable(const struct store *store, const struct store_place *place)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    const int descriptor = openat(directory, name, READING);
    int result = descriptor < 0 ? -1 : fsync(descriptor);
    file_close(descriptor);
    if (result == 0 && store->syncs_directory && place->bucket == 0)
        result = fsync(store->new);
    return result;
}

int store_open_delivery(const struct store *store, const struct store_place *place)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    const int descriptor = openat(directory, name, READING);
    /* The lock belongs to this open and travels with it: a later qmgr sees that a delivery is
     * under way as long as the agent holds the descriptor. */
    if (descriptor >= 0 && flock(descriptor, LOCK_SH | LOCK_NB) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

static int write_statuses(int descriptor, const struct queue_preamble *preamble,
                          const struct store_mark *marks, size_t mark_count)
{
    int result = descriptor < 0 ? -1 : 0;
    for (size_t i = 0; result == 0 && i < mark_count; i++)
        result = file_pwrite_all(descriptor, &marks[i].status, 1,
                                 queue_state_status_offset(preamble, marks[i].recipient));
    return result;
}

int store_mark(const struct store *store, const struct store_place *place,
               const struct queue_preamble *preamble, const struct store_mark *marks,
               size_t mark_count, struct span journal, uint64_t *journal_end)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    const int descriptor = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int result = write_statuses(descriptor, preamble, marks, mark_count);
    if (result == 0 && journal.length) {
        result = file_pwrite_all(descriptor, journal.bytes, journal.length, *journal_end);
        if (result == 0)
            *journal_end += journal.length;
    }
    file_close(descriptor);
    return result;
}

int store_mark_durably(const struct store *store, const struct store_place *place,
                       const struct queue_preamble *preamble, const struct store_mark *marks,
                       size_t mark_count)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    const int descriptor = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    int result = write_statuses(descriptor, preamble, marks, mark_count);
    if (result == 0)
        result = fdatasync(descriptor);
    file_close(descriptor);
    return result;
}

int store_defer(const struct store *store, struct store_place *place, uint32_t bucket)
{
    char from[PATH_BYTES], to[PATH_BYTES], directory_name[QUEUE_BUCKET_NAME_BYTES + 1];
    struct store_place target = *place;
    if (place->bucket == bucket && !place->is_held)
        return 0;
    target.bucket = bucket;
    target.is_held = false;
    queue_bucket_name(bucket, directory_name);
    const int from_directory = directory_and_name(store, place, from);
    const int to_directory = directory_and_name(store, &target, to);
    if (file_rename(from_directory, from, to_directory, to) != 0) {
        if (errno != ENOENT)
            return -1;
        if (mkdirat(store->deferred, directory_name, 0700) != 0 && errno != EEXIST)
            return -1;
        if (file_rename(from_directory, from, to_directory, to) != 0)
            return -1;
    }
    *place = target;
    return 0;
}

int store_look(const struct store *store, const struct store_place *place)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    struct stat facts;
    if (fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0 : -1;
}

bool store_is_gone(const struct store *store, const struct store_place *place)
{
    return store_look(store, place) == 0;
}

int store_find(const struct store *store, struct store_place *place)
{
    place->is_held = false;
    if (place->bucket && store_look(store, place) == 1)
        return 1;
    place->bucket = 0;
    int found = store_look(store, place);
    if (found != 0)
        return found;
    const int descriptor = openat(store->queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor >= 0 ? fdopendir(descriptor) : NULL;
    if (!directory) {
        file_close(descriptor);
        return -1;
    }
    errno = 0;
    for (struct dirent *entry; found == 0 && (entry = readdir(directory)) != NULL; errno = 0)
        if (queue_bucket_parse(span_from_string(entry->d_name), &place->bucket) && place->bucket)
            found = store_look(store, place);
    if (found == 0 && errno != 0)
        found = -1;
    const int error = errno;
    (void)closedir(directory);
    errno = error;
    return found;
}

int store_remove(const struct store *store, const struct store_place *place)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    return unlinkat(directory, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

int store_set_aside(const struct store *store, const struct store_place *place,
                    const char *directory)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    const int from_directory = directory_and_name(store, place, from);
    (void)snprintf(to, sizeof(to), "%s/%s", directory, place->queue_id);
    return file_rename(from_directory, from, store->queue, to);
}

/* ---- reading ---- */

static bool read_part(int descriptor, struct arena *arena, uint64_t offset, uint64_t length,
                      struct span *part)
{
    uint8_t *bytes = arena_alloc(arena, (size_t)length);
    if (!bytes) {
        errno = ENOMEM;
        return false;
    }
    if (file_pread_all(descriptor, bytes, (size_t)length, offset) != 0)
        return false;
    *part = span_of(bytes, (size_t)length);
    return true;
}

/* Status bytes and as much of the journal as is whole. */
static bool read_state(int descriptor, uint64_t file_size, struct arena *arena,
                       struct store_message *message)
{
    const struct queue_preamble *preamble = &message->preamble;
    const uint64_t journal_offset = queue_state_journal_offset(preamble);
    struct span rest;
    struct queue_record record;
    if (!read_part(descriptor, arena, preamble->state_offset, preamble->recipient_count,
                   &message->statuses))
        return false;
    uint64_t journal_bytes = file_size - journal_offset;
    if (journal_bytes > STORE_JOURNAL_MAX_BYTES)
        journal_bytes = STORE_JOURNAL_MAX_BYTES;
    if (!read_part(descriptor, arena, journal_offset, journal_bytes, &message->journal))
        return false;
    rest = message->journal;
    while (queue_journal_next(&rest, &record))
        ;
    message->journal = span_first(message->journal, message->journal.length - rest.length);
    message->journal_end = journal_offset + message->journal.length;
    return true;
}

/* A message that there is no memory for now is a good one. */
static enum store_load_result fail_for_memory(void)
{
    errno = ENOMEM;
    return STORE_FAILED;
}

/* STORE_LOADED, STORE_FAILED, or STORE_CORRUPT with the verdict filled in. */
static enum store_load_result read_message(const struct store *store, int descriptor,
                                           const struct store_place *place, struct arena *arena,
                                           struct store_message *message)
{
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return STORE_FAILED;
    if (!S_ISREG(facts.st_mode)) {
        message->verdict = QUEUE_FILE_MALFORMED;
        message->is_no_file = true;
        return STORE_CORRUPT;
    }
    const ssize_t count = file_pread_upto(descriptor, sector, sizeof(sector), 0);
    if (count < 0)
        return STORE_FAILED;
    const struct span bytes = span_of(sector, (size_t)count);
    message->verdict = queue_preamble_decode(bytes, &message->preamble);
    if (message->verdict != QUEUE_FILE_OK)
        return STORE_CORRUPT;
    const struct queue_preamble *preamble = &message->preamble;
    if (preamble->envelope_length > ENVELOPE_LIMIT_BYTES ||
        preamble->state_offset > (uint64_t)facts.st_size) {
        message->verdict = QUEUE_FILE_MALFORMED;
        return STORE_CORRUPT;
    }
    if (!read_part(descriptor, arena, preamble->envelope_offset, preamble->envelope_length,
                   &message->envelope))
        return STORE_FAILED;
    if (!store->is_unverified) {
        struct queue_key *key = thread_key(store);
        message->verdict = key ? queue_preamble_verify(bytes, span_from_string(place->queue_id),
                                                       message->envelope, key)
                               : QUEUE_FILE_UNPROVEN;
    }
    if (message->verdict == QUEUE_FILE_UNPROVEN)
        return fail_for_memory();
    if (message->verdict != QUEUE_FILE_OK)
        return STORE_CORRUPT;
    const enum parse_result decoded =
        queue_envelope_decode(message->envelope, RECIPIENT_LIMIT, arena, &message->decoded);
    /* So many are never committed: it is the arena that has no room for them. */
    if (decoded == PARSE_TOO_LONG)
        return fail_for_memory();
    if (decoded != PARSE_OK || message->decoded.recipient_count != preamble->recipient_count ||
        queue_state_journal_offset(preamble) > (uint64_t)facts.st_size) {
        message->verdict = QUEUE_FILE_MALFORMED;
        return STORE_CORRUPT;
    }
    return read_state(descriptor, (uint64_t)facts.st_size, arena, message) ? STORE_LOADED
                                                                           : STORE_FAILED;
}

/* What becomes of a file that is no good message. */
static enum store_load_result put_away(const struct store *store, const struct store_place *place,
                                       const struct store_message *message)
{
    if (message->verdict == QUEUE_FILE_ABSENT && place->bucket == 0)
        return store_remove(store, place) == 0 ? STORE_UNCOMMITTED : STORE_FAILED;
    const bool is_foreign = message->verdict == QUEUE_FILE_UNKNOWN_VERSION ||
                            message->verdict == QUEUE_FILE_UNKNOWN_KEY;
    if (store_set_aside(store, place, is_foreign ? "hold" : "corrupt") != 0) {
        /* The sandbox lets no pipe and no link move, and none of them holds a message. */
        if (message->is_no_file && errno == EACCES && store_remove(store, place) == 0)
            return STORE_NO_FILE;
        return STORE_FAILED;
    }
    return is_foreign ? STORE_HELD : STORE_CORRUPT;
}

/* Not within its callers, whose frames are large enough. */
NOINLINE enum store_load_result store_load(const struct store *store,
                                           const struct store_place *place, bool ignore_lock,
                                           bool mutates, struct arena *arena,
                                           struct store_message *message)
{
    char name[PATH_BYTES];
    const int directory = directory_and_name(store, place, name);
    const int descriptor = openat(directory, name, READING);
    enum store_load_result result = STORE_FAILED;
    *message = (struct store_message){.verdict = QUEUE_FILE_OK};
    if (descriptor < 0 && (errno == ELOOP || errno == ENXIO)) { /* a link, or a socket */
        message->verdict = QUEUE_FILE_MALFORMED;
        message->is_no_file = true;
        result = mutates ? put_away(store, place, message) : STORE_CORRUPT;
        message->error = errno;
        return result;
    }
    if (descriptor < 0) {
        message->error = errno;
        return errno == ENOENT ? STORE_GONE : STORE_FAILED;
    }
    const bool is_locked = mutates && flock(descriptor, LOCK_EX | LOCK_NB) != 0;
    if (is_locked && !ignore_lock) {
        result = errno == EWOULDBLOCK ? STORE_LOCKED : STORE_FAILED;
    } else {
        errno = 0;
        message->is_locked = is_locked;
        result = read_message(store, descriptor, place, arena, message);
        if (result == STORE_CORRUPT && mutates)
            result = put_away(store, place, message);
    }
    message->error = errno;
    file_close(descriptor);
    return result;
}
