/* tools/postsuper - delete, hold, release, requeue and expire messages; look after the queue.
 * man/postsuper.1 Asks qmgr through public/qmgr, for it may have a message in memory. When the mail
 * system is down the files are renamed or removed here, under the queue's lock. Superuser only. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "queuestore/alter.h"
#include "queuestore/walk.h"
#include "system/file.h"
#include "system/task.h"
#include "tool.h"
#include "tool_log.h"
#include "tool_say.h"

enum {
    CALL_TIMEOUT_MS = 100 * 1000,
    PAGE_ARENA_BYTES = 1 << 20,
    LINE_MAX_BYTES = 256,
    FILE_ARENA_BYTES = 256 << 20,
    BATCH_MAX_MESSAGES = 500,
    BATCH_MAX_BYTES = BATCH_MAX_MESSAGES * (QUEUE_ID_MAX_BYTES + 1)
};

static const struct action {
    int option;
    enum store_alter_action number;
    const char *done; /* "QID: removed" */
    const char *total;
    const char *default_queues; /* of ALL */
} actions[] = {
    {'d', STORE_ALTER_DELETE, "removed", "Deleted", "hold incoming active deferred"},
    {'h', STORE_ALTER_HOLD, "placed on hold", "Placed on hold", "incoming active deferred"},
    {'H', STORE_ALTER_RELEASE, "released from hold", "Released from hold", "hold"},
    {'r', STORE_ALTER_REQUEUE, "requeued", "Requeued", "hold incoming active deferred"},
    {'e', STORE_ALTER_EXPIRE, "expired", "Force-expired", "hold incoming active deferred"},
    {'f', STORE_ALTER_EXPIRE_RELEASE, "expired", "Force-expired", "hold incoming active deferred"},
};

struct order {
    const struct action *action;
    const char *argument; /* a queue id, "-" or "ALL" */
};

struct ids {
    char (*items)[QUEUE_ID_MAX_BYTES + 1];
    size_t count, capacity;
};

struct request {
    struct conf_tools settings;
    struct tool_log log;
    char **queues; /* named after the options, NULL at the end */
    struct order *orders;
    size_t order_count;
    unsigned long long totals[ARRAY_LENGTH(actions)];
    bool has_failed;
    bool purges, repairs; /* -p, -s */
    /* One of these two ways. */
    struct loop *loop;
    struct ipc_channel *channel;
    struct store store;
};

static void say(struct request *request, enum log_level level, const char *subject,
                const char *text)
{
    struct buffer line;
    buffer_init(&line, NULL, MAILLOG_LINE_MAX_BYTES);
    buffer_append_format(&line, "%s%s: %s", level == LOG_LEVEL_WARNING ? "warning: " : "", subject,
                         text);
    if (!tool_log_line(&request->log, level, buffer_span(&line)))
        request->has_failed = true;
    (void)fprintf(stderr, "postsuper: %.*s\n", SPAN_PRINTF(buffer_span(&line)));
    buffer_release(&line);
}

static void warn(struct request *request, const char *subject, const char *text)
{
    request->has_failed = true;
    say(request, LOG_LEVEL_WARNING, subject, text);
}

/* ---- one message ---- */

static enum store_alter_result ask_qmgr(struct request *request, enum store_alter_action action,
                                        const char *id, struct arena *arena, struct span *reason)
{
    const struct ipc_queue_alter question = {.action = (uint32_t)action,
                                             .queue_id = span_from_string(id)};
    struct ipc_queue_alter_reply reply;
    if (ipc_channel_call(request->channel, IPC_QUEUE_ALTER, &question, IPC_QUEUE_ALTER_REPLY,
                         &reply, arena, clock_deadline_after(CALL_TIMEOUT_MS)) != IPC_CALL_OK) {
        *reason = SPAN("the queue manager does not answer");
        return STORE_ALTER_FAILED;
    }
    *reason = reply.reason;
    return (enum store_alter_result)reply.result;
}

