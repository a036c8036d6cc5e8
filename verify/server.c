/* verify/server - see server.h. */
#include "server.h"

#include <stdlib.h>

#include "ipc/asker.h"
#include "ipc/helper.h"
#include "maillog/event.h"
#include "system/clock.h"
#include "system/random.h"

enum {
    PROBE_TIMEOUT_MS = 1000 * 1000,
    SENDER_MAX_BYTES = 512,
    SENDER_BASE = 31 /* digits and consonants, as Postfix writes a changing sender */
};

struct probe {
    struct server *server;
    struct cache_entry *entry; /* is_probing keeps it */
};

static int64_t now_s(void)
{
    return (int64_t)(clock_realtime_us() / 1000000U);
}

/* ---- answers ---- */

static void answer(const struct ipc_asker *asker, uint32_t request_id, bool is_known,
                   const struct outcome *outcome)
{
    const struct ipc_address_verify_reply reply = {.is_known = is_known, .outcome = *outcome};
    (void)ipc_channel_reply(asker->channel, request_id, IPC_ADDRESS_VERIFY_REPLY, &reply);
}

static void answer_in_progress(const struct ipc_asker *asker, uint32_t request_id)
{
    const struct outcome outcome = outcome_temporary(450, 1, 1, "Address verification in progress");
    answer(asker, request_id, false, &outcome);
}

static void on_waited(struct ipc_waiter *waiter)
{
    answer_in_progress(waiter->asker, waiter->request_id);
}

static void answer_waiters(struct cache_entry *entry, const struct outcome *outcome)
{
    struct ipc_waiter *waiter;
    while ((waiter = ipc_waiter_first(&entry->waiters)) != NULL) {
        answer(waiter->asker, waiter->request_id, true, outcome);
        ipc_waiter_end(waiter);
    }
}

/* ---- probes ---- */

/* What changes with address_verify_sender_ttl, so that nobody can use it for long. */
static void append_serial(struct buffer *sender, uint64_t number)
{
    static const char digits[] = "0123456789bcdfghjklmnpqrstvwxyz";
    char text[16];
    size_t length = 0;
    do {
        text[length++] = digits[number % SENDER_BASE];
        number /= SENDER_BASE;
    } while (number > 0 && length < sizeof(text));
    while (length > 0)
        buffer_append_byte(sender, (uint8_t)text[--length]);
}

/* Empty: the null reverse-path. */
static void append_sender(const struct conf_verify *conf, struct buffer *sender)
{
    const struct span setting = conf->address_verify_sender;
    const size_t at = span_find_last_byte(setting, '@');
    if (span_is_empty(setting) || span_equals(setting, SPAN("<>")))
        return;
    buffer_append_span(sender, span_first(setting, at));
    if (conf->address_verify_sender_ttl_ms > 0)
        append_serial(sender,
                      (uint64_t)now_s() / (uint64_t)(conf->address_verify_sender_ttl_ms / 1000));
    buffer_append_byte(sender, '@');
    buffer_append_span(sender, at < setting.length ? span_after(setting, at + 1) : conf->myorigin);
}

static void save(struct server *server, const struct cache_entry *entry)
{
    const struct log_context context = {.log = &server->service->log, .queue_id = span_empty()};
    const int error = server->has_store ? store_append(&server->store, &server->cache, entry) : 0;
    if (error != 0)
        log_event(&context, LOG_LEVEL_WARNING, "verify.not_saved",
                  log_string("reason", strerrordesc_np(error)),
                  log_string("effect", "after a restart addresses are verified again"));
}

static void on_probed(enum ipc_call_result result, void *reply, void *context)
{
    struct probe *probe = context;
    struct server *server = probe->server;
    struct cache_entry *entry = probe->entry;
    const struct ipc_address_probe_reply *found = reply;
    free(probe);
    server->probe_count--;
    entry->is_probing = false;
    if (result != IPC_CALL_OK || found->is_unasked) {
        /* qmgr has gone, or has no room: that is not the address's fault, and not remembered. */
        const struct outcome outcome =
            result == IPC_CALL_OK
                ? found->outcome
                : outcome_temporary(450, 3, 0, "address verification was interrupted");
        entry->probed_s = 0;
        answer_waiters(entry, &outcome);
        return;
    }
    if (cache_update(&server->cache, entry, &found->outcome, now_s()))
        save(server, entry);
    answer_waiters(entry, cache_is_known(&server->cache, entry, now_s()) ? &entry->outcome
                                                                         : &found->outcome);
}

