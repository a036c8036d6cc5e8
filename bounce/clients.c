/* bounce/clients - see clients.h. */
#include "clients.h"

#include <stdlib.h>

#include "maillog/event.h"
#include "notice.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/task.h"

enum {
    REQUEST_ARENA_BYTES = 1 << 20,
    /* On a full disk every client would make one. */
    NOTICES_MAX = 30,
    NOTICE_WINDOW_MS = 60 * 1000
};

struct client {
    struct bounce_clients *clients;
    struct ipc_channel *channel;
    struct list jobs; /* requests that came over it */
};

struct job {
    struct list_link waiting_link;
    struct list_link client_link;
    struct bounce_clients *clients;
    struct client *client; /* NULL: it has gone, nobody waits for the answer */
    uint32_t id;
    struct arena arena;
    struct ipc_bounce message;
    bool is_notice; /* then this, and nobody is answered */
    struct ipc_session_notice notice;
};

static void start_waiting(struct bounce_clients *clients);

/* ---- one request ---- */

static void answer(struct job *job, struct outcome outcome, struct span report_id)
{
    const struct ipc_bounce_reply reply = {.outcome = outcome, .report_id = report_id};
    if (job->client)
        (void)ipc_channel_reply(job->client->channel, job->id, IPC_BOUNCE_REPLY, &reply);
}

static void end_job(struct job *job)
{
    if (job->client)
        list_remove(&job->client->jobs, &job->client_link);
    file_close(job->message.content);
    arena_destroy(&job->arena);
    free(job);
}

static struct outcome handle(struct job *job, struct span *report_id)
{
    struct bounce_request request;
    struct original original;
    const struct log_context context = {.log = &job->clients->service->log,
                                        .queue_id = job->message.queue_id};
    if (bounce_request_decode(&job->message, &job->arena, &request) == PARSE_OK &&
        original_init(&original, job->message.content, job->message.extents))
        return bounce_write(job->clients->writer, &request, &original, &job->arena, report_id);
    log_event(&context, LOG_LEVEL_ERROR, "bounce.malformed_request",
              log_string("next", "tried again later"));
    return outcome_temporary(451, 3, 0, "malformed request for a report");
}

static void run_job(void *argument)
{
    struct job *job = argument;
    struct bounce_clients *clients = job->clients;
    struct span report_id = span_empty();
    if (job->is_notice) {
        bounce_notice_write(clients->writer, job->notice.subject, job->notice.transcript,
                            &job->arena);
    } else {
        task_note(job->message.queue_id);
        const struct outcome outcome = handle(job, &report_id);
        answer(job, outcome, report_id);
    }
    end_job(job);
    clients->running_count--;
    start_waiting(clients);
    if (clients->service->is_draining && bounce_clients_are_idle(clients))
        service_leave(clients->service, 0);
}

static void start_waiting(struct bounce_clients *clients)
{
    while (clients->running_count < clients->running_limit) {
        struct job *job = LIST_ITEM(list_pop(&clients->waiting), struct job, waiting_link);
        if (!job)
            return;
        if (task_start(clients->service->loop, "report", run_job, job)) {
            clients->running_count++;
        } else {
            answer(job, outcome_temporary(451, 3, 0, "out of memory"), span_empty());
            end_job(job);
        }
    }
}

/* ---- channels ---- */

static struct job *new_job(struct client *client, const struct ipc_delivery *delivery)
{
    struct ipc_bounce *message = delivery->message;
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->clients = client->clients;
    job->client = client;
    job->id = delivery->id;
    job->message = *message;
    arena_init(&job->arena, REQUEST_ARENA_BYTES, 0);
    if (!ipc_copy_spans(IPC_BOUNCE, &job->message, &job->arena)) {
        arena_destroy(&job->arena);
        free(job);
        return NULL;
    }
    message->content = -1; /* ours now */
    return job;
}

