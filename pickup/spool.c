/* pickup/spool - see spool.h. */
#include "spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maillog/event.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/random.h"
#include "system/task.h"
#include "take.h"

enum {
    DROPPED_MAX = 20000, /* more are read from the directory when these have been taken */
    SCAN_INTERVAL_MS = 60 * 1000,
    UNWATCHED_INTERVAL_MS = 1000,
    RETRY_MS = 3000,
    ASK_TIMEOUT_MS = 10 * 1000,
    STALE_PART_S = 24 * 3600,
    NOTICE_BYTES = 16384
};

struct owner {
    struct list_link link;
    uid_t uid;
    struct list files; /* struct dropped */
};

struct dropped {
    struct map_node node;
    struct list_link link; /* on its owner's list, or on none: it is being taken in */
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
};

static const struct span part_suffix = SPAN_LITERAL(".part");

bool spool_open(struct pickup *pickup, struct service *service)
{
    const struct span path = arena_format(&service->arena, "%.*s/maildrop",
                                          SPAN_PRINTF(pickup->settings->queue_directory));
    struct sandbox_path *permitted = arena_alloc(&service->arena, sizeof(*permitted));
    const char *name = path.bytes ? arena_string(&service->arena, path) : NULL;
    if (!name || !permitted) {
        service_say(service, "out of memory");
        return false;
    }
    pickup->maildrop = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (pickup->maildrop < 0) {
        service_say(service, "cannot open %s: %s", name, strerror(errno));
        return false;
    }
    /* Where there is no watch to be had the directory is read each second. */
    pickup->notice = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (pickup->notice >= 0 && inotify_add_watch(pickup->notice, name, IN_MOVED_TO) < 0) {
        file_close(pickup->notice);
        pickup->notice = -1;
    }
    *permitted = (struct sandbox_path){name, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE};
    service->profile.paths = permitted;
    service->profile.path_count = 1;
    return true;
}

/* ---- what is known to lie there ---- */

static struct owner *find_owner(struct pickup *pickup, uid_t uid)
{
    LIST_FOR_EACH (&pickup->owners, link) {
        struct owner *owner = LIST_ITEM(link, struct owner, link);
        if (owner->uid == uid)
            return owner;
    }
    struct owner *owner = calloc(1, sizeof(*owner));
    if (!owner)
        return NULL;
    owner->uid = uid;
    list_init(&owner->files);
    list_append(&pickup->owners, &owner->link);
    return owner;
}

static void put_in_order(struct owner *owner, struct dropped *dropped)
{
    const struct span id = span_from_string(dropped->queue_id);
    struct list_link *position = owner->files.head.previous;
    while (position != &owner->files.head &&
           span_compare(span_from_string(LIST_ITEM(position, struct dropped, link)->queue_id), id) >
               0)
        position = position->previous;
    list_insert_before(&owner->files, position->next, &dropped->link);
}

/* False when there is no room to remember it. */
static bool remember(struct pickup *pickup, const char *name)
{
    const struct span id = span_from_string(name);
    struct stat facts;
    if (map_find(&pickup->dropped, id))
        return true;
    if (pickup->dropped.count >= DROPPED_MAX ||
        fstatat(pickup->maildrop, name, &facts, AT_SYMLINK_NOFOLLOW) != 0)
        return false;
    struct owner *owner = find_owner(pickup, facts.st_uid);
    struct dropped *dropped = owner ? calloc(1, sizeof(*dropped)) : NULL;
    if (!dropped)
        return false;
    memcpy(dropped->queue_id, name, id.length + 1);
    dropped->node.key = span_from_string(dropped->queue_id);
    if (!map_insert(&pickup->dropped, &dropped->node)) {
        free(dropped);
        return false;
    }
    put_in_order(owner, dropped);
    return true;
}

static void forget(struct pickup *pickup, struct dropped *dropped)
{
    map_remove(&pickup->dropped, &dropped->node);
    free(dropped);
}