static enum store_alter_result alter_directly(struct request *request,
                                              enum store_alter_action action, const char *id,
                                              struct span *reason)
{
    struct store_place place = {.bucket = 0};
    memcpy(place.queue_id, id, strlen(id) + 1);
    const enum store_alter_result result =
        store_alter(&request->store, action, clock_realtime_us(), &place);
    *reason = span_from_string(strerror(errno));
    return result;
}

/* -e and -f count together. */
static size_t total_of(const struct action *action)
{
    size_t i = 0;
    while (strcmp(actions[i].total, action->total) != 0)
        i++;
    return i;
}

static void tell(struct request *request, const struct action *action, const char *id,
                 enum store_alter_result result, struct span reason)
{
    char text[LINE_MAX_BYTES];
    if (result == STORE_ALTERED) {
        request->totals[total_of(action)]++;
        say(request, LOG_LEVEL_INFO, id, action->done);
    } else if (result == STORE_ALTER_BUSY) {
        warn(request, id, "is being delivered; try again when that has ended");
    } else if (result != STORE_NOT_ALTERED) {
        (void)snprintf(text, sizeof(text), "not %s: %.*s", action->done, SPAN_PRINTF(reason));
        warn(request, id, text);
    }
}

static void alter(struct request *request, const struct action *action, const char *id)
{
    struct arena arena;
    struct span reason = span_empty();
    if (!queue_id_is_name(span_from_string(id)))
        say(request, LOG_LEVEL_WARNING, "invalid mail queue id", id);
    if (!queue_id_is_valid(span_from_string(id)))
        return; /* as with any that is not, or no longer, in the queue */
    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    const enum store_alter_result result =
        request->channel ? ask_qmgr(request, action->number, id, &arena, &reason)
                         : alter_directly(request, action->number, id, &reason);
    tell(request, action, id, result, reason);
    arena_destroy(&arena);
}

/* ---- many ---- */

static bool is_wanted(const struct request *request, const struct action *action, struct span queue)
{
    struct span rest = span_from_string(action->default_queues);
    struct span word;
    for (char **name = request->queues; *name; name++)
        if (span_equals(span_from_string(*name), queue))
            return true;
    while (!*request->queues && rest.length) {
        (void)span_split_once(rest, ' ', &word, &rest);
        if (span_equals(word, queue))
            return true;
    }
    return false;
}

static void remember(struct request *request, struct ids *ids, struct span id)
{
    if (ids->count == ids->capacity) {
        const size_t capacity = ids->capacity * 2 + 1024;
        void *items = realloc(ids->items, capacity * sizeof(*ids->items));
        if (!items) {
            request->has_failed = true;
            return;
        }
        ids->items = items;
        ids->capacity = capacity;
    }
    if (id.length > QUEUE_ID_MAX_BYTES)
        return;
    memcpy(ids->items[ids->count], id.bytes, id.length);
    ids->items[ids->count++][id.length] = '\0';
}

static bool remember_page(struct request *request, const struct action *action, struct span records,
                          struct ids *ids)
{
    struct ipc_queue_entry entry;
    struct ipc_queue_entry_recipient recipient;
    while (records.length) {
        if (ipc_records_peek(records) != IPC_QUEUE_ENTRY) {
            if (ipc_records_next(&records, IPC_QUEUE_ENTRY_RECIPIENT, &recipient) != PARSE_OK)
                return false;
            continue;
        }
        if (ipc_records_next(&records, IPC_QUEUE_ENTRY, &entry) != PARSE_OK)
            return false;
        if (is_wanted(request, action, entry.queue))
            remember(request, ids, entry.queue_id);
    }
    return true;
}

static void list_through_qmgr(struct request *request, const struct action *action, struct ids *ids)
{
    struct arena arena;
    bool is_last = false;
    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    for (bool is_first = true; !is_last; is_first = false) {
        const struct ipc_queue_list question = {.is_first = is_first};
        struct ipc_queue_list_reply reply;
        if (ipc_channel_call(request->channel, IPC_QUEUE_LIST, &question, IPC_QUEUE_LIST_REPLY,
                             &reply, &arena,
                             clock_deadline_after(CALL_TIMEOUT_MS)) != IPC_CALL_OK ||
            !remember_page(request, action, reply.entries, ids)) {
            warn(request, "ALL", "the queue manager does not answer");
            break;
        }
        is_last = reply.is_last;
        arena_reset(&arena);
    }
    arena_destroy(&arena);
}

