/* fetchd/serve - see serve.h. */
#include "serve.h"

#include <stdlib.h>

#include "dns/hosts.h"
#include "maillog/event.h"
#include "system/clock.h"
#include "system/file.h"
#include "system/task.h"

enum {
    WAITING_MAX = 1000, /* of a kind */
    JOB_ARENA_BYTES = 1 << 20,
    ADDRESSES_MAX = 8, /* that are tried */
    ADDRESSES_TEXT_MAX_BYTES = 1024,
    /* What is longer travels ahead of the reply, in pieces of this size. */
    PIECE_BYTES = 49152
};

#define STS_HOST_PREFIX "mta-sts."
#define STS_PATH "/.well-known/mta-sts.txt"

struct client {
    struct fetch_server *server;
    struct ipc_channel *channel;
    struct list jobs;
};

struct job {
    struct list_link waiting_link;
    struct list_link client_link;
    struct fetch_server *server;
    struct client *client; /* NULL: it has gone */
    uint32_t request_id;
    int64_t deadline_ms;
    struct arena arena; /* wiped: a request may hold credentials */
    struct ipc_fetch message;
};

static void start_waiting(struct fetch_server *server, struct fetch_lane *lane);

static struct fetch_lane *lane_of(const struct job *job)
{
    return &job->server->lanes[job->message.kind];
}

/* ---- answers ---- */

static struct fetch_answer no_answer(enum fetch_result result, const char *reason)
{
    return (struct fetch_answer){.result = result,
                                 .content_type = span_empty(),
                                 .body = span_empty(),
                                 .reason = span_from_string(reason)};
}

static void reply(struct ipc_channel *channel, uint32_t request_id, uint32_t serial,
                  const struct fetch_answer *answer)
{
    struct span body = answer->body;
    for (; body.length > PIECE_BYTES; body = span_after(body, PIECE_BYTES)) {
        const struct ipc_fetch_part part = {.serial = serial,
                                            .bytes = span_first(body, PIECE_BYTES)};
        if (!ipc_channel_send(channel, IPC_FETCH_PART, &part)) {
            const struct fetch_answer full = no_answer(FETCH_UNAVAILABLE, "too much at once");
            reply(channel, request_id, serial, &full);
            return;
        }
    }
    const struct ipc_fetch_reply message = {
        .result = answer->result,
        .http_status = answer->http_status,
        .content_type = span_first(answer->content_type, 255),
        .body = body,
        .reason = span_first(answer->reason, 1024),
    };
    (void)ipc_channel_reply(channel, request_id, IPC_FETCH_REPLY, &message); /* or it is gone */
}

/* ---- one request ---- */

/* What is asked, as a request of the web. False with the answer filled. */
static bool fill_request(struct job *job, struct web_request *request, struct fetch_answer *answer)
{
    const struct ipc_fetch *message = &job->message;
    const struct fetch_server *server = job->server;
    const bool is_policy = message->kind == FETCH_STS_POLICY;
    *request = (struct web_request){
        .is_post = !is_policy,
        .content_type = message->content_type,
        .authorization = message->authorization,
        .body = message->body,
        .answer_max_bytes = message->kind == FETCH_TLS_REPORT ? 0 : FETCH_BODY_MAX_BYTES,
    };
    if (message->kind == FETCH_INTROSPECTION) {
        request->keeps_connection = true;
        request->uri = server->introspection;
        *answer = no_answer(FETCH_REFUSED, "auth_oauth2_introspection_url is not set");
        return server->has_introspection;
    }
    const struct span text =
        is_policy ? arena_format(&job->arena, "https://" STS_HOST_PREFIX "%.*s:%u" STS_PATH,
                                 SPAN_PRINTF(message->target),
                                 (unsigned)server->settings->fetch_https_port)
                  : message->target;
    *answer = no_answer(FETCH_REFUSED, "this is no address that may be asked");
    if (!text.bytes || uri_parse(text, true, &request->uri) != PARSE_OK)
        return false;
    /* One that does not name a port means the usual one, wherever that is. */
    if (request->uri.port == URI_HTTPS_PORT)
        request->uri.port = (uint16_t)server->settings->fetch_https_port;
    return request->uri.port == server->settings->fetch_https_port;
}

