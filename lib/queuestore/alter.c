/* queuestore/alter - see alter.h. */
#include "queuestore/alter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "system/file.h"

enum { MESSAGE_ARENA_BYTES = 256 << 20, JOURNAL_RECORD_BYTES = 256 };

int store_find_anywhere(const struct store *store, struct store_place *place)
{
    if (place->is_held && store_look(store, place) == 1)
        return 1;
    const int found = store_find(store, place);
    if (found != 0)
        return found;
    place->bucket = 0;
    place->is_held = true;
    return store_look(store, place);
}

static bool is_set_aside(const struct store *store, const char *queue_id)
{
    struct stat facts;
    const int corrupt = openat(store->queue, "corrupt", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_there = corrupt >= 0 && fstatat(corrupt, queue_id, &facts, 0) == 0;
    file_close(corrupt);
    return is_there;
}

static enum store_recipient_state look(const struct store *store, const struct store_place *place,
                                       uint32_t index, bool *is_gone)
{
    struct store_message message;
    struct arena arena;
    enum store_recipient_state state = STORE_RECIPIENT_OPEN;
    arena_init(&arena, MESSAGE_ARENA_BYTES, 0);
    const enum store_load_result result = store_load(store, place, true, false, &arena, &message);
    *is_gone = result == STORE_GONE;
    if (result == STORE_FAILED) {
        state = STORE_RECIPIENT_UNKNOWN;
    } else if (result == STORE_LOADED && index < message.statuses.length) {
        const enum queue_status status = queue_status_from_byte(message.statuses.bytes[index]);
        if (queue_status_is_done(status) || status == QUEUE_STATUS_SUCCEEDED)
            state = STORE_RECIPIENT_SETTLED;
    }
    const int error = message.error;
    arena_destroy(&arena);
    errno = error;
    return state;
}

enum store_recipient_state store_look_at_recipient(const struct store *store, const char *queue_id,
                                                   uint32_t index)
{
    struct store_place place = {.bucket = 0};
    bool is_gone = true;
    memcpy(place.queue_id, queue_id, strlen(queue_id) + 1);
    /* Again, because it could have been moved from where we would look to where we had looked. */
    for (int i = 0; i < 2 && is_gone; i++) {
        const int found = store_find_anywhere(store, &place);
        if (found < 0)
            return STORE_RECIPIENT_UNKNOWN;
        if (found == 0)
            continue;
        const enum store_recipient_state state = look(store, &place, index, &is_gone);
        if (!is_gone)
            return state;
    }
    return is_set_aside(store, queue_id) ? STORE_RECIPIENT_OPEN : STORE_RECIPIENT_SETTLED;
}

/* The descriptor of a delivery carries a shared lock. */
static bool is_being_delivered(const struct store *store, const struct store_place *place)
{
    const int descriptor = store_open_delivery(store, place);
    const bool is_locked =
        descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    file_close(descriptor);
    return is_locked;
}

static int release(const struct store *store, struct store_place *place, uint64_t now_us)
{
    return store_defer(store, place, queue_bucket_of_time(now_us));
}

/* Appends the wish to the journal, once. 1: it is there already. */
static int expire(const struct store *store, const struct store_place *place, uint64_t now_us)
{
    const struct queue_record wish = {.kind = QUEUE_RECORD_EXPIRE, .time_us = now_us};
    struct store_message message;
    struct queue_record record;
    struct arena arena;
    struct buffer journal;
    bool is_there = false;
    int result = -1;
    arena_init(&arena, MESSAGE_ARENA_BYTES, 0);
    buffer_init(&journal, NULL, JOURNAL_RECORD_BYTES);
    if (store_load(store, place, true, false, &arena, &message) == STORE_LOADED) {
        while (queue_journal_next(&message.journal, &record))
            is_there |= record.kind == QUEUE_RECORD_EXPIRE;
        queue_journal_append(&wish, &journal);
        result = is_there ? 1
                          : store_mark(store, place, &message.preamble, NULL, 0,
                                       buffer_span(&journal), &message.journal_end);
    } else {
        errno = message.error ? message.error : EINVAL;
    }
    buffer_release(&journal);
    arena_destroy(&arena);
    return result;
}

enum store_alter_result store_alter(const struct store *store, enum store_alter_action action,
                                    uint64_t now_us, struct store_place *place)
{
    int result = -1;
    const int found = store_find_anywhere(store, place);
    if (found < 0)
        return STORE_ALTER_FAILED;
    if (found == 0 || (action == STORE_ALTER_HOLD && place->is_held) ||
        (action == STORE_ALTER_RELEASE && !place->is_held))
        return STORE_NOT_ALTERED;
    /* Its result would look for the file where it lay. */
    if (action != STORE_ALTER_DELETE && is_being_delivered(store, place))
        return STORE_ALTER_BUSY;
    switch (action) {
    case STORE_ALTER_DELETE:
        result = store_remove(store, place);
        break;
    case STORE_ALTER_HOLD:
        result = store_set_aside(store, place, "hold");
        if (result == 0) {
            place->is_held = true;
            place->bucket = 0;
        }
        break;
    case STORE_ALTER_RELEASE:
    case STORE_ALTER_REQUEUE:
        result = release(store, place, now_us);
        break;
    case STORE_ALTER_EXPIRE:
        result = expire(store, place, now_us);
        break;
    case STORE_ALTER_EXPIRE_RELEASE:
        result = expire(store, place, now_us);
        if (result >= 0 && place->is_held)
            result = release(store, place, now_us);
        break;
    }
    if (result > 0)
        return STORE_NOT_ALTERED;
    if (result == 0)
        return STORE_ALTERED;
    return errno == ENOENT ? STORE_NOT_ALTERED : STORE_ALTER_FAILED;
}