/* What postdrop left when it was killed goes after a day; anything else is nobody's. */
static void look_at_part(const struct pickup *pickup, const char *name)
{
    struct stat facts;
    if (fstatat(pickup->maildrop, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(facts.st_mode) &&
        (int64_t)(clock_realtime_us() / 1000000U) - facts.st_mtime > STALE_PART_S)
        (void)unlinkat(pickup->maildrop, name, 0);
}

static void look_at(struct pickup *pickup, const char *name)
{
    const struct span text = span_from_string(name);
    if (queue_id_is_valid(text)) {
        if (!remember(pickup, name))
            pickup->is_scan_wanted = true;
    } else if (span_ends_with(text, part_suffix)) {
        look_at_part(pickup, name);
    }
}

static void read_directory(struct pickup *pickup)
{
    const int again = openat(pickup->maildrop, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    pickup->is_scan_wanted = false;
    if (!directory) {
        maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "cannot read the maildrop directory: %s; trying again later", strerror(errno));
        file_close(again);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        look_at(pickup, entry->d_name);
        if (pickup->dropped.count >= DROPPED_MAX) {
            pickup->is_scan_wanted = true;
            break;
        }
    }
    (void)closedir(directory);
}

/* ---- taking in ---- */

static void start_taking(struct pickup *pickup);

static void scan_soon(struct pickup *pickup, int64_t timeout_ms)
{
    const int64_t deadline_ms = clock_deadline_after(timeout_ms);
    if (deadline_ms < pickup->scan_timer.deadline_ms)
        loop_timer_set(&pickup->scan_timer, deadline_ms);
}

struct taking {
    struct pickup *pickup;
    struct dropped *dropped;
};

static void take_body(void *argument)
{
    struct taking taking = *(struct taking *)argument;
    struct pickup *pickup = taking.pickup;
    free(argument);
    const enum take_result result = take_in(pickup, span_from_string(taking.dropped->queue_id));
    forget(pickup, taking.dropped);
    pickup->taking_count--;
    if (result == TAKE_LATER)
        scan_soon(pickup, RETRY_MS);
    if (intake_channel(&pickup->intake))
        spool_queue_changed(pickup);
    start_taking(pickup);
    if (pickup->service->is_draining && pickup->taking_count == 0)
        service_leave(pickup->service, 0);
}

/* The next file of the user whose turn it is. */
static struct dropped *next_file(struct pickup *pickup)
{
    for (;;) {
        struct owner *owner = LIST_ITEM(list_pop(&pickup->owners), struct owner, link);
        if (!owner)
            return NULL;
        struct dropped *dropped = LIST_ITEM(list_pop(&owner->files), struct dropped, link);
        if (list_is_empty(&owner->files))
            free(owner);
        else
            list_append(&pickup->owners, &owner->link);
        if (dropped)
            return dropped;
    }
}

static bool may_take(const struct pickup *pickup)
{
    return !pickup->service->is_draining && intake_channel(&pickup->intake) && !pickup->is_asking &&
           pickup->asked_generation == pickup->intake.generation &&
           pickup->taking_count < pickup->settings->pickup_client_limit;
}

static void start_taking(struct pickup *pickup)
{
    while (may_take(pickup)) {
        struct dropped *dropped = next_file(pickup);
        if (!dropped)
            break;
        struct taking *taking = calloc(1, sizeof(*taking));
        if (taking)
            *taking = (struct taking){pickup, dropped};
        if (!taking || !task_start(pickup->service->loop, "take", take_body, taking)) {
            free(taking);
            forget(pickup, dropped);
            scan_soon(pickup, RETRY_MS);
            return;
        }
        pickup->taking_count++;
    }
    if (pickup->is_scan_wanted && list_is_empty(&pickup->owners) && may_take(pickup))
        scan_soon(pickup, 0);
}

/* ---- what the queue has already ---- */

static bool append_id(struct map_node *node, void *context)
{
    struct buffer *ids = context;
    if (ids->length + QUEUE_ID_MAX_BYTES + 1 > ids->limit)
        return false;
    if (ids->length)
        buffer_append_byte(ids, ' ');
    buffer_append_span(ids, node->key);
    return true;
}

/* False when the queue manager gave no answer. */
static bool ask_about(struct pickup *pickup, struct span ids, struct arena *arena)
{
    const struct ipc_queue_known question = {.queue_ids = ids};
    struct ipc_queue_known_reply reply;
    struct span id;
    if (!intake_channel(&pickup->intake) ||
        ipc_channel_call(intake_channel(&pickup->intake), IPC_QUEUE_KNOWN, &question,
                         IPC_QUEUE_KNOWN_REPLY, &reply, arena,
                         clock_deadline_after(ASK_TIMEOUT_MS)) != IPC_CALL_OK)
        return false;
    while (span_next_word(&reply.queue_ids, " ", &id))
        take_away(pickup, id);
    return true;
}

/* All names that lie there now, in pieces that fit a message. */
static bool ask_about_all(struct pickup *pickup, struct arena *arena, uint32_t *count)
{
    const int again = openat(pickup->maildrop, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = again < 0 ? NULL : fdopendir(again);
    struct buffer ids;
    bool is_whole = directory != NULL;
    if (!directory)
        file_close(again);
    buffer_init(&ids, NULL, IPC_RECORDS_MAX);
    *count = 0;
    while (is_whole) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        struct map_node node = {.key = entry ? span_from_string(entry->d_name) : span_empty()};
        const bool is_id = entry && queue_id_is_valid(node.key);
        if (is_id && append_id(&node, &ids)) {
            ++*count;
            continue;
        }
        if (entry && !is_id)
            continue;
        if (!entry && errno != 0)
            is_whole = false; /* there are others that qmgr was not asked about */
        else if (ids.length)
            is_whole = ask_about(pickup, buffer_span(&ids), arena);
        arena_reset(arena);
        buffer_reset(&ids);
        if (!entry)
            break;
        ++*count;
        (void)append_id(&node, &ids);
    }
    buffer_release(&ids);
    if (directory)
        (void)closedir(directory);
    return is_whole;
}

static void ask_body(void *argument)
{
    struct pickup *pickup = argument;
    const uint32_t generation = pickup->intake.generation;
    struct arena arena;
    struct ipc_queue_sources_settled settled;
    arena_init(&arena, 1 << 20, 0);
    const bool is_asked = ask_about_all(pickup, &arena, &settled.count);
    arena_destroy(&arena);
    pickup->is_asking = false;
    if (is_asked && generation == pickup->intake.generation && intake_channel(&pickup->intake) &&
        ipc_channel_send(intake_channel(&pickup->intake), IPC_QUEUE_SOURCES_SETTLED, &settled))
        pickup->asked_generation = generation;
    else if (intake_channel(&pickup->intake))
        scan_soon(pickup, RETRY_MS);
    start_taking(pickup);
}

void spool_queue_changed(struct pickup *pickup)
{
    if (pickup->is_asking || pickup->asked_generation == pickup->intake.generation)
        return;
    /* What is being taken in for the queue manager of before must end first. */
    if (pickup->taking_count > 0)
        return;
    pickup->is_asking = task_start(pickup->service->loop, "ask", ask_body, pickup) != NULL;
    if (!pickup->is_asking)
        scan_soon(pickup, RETRY_MS);
}

/* ---- events ---- */

static void on_scan_timer(void *context)
{
    struct pickup *pickup = context;
    loop_timer_set(
        &pickup->scan_timer,
        clock_deadline_after(pickup->notice < 0 ? UNWATCHED_INTERVAL_MS : SCAN_INTERVAL_MS));
    if (intake_channel(&pickup->intake))
        spool_queue_changed(pickup);
    read_directory(pickup);
    start_taking(pickup);
}

static void stop_watching(struct pickup *pickup)
{
    (void)event_del(&pickup->notice_event);
    file_close(pickup->notice);
    pickup->notice = -1;
}

static void on_notice(evutil_socket_t descriptor, short what, void *context)
{
    struct pickup *pickup = context;
    _Alignas(struct inotify_event) static uint8_t bytes[NOTICE_BYTES];
    ssize_t count;
    (void)what;
    while ((count = read(descriptor, bytes, sizeof(bytes))) > 0) {
        for (size_t at = 0; at + sizeof(struct inotify_event) <= (size_t)count;) {
            struct inotify_event event;
            memcpy(&event, bytes + at, sizeof(event));
            if (event.mask & IN_Q_OVERFLOW)
                pickup->is_scan_wanted = true;
            if (event.len > 0)
                look_at(pickup, (const char *)bytes + at + sizeof(event));
            at += sizeof(event) + event.len;
        }
    }
    /* An end, or an error that would be told again and again. */
    if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
        maillog_text(&pickup->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "the kernel tells of no dropped files any more: %s; looking each second",
                     count == 0 ? "end of file" : strerror(errno));
        stop_watching(pickup);
        scan_soon(pickup, 0);
    }
    start_taking(pickup);
}

bool spool_start(struct pickup *pickup)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    map_init(&pickup->dropped, seed);
    list_init(&pickup->owners);
    loop_timer_init(&pickup->scan_timer, pickup->service->loop, on_scan_timer, pickup);
    loop_timer_set(&pickup->scan_timer, clock_deadline_after(0));
    return pickup->notice < 0 ||
           (event_assign(&pickup->notice_event, loop_event_base(pickup->service->loop),
                         pickup->notice, EV_READ | EV_PERSIST, on_notice, pickup) == 0 &&
            event_add(&pickup->notice_event, NULL) == 0);
}

bool spool_is_idle(const struct pickup *pickup)
{
    return pickup->taking_count == 0;
}
