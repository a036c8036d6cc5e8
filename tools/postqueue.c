/* tools/postqueue - list and flush the queue. man/postqueue.1
 * Asks qmgr through public/qmgr. When the mail system is down, root reads the directory itself,
 * under the queue's lock. Exit codes are those of sysexits.h, as Postfix's. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "queue_maildrop.h"
#include "queue_text.h"
#include "queuefile/id.h"
#include "queuestore/walk.h"
#include "system/file.h"
#include "system/task.h"
#include "tool.h"
#include "tool_privilege.h"
#include "tool_say.h"

enum { CALL_TIMEOUT_MS = 100 * 1000, PAGE_ARENA_BYTES = 1 << 20 };

enum action {
    ACTION_NONE,
    ACTION_LIST,
    ACTION_LIST_JSON,
    ACTION_FLUSH,
    ACTION_FLUSH_SITE,
    ACTION_FLUSH_ID
};

struct request {
    struct tool_voice voice;
    enum action action;
    const char *argument;
    struct conf_tools settings;
    struct loop *loop;
    struct ipc_channel *channel;
    struct queue_text text;
    int status;
};

/* ---- through qmgr ---- */

static bool print_records(struct request *request, struct span records)
{
    unsigned type;
    while ((type = ipc_records_peek(records)) != 0) {
        if (type == IPC_QUEUE_ENTRY) {
            struct ipc_queue_entry entry;
            if (ipc_records_next(&records, IPC_QUEUE_ENTRY, &entry) != PARSE_OK)
                return false;
            queue_text_message(&request->text, &entry);
        } else {
            struct ipc_queue_entry_recipient recipient;
            if (ipc_records_next(&records, IPC_QUEUE_ENTRY_RECIPIENT, &recipient) != PARSE_OK)
                return false;
            queue_text_recipient(&request->text, &recipient);
        }
    }
    return records.length == 0;
}

static void fail(struct request *request, int status, const char *reason)
{
    tool_say(&request->voice, LOG_LEVEL_FATAL, "%s", reason);
    request->status = status;
}

static void fail_flush(struct request *request, struct span reason)
{
    tool_say(&request->voice, LOG_LEVEL_FATAL, "Cannot flush mail queue - %.*s",
             SPAN_PRINTF(reason));
    request->status = EX_UNAVAILABLE;
}

static void list_queue(struct request *request)
{
    struct arena arena;
    bool is_last = false;
    /* Before the queue: what is taken in meanwhile would be shown in neither. */
    const int queue = tool_open_queue(&request->settings);
    queue_maildrop_list(queue, &request->text);
    file_close(queue);
    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    for (bool is_first = true; !is_last; is_first = false) {
        const struct ipc_queue_list question = {.is_first = is_first};
        struct ipc_queue_list_reply reply;
        const enum ipc_call_result result =
            ipc_channel_call(request->channel, IPC_QUEUE_LIST, &question, IPC_QUEUE_LIST_REPLY,
                             &reply, &arena, clock_deadline_after(CALL_TIMEOUT_MS));
        if (result != IPC_CALL_OK || !print_records(request, reply.entries)) {
            fail(request, EX_UNAVAILABLE, "the queue manager does not answer");
            arena_destroy(&arena);
            return;
        }
        is_last = reply.is_last;
        arena_reset(&arena);
        if (fflush(stdout) != 0)
            break;
    }
    arena_destroy(&arena);
    queue_text_end(&request->text);
}

static void flush_queue(struct request *request)
{
    struct arena arena;
    struct ipc_queue_flush question = {.site = span_empty(), .queue_id = span_empty()};
    struct ipc_queue_flush_reply reply;
    if (request->action == ACTION_FLUSH_SITE)
        question.site = span_from_string(request->argument);
    if (request->action == ACTION_FLUSH_ID)
        question.queue_id = span_from_string(request->argument);
    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    if (ipc_channel_call(request->channel, IPC_QUEUE_FLUSH, &question, IPC_QUEUE_FLUSH_REPLY,
                         &reply, &arena, clock_deadline_after(CALL_TIMEOUT_MS)) != IPC_CALL_OK)
        fail(request, EX_UNAVAILABLE, "the queue manager does not answer");
    else if (!outcome_is_ok(&reply.outcome))
        fail_flush(request, reply.outcome.reason);
    arena_destroy(&arena);
}