static void append_address(struct buffer *out, const struct ip_address *address)
{
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    const struct span shown = ip_address_format(address, text);
    if (out->length > 0)
        buffer_append_byte(out, ',');
    buffer_append_format(out, address->family == IP_FAMILY_6 ? "[%.*s]" : "%.*s",
                         SPAN_PRINTF(shown));
}

/* A stranger's record names the host of a policy or report, and must not make us ask one that only
 * we can reach. The operator's own server may be anywhere. */
static bool may_connect(const struct job *job, const struct ip_address *address)
{
    return job->message.kind == FETCH_INTROSPECTION || ip_address_is_global(address) ||
           ip_network_list_has(&job->server->private_networks, address);
}

static bool find_addresses(struct job *job, struct web_request *request,
                           struct fetch_answer *answer)
{
    struct fetch_server *server = job->server;
    struct dns_addresses found;
    struct buffer text;
    dns_lookup_addresses(&server->dns, &request->uri.host, 1, server->wanted_families,
                         job->deadline_ms, &job->arena, &found);
    if (found.status != DNS_FOUND) {
        *answer =
            no_answer(found.failure == DNS_FAILURE_HELPER ? FETCH_UNAVAILABLE : FETCH_UNREACHABLE,
                      found.reason ? found.reason : "no address");
        return false;
    }
    buffer_init(&text, &job->arena, ADDRESSES_TEXT_MAX_BYTES);
    size_t count = 0;
    for (size_t i = 0; i < found.count && count < ADDRESSES_MAX; i++) {
        if (!may_connect(job, &found.list[i]))
            continue;
        append_address(&text, &found.list[i]);
        count++;
    }
    if (count == 0) {
        /* Which they are is not said: the reason may travel on in a report to that stranger. */
        *answer = no_answer(FETCH_REFUSED, "all its addresses are private, and none is in "
                                           "fetch_private_networks");
        return false;
    }
    request->addresses = buffer_span(&text);
    *answer = no_answer(FETCH_UNAVAILABLE, "out of memory");
    return buffer_ok(&text);
}

static void log_answer(const struct job *job, const struct web_request *request,
                       const struct fetch_answer *answer)
{
    const struct log_context context = {.log = &job->server->service->log,
                                        .queue_id = span_empty()};
    if (answer->result == FETCH_ANSWERED)
        log_event(&context, LOG_LEVEL_INFO, "fetch.answered", log_text("host", request->uri.host),
                  log_number("status", answer->http_status),
                  log_number("bytes", (int64_t)answer->body.length));
    else
        log_event(&context, LOG_LEVEL_INFO, "fetch.failed", log_text("host", request->uri.host),
                  log_text("reason", answer->reason));
}

static void handle(struct job *job, struct fetch_answer *answer)
{
    struct web_request request;
    if (clock_monotonic_ms() >= job->deadline_ms) {
        *answer = no_answer(FETCH_UNAVAILABLE, "too many requests are before this one");
        return;
    }
    if (!fill_request(job, &request, answer))
        return;
    if (!job->server->has_authorities) {
        /* Our own trouble: it says nothing of the server. */
        *answer = no_answer(FETCH_UNAVAILABLE, "this system has no certification authorities");
    } else if (find_addresses(job, &request, answer)) {
        request.timeout_ms = job->deadline_ms - clock_monotonic_ms();
        if (request.timeout_ms > 0)
            web_perform(&job->server->web, &request, &job->arena, answer);
        else
            *answer = no_answer(FETCH_UNREACHABLE, "no time is left");
    }
    log_answer(job, &request, answer);
}

static void end_job(struct job *job)
{
    if (job->client)
        list_remove(&job->client->jobs, &job->client_link);
    arena_destroy(&job->arena);
    free(job);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    struct fetch_server *server = job->server;
    struct fetch_lane *lane = lane_of(job);
    struct fetch_answer answer;
    handle(job, &answer);
    if (job->client)
        reply(job->client->channel, job->request_id, job->message.serial, &answer);
    end_job(job);
    lane->running_count--;
    start_waiting(server, lane);
}

