/* limitd - counts for everybody who serves clients: connections, rates, what is remembered of them.
 * It opens nothing but its two state files, and those before it serves. Manual: man/limitd.8. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "conf/limitd.h"
#include "maillog/event.h"
#include "serve.h"
#include "store.h"
#include "system/file.h"

enum { EXPIRE_MS = 60000 };

struct limitd {
    struct service *service;
    const struct conf_limitd *conf;
    struct limit_server server;
    struct store store;
    struct loop_timer report_timer;
    struct loop_timer save_timer;
    struct loop_timer expire_timer;
    bool has_complained; /* of the disk */
};

static bool prepare(struct service *service)
{
    const struct conf_limitd *conf = service->settings;
    struct limitd *limitd = arena_alloc(&service->arena, sizeof(*limitd));
    const struct span path =
        arena_format(&service->arena, "%.*s/limitd", SPAN_PRINTF(conf->data_directory));
    const char *name = path.bytes ? arena_string(&service->arena, path) : NULL;
    ASSERT(limitd && name);
    service->state = limitd;
    const int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) {
        service_say(service, "cannot open the directory %s: %s", name, strerror(errno));
        return false;
    }
    const int result = store_open(&limitd->store, directory);
    const int error = errno;
    file_close(directory);
    if (result == 0)
        return true;
    service_say(service, "cannot open counters.0 and counters.1 in %s: %s", name, strerror(error));
    return false;
}

static void on_report(void *context)
{
    struct limitd *limitd = context;
    limit_server_report(&limitd->server);
    loop_timer_set(&limitd->report_timer,
                   clock_deadline_after(limitd->conf->anvil_status_update_time_ms));
}

static void on_expire(void *context)
{
    struct limitd *limitd = context;
    counters_expire(&limitd->server.counters, clock_monotonic_ms());
    loop_timer_set(&limitd->expire_timer, clock_deadline_after(EXPIRE_MS));
}

static void on_save(void *context)
{
    struct limitd *limitd = context;
    if (limitd->server.has_news) {
        limitd->server.has_news = false;
        store_save(&limitd->store, &limitd->server.counters);
    }
    loop_timer_set(&limitd->save_timer, clock_deadline_after(limitd->conf->limit_save_time_ms));
}

static void complain(struct limitd *limitd, const char *reason)
{
    const struct log_context context = {.log = &limitd->service->log, .queue_id = span_empty()};
    log_event(&context, LOG_LEVEL_WARNING, "limitd.not_saved", log_string("reason", reason),
              log_string("effect", "after a crash of limitd counts begin anew"));
}

static void on_written(struct store *store)
{
    struct limitd *limitd = store->context;
    if (store->error == 0) {
        limitd->has_complained = false;
        return;
    }
    limitd->server.has_news = true; /* tried again at the next turn */
    if (!limitd->has_complained)    /* once is enough for a full disk */
        complain(limitd, strerror(store->error));
    limitd->has_complained = true;
}

static bool begin(struct service *service)
{
    struct limitd *limitd = service->state;
    limitd->service = service;
    limitd->conf = service->settings;
    limit_server_init(&limitd->server, service->loop, &service->log,
                      limitd->conf->anvil_rate_time_unit_ms,
                      (size_t)limitd->conf->limit_cache_size);
    limitd->store.on_written = on_written;
    limitd->store.context = limitd;
    limitd->store.pool = pool_create(service->loop, 1);
    if (!limitd->store.pool) {
        service_say(service, "cannot start: out of memory or threads");
        return false;
    }
    if (!store_load(&limitd->store, (size_t)limitd->conf->limit_cache_size, clock_realtime_us(),
                    clock_monotonic_ms(), &limitd->server.counters)) {
        const struct log_context context = {.log = &service->log, .queue_id = span_empty()};
        log_event(&context, LOG_LEVEL_WARNING, "limitd.state_damaged",
                  log_string("effect", "counts begin anew"));
    }
    loop_timer_init(&limitd->report_timer, service->loop, on_report, limitd);
    loop_timer_init(&limitd->save_timer, service->loop, on_save, limitd);
    loop_timer_init(&limitd->expire_timer, service->loop, on_expire, limitd);
    loop_timer_set(&limitd->report_timer,
                   clock_deadline_after(limitd->conf->anvil_status_update_time_ms));
    loop_timer_set(&limitd->save_timer, clock_deadline_after(limitd->conf->limit_save_time_ms));
    loop_timer_set(&limitd->expire_timer, clock_deadline_after(EXPIRE_MS));
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct limitd *limitd = service->state;
    limit_server_add_peer(&limitd->server, peer, descriptor);
}

/* A successor goes on counting where this one stops. */
static void drain(struct service *service)
{
    struct limitd *limitd = service->state;
    limit_server_report(&limitd->server);
    store_save_all(&limitd->store, &limitd->server.counters);
    if (limitd->store.error)
        complain(limitd, strerror(limitd->store.error));
    service_leave(service, 0);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "limitd",
        .part = &conf_part_limitd,
        .promises = SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC | SANDBOX_THREADS,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