static void talk(void *argument)
{
    struct request *request = argument;
    if (request->action == ACTION_LIST || request->action == ACTION_LIST_JSON)
        list_queue(request);
    else
        flush_queue(request);
    loop_stop(request->loop);
}

static int ask_qmgr(struct request *request, int descriptor)
{
    static const struct ipc_channel_handlers handlers = {NULL, NULL, NULL};
    request->loop = loop_create();
    if (request->loop)
        request->channel =
            ipc_channel_create(request->loop, descriptor, IPC_ROLE_QMGR, &handlers, request);
    if (!request->channel || !task_start(request->loop, "talk", talk, request)) {
        fail(request, EX_OSERR, "out of memory");
        return request->status;
    }
    loop_run(request->loop);
    ipc_channel_destroy(&request->channel);
    loop_destroy(&request->loop);
    return request->status;
}

/* ---- without qmgr ---- */

static void print_message(struct request *request, const struct walk_message *message)
{
    const struct queue_envelope *envelope = &message->message.decoded;
    struct span journal = message->message.journal;
    struct queue_record wish;
    bool is_forced_expire = false;
    while (queue_journal_next(&journal, &wish))
        is_forced_expire |= wish.kind == QUEUE_RECORD_EXPIRE;
    const struct ipc_queue_entry entry = {
        .queue_id = span_from_string(message->place.queue_id),
        .is_forced_expire = is_forced_expire,
        .queue = message->is_held        ? SPAN("hold")
                 : message->place.bucket ? SPAN("deferred")
                                         : SPAN("incoming"),
        .arrival_us = envelope->arrival_us,
        .size_bytes = envelope->facts.size_bytes,
        .sender = envelope->reverse_path,
    };
    queue_text_message(&request->text, &entry);
    for (size_t i = 0; i < envelope->recipient_count; i++) {
        const uint8_t status = message->message.statuses.bytes[i];
        struct ipc_queue_entry_recipient recipient = {
            .recipient = envelope->recipients[i].forward_path,
            .original = envelope->recipients[i].original_recipient,
            .reason = span_empty(),
        };
        struct span rest = message->message.journal;
        struct queue_record record;
        if (queue_status_is_done(queue_status_from_byte(status)))
            continue;
        while (queue_journal_next(&rest, &record))
            if (record.has_outcome && i >= record.first_recipient &&
                i - record.first_recipient < record.recipient_count)
                recipient.reason = record.outcome.reason;
        queue_text_recipient(&request->text, &recipient);
    }
}