static void start_waiting(struct fetch_server *server, struct fetch_lane *lane)
{
    while (lane->running_count < server->settings->fetch_concurrency_limit) {
        struct job *job = LIST_ITEM(list_pop(&lane->waiting), struct job, waiting_link);
        if (!job)
            return;
        if (task_start(server->service->loop, "fetch", run_job, job)) {
            lane->running_count++;
            continue;
        }
        const struct fetch_answer answer = no_answer(FETCH_UNAVAILABLE, "out of memory");
        if (job->client)
            reply(job->client->channel, job->request_id, job->message.serial, &answer);
        end_job(job);
    }
}

/* ---- channels ---- */

/* What each role has reason to ask. */
static bool may_ask(enum ipc_role role, uint32_t kind)
{
    static const enum ipc_role roles[FETCH_KIND_COUNT] = {
        [FETCH_STS_POLICY] = IPC_ROLE_STSD,
        [FETCH_TLS_REPORT] = IPC_ROLE_REPORTD,
        [FETCH_INTROSPECTION] = IPC_ROLE_AUTHD,
    };
    return kind < FETCH_KIND_COUNT && roles[kind] == role;
}

static struct job *new_job(struct client *client, const struct ipc_delivery *delivery)
{
    const struct fetch_server *server = client->server;
    const struct ipc_fetch *message = delivery->message;
    struct job *job =
        server->lanes[message->kind].waiting.count < WAITING_MAX ? calloc(1, sizeof(*job)) : NULL;
    if (!job)
        return NULL;
    job->server = client->server;
    job->client = client;
    job->request_id = delivery->id;
    job->message = *message;
    job->deadline_ms =
        clock_deadline_after((int64_t)message->timeout_ms < server->settings->fetch_timeout_ms
                                 ? (int64_t)message->timeout_ms
                                 : server->settings->fetch_timeout_ms);
    arena_init(&job->arena, JOB_ARENA_BYTES, ARENA_WIPE);
    if (ipc_copy_spans(IPC_FETCH, &job->message, &job->arena))
        return job;
    arena_destroy(&job->arena);
    free(job);
    return NULL;
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct client *client = context;
    const struct ipc_fetch *message = delivery->message;
    if (delivery->type != IPC_FETCH || delivery->id == 0)
        return;
    if (!may_ask(ipc_channel_peer(channel), message->kind)) {
        const struct fetch_answer answer = no_answer(FETCH_REFUSED, "not for this process to ask");
        reply(channel, delivery->id, message->serial, &answer);
        return;
    }
    struct job *job = new_job(client, delivery);
    if (!job) {
        const struct fetch_answer answer = no_answer(FETCH_UNAVAILABLE, "too many requests");
        reply(channel, delivery->id, message->serial, &answer);
        return;
    }
    list_append(&client->jobs, &job->client_link);
    list_append(&lane_of(job)->waiting, &job->waiting_link);
    start_waiting(client->server, lane_of(job));
}

/* What has begun goes on: a report that is on its way is taken or not. */
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
        list_remove(&lane_of(job)->waiting, &job->waiting_link);
        end_job(job);
    }
    ipc_channel_destroy(&client->channel);
    free(client);
}

static const struct ipc_permission permissions[] = {
    {IPC_FETCH,
     IPC_ROLE_BIT(IPC_ROLE_STSD) | IPC_ROLE_BIT(IPC_ROLE_REPORTD) | IPC_ROLE_BIT(IPC_ROLE_AUTHD)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void fetch_server_begin(struct fetch_server *server, struct service *service)
{
    server->service = service;
    for (size_t i = 0; i < FETCH_KIND_COUNT; i++)
        list_init(&server->lanes[i].waiting);
}

void fetch_server_add_client(struct fetch_server *server, enum ipc_role role, int descriptor)
{
    struct client *client = calloc(1, sizeof(*client));
    if (!client) {
        file_close(descriptor);
        return;
    }
    client->server = server;
    list_init(&client->jobs);
    client->channel =
        ipc_channel_create(server->service->loop, descriptor, role, &handlers, client);
    if (!client->channel)
        free(client);
}

void fetch_server_set_dnsd(struct fetch_server *server, int descriptor)
{
    dns_client_attach(&server->dns, server->service->loop, descriptor);
}