static void list_directly(struct request *request, const struct action *action, struct ids *ids)
{
    struct walk *walk = walk_create(&request->store);
    while (walk && !walk_is_at_end(walk)) {
        size_t count;
        walk_read_page(walk);
        const struct walk_message *page = walk_page(walk, &count);
        for (size_t i = 0; i < count; i++) {
            const struct span queue = page[i].is_held        ? SPAN("hold")
                                      : page[i].place.bucket ? SPAN("deferred")
                                                             : SPAN("incoming");
            if (is_wanted(request, action, queue))
                remember(request, ids, span_from_string(page[i].place.queue_id));
        }
    }
    request->has_failed |= !walk;
    walk_destroy(&walk);
}

/* As many as fit one question; how many these were. */
static size_t alter_batch(struct request *request, const struct action *action,
                          const struct ids *ids, size_t first)
{
    struct ipc_queue_alter_batch question = {.action = (uint32_t)action->number};
    struct ipc_queue_alter_batch_reply reply = {.results = span_empty()};
    struct arena arena;
    struct buffer text;
    size_t count = 0;
    buffer_init(&text, NULL, BATCH_MAX_BYTES);
    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    while (first + count < ids->count && count < BATCH_MAX_MESSAGES) {
        buffer_append_format(&text, "%s ", ids->items[first + count]);
        count++;
    }
    question.queue_ids = buffer_span(&text);
    if (ipc_channel_call(request->channel, IPC_QUEUE_ALTER_BATCH, &question,
                         IPC_QUEUE_ALTER_BATCH_REPLY, &reply, &arena,
                         clock_deadline_after(CALL_TIMEOUT_MS)) != IPC_CALL_OK)
        reply.reason = SPAN("the queue manager does not answer");
    for (size_t i = 0; i < count; i++)
        tell(request, action, ids->items[first + i],
             i < reply.results.length ? (enum store_alter_result)reply.results.bytes[i]
                                      : STORE_ALTER_FAILED,
             reply.reason.bytes ? reply.reason : span_empty());
    arena_destroy(&arena);
    buffer_release(&text);
    return count;
}

/* All ids first: what is released while the queue is read would be met again. */
static void alter_all(struct request *request, const struct action *action)
{
    struct ids ids = {.items = NULL};
    if (request->channel)
        list_through_qmgr(request, action, &ids);
    else
        list_directly(request, action, &ids);
    for (size_t i = 0; i < ids.count;)
        if (request->channel)
            i += alter_batch(request, action, &ids, i);
        else
            alter(request, action, ids.items[i++]);
    free(ids.items);
}

static void alter_input(struct request *request, const struct action *action)
{
    char *line = NULL;
    size_t capacity = 0;
    for (ssize_t length; (length = getline(&line, &capacity, stdin)) >= 0;) {
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == ' '))
            line[--length] = '\0';
        if (length > 0)
            alter(request, action, line);
    }
    free(line);
}

/* ---- care of the directories ---- */