/* So many in a minute: what clients do wrong never keeps reports from being written. */
static bool may_notify(struct bounce_clients *clients)
{
    const struct log_context context = {.log = &clients->service->log, .queue_id = span_empty()};
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms - clients->notice_window_ms >= NOTICE_WINDOW_MS) {
        if (clients->dropped_notice_count > 0)
            log_event(&context, LOG_LEVEL_WARNING, "bounce.notices_dropped",
                      log_number("count", clients->dropped_notice_count),
                      log_number("limit_per_minute", NOTICES_MAX));
        clients->notice_window_ms = now_ms;
        clients->notice_count = clients->dropped_notice_count = 0;
    }
    if (clients->notice_count++ < NOTICES_MAX)
        return true;
    clients->dropped_notice_count++;
    return false;
}

static void take_notice(struct bounce_clients *clients, const struct ipc_session_notice *notice)
{
    struct job *job = may_notify(clients) ? calloc(1, sizeof(*job)) : NULL;
    if (!job)
        return;
    job->clients = clients;
    job->is_notice = true;
    job->message.content = -1;
    job->notice = *notice;
    arena_init(&job->arena, REQUEST_ARENA_BYTES, 0);
    if (ipc_copy_spans(IPC_SESSION_NOTICE, &job->notice, &job->arena)) {
        list_append(&clients->waiting, &job->waiting_link);
        start_waiting(clients);
    } else {
        end_job(job);
    }
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct client *client = context;
    struct bounce_clients *clients = client->clients;
    if (delivery->type == IPC_SESSION_NOTICE) {
        take_notice(clients, delivery->message);
        return;
    }
    if (delivery->type != IPC_BOUNCE || delivery->id == 0)
        return;
    struct job *job = new_job(client, delivery);
    if (!job) {
        const struct ipc_bounce_reply reply = {.outcome =
                                                   outcome_temporary(451, 3, 0, "out of memory")};
        (void)ipc_channel_reply(channel, delivery->id, IPC_BOUNCE_REPLY, &reply);
        return;
    }
    list_append(&client->jobs, &job->client_link);
    list_append(&clients->waiting, &job->waiting_link);
    start_waiting(clients);
}

/* qmgr is gone. Requests that nobody has begun are dropped, its successor asks again; those that
 * run go on, and the commit tells qmgr which message they report on. */
static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct client *client = context;
    struct list_link *link;
    (void)channel;
    (void)reason;
    while ((link = list_pop(&client->jobs)) != NULL) {
        struct job *job = LIST_ITEM(link, struct job, client_link);
        job->client = NULL;
        if (!list_is_linked(&job->waiting_link))
            continue;
        list_remove(&client->clients->waiting, &job->waiting_link);
        end_job(job);
    }
    ipc_channel_destroy(&client->channel);
    free(client);
}

static const struct ipc_permission permissions[] = {
    {IPC_BOUNCE, IPC_ROLE_BIT(IPC_ROLE_QMGR)},
    {IPC_SESSION_NOTICE, IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD) |
                             IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void bounce_clients_init(struct bounce_clients *clients, struct service *service,
                         const struct bounce_writer *writer, size_t running_limit)
{
    *clients = (struct bounce_clients){
        .service = service, .writer = writer, .running_limit = running_limit};
    clients->notice_window_ms = clock_monotonic_ms();
    list_init(&clients->waiting);
}

void bounce_clients_add(struct bounce_clients *clients, const struct service_peer *peer,
                        int descriptor)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        file_close(descriptor);
        return;
    }
    client->clients = clients;
    list_init(&client->jobs);
    client->channel =
        ipc_channel_create(clients->service->loop, descriptor, peer->role, &handlers, client);
    if (!client->channel)
        free(client);
}

bool bounce_clients_are_idle(const struct bounce_clients *clients)
{
    return clients->running_count == 0 && list_is_empty(&clients->waiting);
}
