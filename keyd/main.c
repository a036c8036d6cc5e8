/* keyd - holds the private keys of all services and signs handshakes with them; it does nothing
 * else, and opens nothing after it has read them. Manual: man/keyd.8. */
#include "conf/keyd.h"
#include "maillog/event.h"
#include "serve.h"
#include "succession.h"

struct keyd {
    struct service *service;
    struct vault vault;
    struct key_server server;
    struct succession succession;
    struct loop_timer reminder;
    struct file_watch watch;
    struct event watch_event;
    struct loop_timer renewal;
};

enum { REMINDER_MS = 24 * 3600 * 1000, ASK_AGAIN_MS = 60 * 1000 };

/* Still as root where master is: the keys' files are root's. */
static bool prepare(struct service *service)
{
    const struct conf_keyd *conf = service->settings;
    struct keyd *keyd = arena_alloc(&service->arena, sizeof(*keyd));
    service->state = keyd;
    if (keyd) {
        keyd->service = service;
        keyd->watch.descriptor = -1;
    }
    const bool is_watching =
        keyd && conf->tls_renewal_delay_ms > 0 && file_watch_open(&keyd->watch);
    if (keyd && sandbox_warm_up_crypto() &&
        vault_load(&keyd->vault, conf, &service->log, is_watching ? &keyd->watch : NULL))
        return true;
    service_say(service, "cannot start: libcrypto fails, or memory is out");
    return false;
}

static void remind(void *context)
{
    struct keyd *keyd = context;
    vault_remind(&keyd->vault, (time_t)(clock_realtime_us() / 1000000));
    loop_timer_set(&keyd->reminder, clock_deadline_after(REMINDER_MS));
}

/* ---- files that change ---- */

/* Nothing can be opened here any more: another takes this one's place, which reads them first. */
static void renew(void *context)
{
    struct keyd *keyd = context;
    const struct log_context log = {.log = &keyd->service->log, .queue_id = span_empty()};
    log_event(&log, LOG_LEVEL_INFO, "keyd.renewal",
              log_string("reason", "files of keys or certificates have changed"),
              log_string("next", "they are read"));
    service_ask_for_successor(keyd->service);
    loop_timer_set(&keyd->renewal, clock_deadline_after(ASK_AGAIN_MS));
}

static void on_news(evutil_socket_t descriptor UNUSED, short what UNUSED, void *context)
{
    struct keyd *keyd = context;
    const struct conf_keyd *conf = keyd->service->settings;
    if (file_watch_has_news(&keyd->watch)) /* more may follow */
        loop_timer_set(&keyd->renewal, clock_deadline_after(conf->tls_renewal_delay_ms));
}

static bool watch_files(struct keyd *keyd)
{
    loop_timer_init(&keyd->renewal, keyd->service->loop, renew, keyd);
    return keyd->watch.descriptor < 0 ||
           (event_assign(&keyd->watch_event, loop_event_base(keyd->service->loop),
                         keyd->watch.descriptor, EV_READ | EV_PERSIST, on_news, keyd) == 0 &&
            event_add(&keyd->watch_event, NULL) == 0);
}

/* ---- life ---- */

static bool begin(struct service *service)
{
    const struct conf_keyd *conf = service->settings;
    struct keyd *keyd = service->state;
    key_server_init(&keyd->server, service->loop, &service->log, &keyd->vault,
                    conf->smtpd_tls_session_cache_timeout_ms);
    succession_init(&keyd->succession, service->loop, &keyd->vault, &keyd->server);
    loop_timer_init(&keyd->reminder, service->loop, remind, keyd);
    remind(keyd);
    if (watch_files(keyd))
        return true;
    service_say(service, "cannot start: memory is out");
    return false;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct keyd *keyd = service->state;
    if (peer->role == IPC_ROLE_KEYD)
        succession_add_peer(&keyd->succession, peer, descriptor);
    else
        key_server_add_peer(&keyd->server, peer, descriptor);
}

static void leave(void *context)
{
    service_leave(context, 0);
}

static void drain(struct service *service)
{
    struct keyd *keyd = service->state;
    loop_timer_release(&keyd->renewal);
    succession_finish(&keyd->succession, leave, service);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "keyd",
        .part = &conf_part_keyd,
        .promises = SANDBOX_READ_FD, /* tables that stay open */
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