/* What never was a message: with a qmgr that is its own, and it removes it when it starts. */
static void purge(struct request *request)
{
    const int tmp = openat(request->store.queue, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = tmp < 0 ? NULL : fdopendir(tmp);
    if (!directory) {
        file_close(tmp);
        warn(request, "tmp", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (queue_id_is_valid(span_from_string(entry->d_name)) &&
            unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            warn(request, entry->d_name, strerror(errno));
    (void)closedir(directory);
}

static void look_at_file(struct request *request, const struct store_place *place)
{
    struct store_message message;
    struct arena arena;
    arena_init(&arena, FILE_ARENA_BYTES, 0);
    /* A file without preamble never was acknowledged, and is qmgr's to remove. */
    const enum store_load_result result =
        store_load(&request->store, place, true, false, &arena, &message);
    if (result == STORE_CORRUPT && message.verdict != QUEUE_FILE_ABSENT) {
        if (message.verdict == QUEUE_FILE_UNKNOWN_VERSION)
            say(request, LOG_LEVEL_INFO, place->queue_id, "written by another release");
        else if (store_set_aside(&request->store, place, "corrupt") == 0)
            warn(request, place->queue_id, "the file is damaged; moved to corrupt");
        else
            warn(request, place->queue_id, strerror(errno));
    } else if (result == STORE_FAILED) {
        warn(request, place->queue_id, strerror(message.error));
    }
    arena_destroy(&arena);
}

static void look_at_directory(struct request *request, int parent, const char *name,
                              uint32_t bucket, bool is_held)
{
    const int descriptor = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!directory) {
        file_close(descriptor);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        struct store_place place = {.bucket = bucket, .is_held = is_held};
        const struct span id = span_from_string(entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        if (!queue_id_is_valid(id)) {
            warn(request, entry->d_name, "not a file of the queue");
            continue;
        }
        memcpy(place.queue_id, id.bytes, id.length);
        look_at_file(request, &place);
    }
    (void)closedir(directory);
}

/* Every file is what it should be, and lies where it should. */
static void repair(struct request *request)
{
    const int deferred =
        openat(request->store.queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = deferred < 0 ? NULL : fdopendir(deferred);
    uint32_t bucket;
    look_at_directory(request, request->store.queue, "new", 0, false);
    look_at_directory(request, request->store.queue, "hold", 0, true);
    if (!directory) {
        file_close(deferred);
        return;
    }
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (queue_bucket_parse(span_from_string(entry->d_name), &bucket) && bucket) {
            look_at_directory(request, dirfd(directory), entry->d_name, bucket, false);
            (void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR); /* where empty */
        }
    (void)closedir(directory);
}

static void run(struct request *request)
{
    if (!request->channel && request->purges)
        purge(request);
    if (!request->channel && request->repairs)
        repair(request);
    for (size_t i = 0; i < request->order_count; i++) {
        const struct order *order = &request->orders[i];
        if (strcmp(order->argument, "-") == 0)
            alter_input(request, order->action);
        else if (strcmp(order->argument, "ALL") == 0)
            alter_all(request, order->action);
        else
            alter(request, order->action, order->argument);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++) {
        char text[LINE_MAX_BYTES];
        bool is_wished = false;
        for (size_t j = 0; j < request->order_count; j++)
            is_wished |= total_of(request->orders[j].action) == i;
        if (!is_wished)
            continue;
        (void)snprintf(text, sizeof(text), "%llu message%s", request->totals[i],
                       request->totals[i] == 1 ? "" : "s");
        say(request, LOG_LEVEL_INFO, actions[i].total, text);
    }
}

/* ---- the two ways ---- */

static void talk(void *argument)
{
    struct request *request = argument;
    run(request);
    loop_stop(request->loop);
}

static bool run_through_qmgr(struct request *request, int descriptor)
{
    static const struct ipc_channel_handlers handlers = {NULL, NULL, NULL};
    request->loop = loop_create();
    if (request->loop)
        request->channel =
            ipc_channel_create(request->loop, descriptor, IPC_ROLE_QMGR, &handlers, request);
    if (!request->channel || !task_start(request->loop, "talk", talk, request))
        return false;
    loop_run(request->loop);
    ipc_channel_destroy(&request->channel);
    loop_destroy(&request->loop);
    return true;
}

/* What is made here must be qmgr's: its owner's rights are all that is needed from here on. */
static bool become_owner(int directory)
{
    struct stat facts;
    if (geteuid() != 0)
        return true;
    return fstat(directory, &facts) == 0 && setgroups(0, NULL) == 0 &&
           setresgid(facts.st_gid, facts.st_gid, facts.st_gid) == 0 &&
           setresuid(facts.st_uid, facts.st_uid, facts.st_uid) == 0;
}

static bool run_directly(struct request *request)
{
    request->store =
        (struct store){.queue = tool_open_queue(&request->settings), .is_unverified = true};
    const int lock = request->store.queue < 0
                         ? -1
                         : openat(request->store.queue, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) != 0)
        return false;
    request->store.new = openat(request->store.queue, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    request->store.deferred =
        openat(request->store.queue, "deferred", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (request->store.new < 0 || request->store.deferred < 0 || !become_owner(request->store.new))
        return false;
    run(request);
    return true;
}

/* ---- the command line ---- */

static struct tool_voice voice = {.shown = "postsuper", .logged = "postsuper"};

static void fail(const char *reason)
{
    tool_say(&voice, LOG_LEVEL_FATAL, "%s", reason);
}

static int usage(void)
{
    fail("usage: postsuper [-psSv] [-c directory] [-d id|-|ALL] [-e id|-|ALL] [-f id|-|ALL] "
         "[-h id|-|ALL] [-H id|-|ALL] [-r id|-|ALL] [queue...]");
    return EXIT_FAILURE;
}

static const struct action *find_action(int option)
{
    for (size_t i = 0; i < ARRAY_LENGTH(actions); i++)
        if (actions[i].option == option)
            return &actions[i];
    return NULL;
}

/* The superuser, or who owns the queue of an instance that runs without one. */
static bool is_permitted(const struct request *request)
{
    const int queue = tool_open_queue(&request->settings);
    const bool is_owner = queue >= 0 && faccessat(queue, "new", W_OK, AT_EACCESS) == 0;
    file_close(queue);
    return geteuid() == 0 || is_owner;
}

/* NULL, or the name of what is none. */
static const char *find_unknown_queue(char **names)
{
    static const char *const known[] = {"hold", "incoming", "active", "deferred"};
    for (; *names; names++) {
        bool is_known = false;
        for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
            is_known |= strcmp(*names, known[i]) == 0;
        if (!is_known)
            return *names;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct request request;
    static struct conf_logd log_settings;
    char *tag = NULL;
    const char *directory = NULL;
    request.orders = calloc((size_t)argc + 1, sizeof(*request.orders));
    if (!request.orders)
        return EXIT_FAILURE;
    voice.shown = tool_name(argv, "postsuper");
    for (int option; (option = getopt(argc, argv, "c:d:e:f:h:H:pr:sSv")) != -1;) {
        const struct action *action = find_action(option);
        if (action)
            request.orders[request.order_count++] = (struct order){action, optarg};
        else if (option == 'c')
            directory = optarg;
        else if (option == 'p')
            request.purges = true;
        else if (option == 's' || option == 'S')
            request.repairs = true;
        else if (option != 'v')
            return usage();
    }
    request.queues = argv + optind;
    voice.directory = conf_directory(directory);
    const char *unknown = find_unknown_queue(request.queues);
    if (unknown) {
        tool_say(&voice, LOG_LEVEL_FATAL, "invalid directory name: %s", unknown);
        return EXIT_FAILURE;
    }
    if (request.order_count == 0 && !request.purges && !request.repairs)
        request.purges = request.repairs = true; /* as before each start of Postfix */
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("postsuper", directory, &conf_part_tools, &arena, &request.settings) ||
        !tool_load("postsuper", directory, &conf_part_logd, &arena, &log_settings))
        return EXIT_FAILURE;
    if (!is_permitted(&request)) {
        fail("use of this command is reserved for the superuser");
        return EXIT_FAILURE;
    }
    if (asprintf(&tag, "%.*s/postsuper", SPAN_PRINTF(request.settings.syslog_name)) < 0 ||
        !tool_log_open(&request.log, &log_settings, span_from_string(tag))) {
        fail("cannot open the log");
        return EXIT_FAILURE;
    }
    const int descriptor = tool_connect_qmgr(&request.settings);
    const bool is_run =
        descriptor >= 0 ? run_through_qmgr(&request, descriptor) : run_directly(&request);
    if (!is_run)
        fail("cannot work on the queue: nobody answers, and it is not free either");
    tool_log_close(&request.log);
    free(tag);
    free(request.orders);
    return is_run && !request.has_failed ? EXIT_SUCCESS : EXIT_FAILURE;
}
