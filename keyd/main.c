/* keyd - holds the private keys of all services and signs handshakes with them; it does nothing
 * else, and opens nothing after it has read them. Manual: man/keyd.8. */
#include "conf/keyd.h"
#include "serve.h"

struct keyd {
    struct vault vault;
    struct key_server server;
    struct loop_timer reminder;
};

enum { REMINDER_MS = 24 * 3600 * 1000 };

/* Still as root where master is: the keys' files are root's. */
static bool prepare(struct service *service)
{
    struct keyd *keyd = arena_alloc(&service->arena, sizeof(*keyd));
    service->state = keyd;
    if (keyd && sandbox_warm_up_crypto() &&
        vault_load(&keyd->vault, service->settings, &service->log))
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

static bool begin(struct service *service)
{
    const struct conf_keyd *conf = service->settings;
    struct keyd *keyd = service->state;
    key_server_init(&keyd->server, service->loop, &service->log, &keyd->vault,
                    conf->smtpd_tls_session_cache_timeout_ms);
    loop_timer_init(&keyd->reminder, service->loop, remind, keyd);
    remind(keyd);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct keyd *keyd = service->state;
    key_server_add_peer(&keyd->server, peer, descriptor);
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
    };
    return service_main(&definition);
}