static void start_probe(struct server *server, struct cache_entry *entry)
{
    struct probe *probe = NULL;
    struct buffer sender;
    if (!server->qmgr ||
        server->probe_count >= server->conf->address_verify_pending_request_limit ||
        !(probe = malloc(sizeof(*probe))))
        return;
    *probe = (struct probe){server, entry};
    buffer_init(&sender, NULL, SENDER_MAX_BYTES);
    append_sender(server->conf, &sender);
    const struct ipc_address_probe question = {.address = entry->node.key,
                                               .sender = buffer_span(&sender)};
    if (buffer_ok(&sender) &&
        ipc_channel_call_async(server->qmgr, IPC_ADDRESS_PROBE, &question, IPC_ADDRESS_PROBE_REPLY,
                               clock_deadline_after(PROBE_TIMEOUT_MS), on_probed, probe)) {
        entry->is_probing = true;
        entry->probed_s = now_s();
        server->probe_count++;
    } else {
        free(probe);
    }
    buffer_release(&sender);
}

/* ---- questions ---- */

static void on_question(struct ipc_asker *asker, const struct ipc_delivery *delivery)
{
    const struct ipc_address_verify *question = delivery->message;
    struct server *server = asker->server;
    struct cache_entry *entry = cache_get(&server->cache, question->address);
    if (!entry) {
        answer_in_progress(asker, delivery->id);
        return;
    }
    const int64_t time_s = now_s();
    if (cache_needs_probe(&server->cache, entry, time_s))
        start_probe(server, entry);
    if (cache_is_known(&server->cache, entry, time_s))
        answer(asker, delivery->id, true, &entry->outcome);
    else if (!entry->is_probing || question->wait_ms == 0 ||
             !ipc_asker_wait(asker, delivery->id, &entry->waiters, entry,
                             clock_deadline_after(question->wait_ms)))
        answer_in_progress(asker, delivery->id);
}

void server_add_client(struct server *server, enum ipc_role role, int descriptor)
{
    static const struct ipc_permission permissions[] = {
        {IPC_ADDRESS_VERIFY, IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD)},
        {0, 0},
    };
    static const struct ipc_asker_rules rules = {permissions, on_question, on_waited};
    ipc_asker_create(server->service->loop, descriptor, role, &rules, server);
}

void server_set_qmgr(struct server *server, int descriptor)
{
    ipc_helper_attach(&server->qmgr, server->service->loop, descriptor, IPC_ROLE_QMGR);
}

/* ---- life ---- */

static void on_cleanup(void *context)
{
    struct server *server = context;
    cache_expire(&server->cache, now_s());
    loop_timer_set(&server->cleanup_timer,
                   clock_deadline_after(server->conf->address_verify_cache_cleanup_interval_ms));
}

void server_init(struct server *server, struct service *service)
{
    const struct conf_verify *conf = service->settings;
    const struct cache_times times = {
        .positive_expire_s = conf->address_verify_positive_expire_time_ms / 1000,
        .positive_refresh_s = conf->address_verify_positive_refresh_time_ms / 1000,
        .negative_expire_s = conf->address_verify_negative_expire_time_ms / 1000,
        .negative_refresh_s = conf->address_verify_negative_refresh_time_ms / 1000,
        .has_negative_cache = conf->address_verify_negative_cache,
    };
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    server->service = service;
    server->conf = conf;
    cache_init(&server->cache, &times, seed);
    if (server->has_store)
        store_load(&server->store, &server->cache);
    loop_timer_init(&server->cleanup_timer, service->loop, on_cleanup, server);
    if (conf->address_verify_cache_cleanup_interval_ms > 0)
        on_cleanup(server);
}