static int open_below(int parent, const char *name)
{
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int read_directly(struct request *request)
{
    struct store store = {.queue = tool_open_queue(&request->settings), .is_unverified = true};
    const int lock = store.queue < 0 ? -1 : openat(store.queue, "lock", O_RDWR | O_CLOEXEC);
    struct walk *walk = walk_create(&store);
    if (lock < 0 || flock(lock, LOCK_SH | LOCK_NB) != 0 || !walk) {
        fail(request, EX_UNAVAILABLE, "Queue report unavailable - mail system is down");
        return request->status;
    }
    tool_say(&request->voice, LOG_LEVEL_WARNING, "Mail system is down -- accessing queue directly");
    queue_maildrop_list(store.queue, &request->text);
    store.new = open_below(store.queue, "new");
    store.deferred = open_below(store.queue, "deferred");
    while (!walk_is_at_end(walk)) {
        size_t count;
        walk_read_page(walk);
        const struct walk_message *page = walk_page(walk, &count);
        for (size_t i = 0; i < count; i++)
            print_message(request, &page[i]);
    }
    walk_destroy(&walk);
    queue_text_end(&request->text);
    return request->status;
}

/* ---- the command line ---- */

static int usage(const struct request *request)
{
    const char *name = request->voice.shown;
    tool_say(&request->voice, LOG_LEVEL_FATAL,
             "usage: %s -f | %s -i queueid | %s -j | %s -p | %s -s site", name, name, name, name,
             name);
    return EX_USAGE;
}

/* A text that is none would stand for the whole queue, or for nothing. */
static bool is_meaningful(const struct request *request)
{
    const struct span argument = span_from_string(request->argument);
    if (request->action == ACTION_FLUSH_ID && !queue_id_is_name(argument)) {
        tool_say(&request->voice, LOG_LEVEL_FATAL, "Cannot flush queue ID - invalid name: \"%s\"",
                 request->argument);
        return false;
    }
    bool is_site = argument.length > 0;
    for (size_t i = 0; i < argument.length; i++)
        is_site = is_site && argument.bytes[i] > ' ' && argument.bytes[i] != 0x7f &&
                  argument.bytes[i] != '@';
    if (request->action == ACTION_FLUSH_SITE && !is_site) {
        tool_say(&request->voice, LOG_LEVEL_FATAL,
                 "Cannot flush mail queue - invalid destination: \"%s\"", request->argument);
        return false;
    }
    return true;
}

static bool is_permitted(struct request *request, bool is_listing)
{
    const struct conf_tools *settings = &request->settings;
    const struct span user = tool_privilege_user();
    if (getuid() == 0 || tool_privilege_allows(user, is_listing ? settings->authorized_mailq_users
                                                                : settings->authorized_flush_users))
        return true;
    tool_say(&request->voice, LOG_LEVEL_FATAL, "User %.*s(%u) is not allowed to %s",
             SPAN_PRINTF(user), (unsigned)getuid(),
             is_listing ? "view the mail queue" : "flush the mail queue");
    request->status = EX_NOPERM;
    return false;
}

static int run(struct request *request)
{
    const bool is_listing = request->action == ACTION_LIST || request->action == ACTION_LIST_JSON;
    queue_text_begin(&request->text, stdout, request->action == ACTION_LIST_JSON);
    if (!is_permitted(request, is_listing))
        return request->status;
    if (!tool_privilege_resume()) {
        fail(request, EX_OSERR, "cannot take the command's group");
        return request->status;
    }
    const int descriptor = tool_connect_qmgr(&request->settings);
    if (descriptor < 0 && errno == EACCES) {
        fail(request, EX_NOPERM, "this command must be setgid to reach the queue manager");
        return request->status;
    }
    if (descriptor >= 0)
        return ask_qmgr(request, descriptor);
    if (is_listing && geteuid() == 0)
        return read_directly(request);
    fail(request, EX_UNAVAILABLE,
         is_listing ? "Queue report unavailable - mail system is down"
                    : "Cannot flush mail queue - mail system is down");
    return request->status;
}

static void choose(struct request *request, enum action action, const char *argument)
{
    request->action = request->action == ACTION_NONE ? action : ACTION_NONE;
    request->argument = argument;
}

int main(int argc, char **argv)
{
    static struct request request;
    static struct arena arena;
    const char *directory = NULL;
    if (!tool_privilege_begin())
        return EX_OSERR;
    request.voice =
        (struct tool_voice){.shown = tool_name(argv, "postqueue"), .logged = "postqueue"};
    for (int option; (option = getopt(argc, argv, "c:fi:jps:v")) != -1;) {
        switch (option) {
        case 'c':
            directory = optarg;
            break;
        case 'f':
            choose(&request, ACTION_FLUSH, NULL);
            break;
        case 'i':
            choose(&request, ACTION_FLUSH_ID, optarg);
            break;
        case 'j':
            choose(&request, ACTION_LIST_JSON, NULL);
            break;
        case 'p':
            choose(&request, ACTION_LIST, NULL);
            break;
        case 's':
            choose(&request, ACTION_FLUSH_SITE, optarg);
            break;
        case 'v':
            break;
        default:
            return usage(&request);
        }
    }
    if (request.action == ACTION_NONE || optind < argc)
        return usage(&request);
    directory = conf_directory(directory);
    if (!tool_privilege_settle(&directory))
        return EX_OSERR;
    request.voice.directory = directory; /* trusted, or there are no rights to abuse */
    if (!is_meaningful(&request))
        return EX_USAGE;
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load(request.voice.shown, directory, &conf_part_tools, &arena, &request.settings))
        return EX_UNAVAILABLE;
    const int status = run(&request);
    /* A listing that could not be written whole is no listing. */
    return fflush(stdout) != 0 || ferror(stdout) ? EX_IOERR : status;
}
