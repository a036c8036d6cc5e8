/* pickup - take in what users of this machine dropped: files of the maildrop directory in, messages
 * through intake out. Opens nothing but that directory. Manual: man/pickup.8. */
#include <time.h>

#include "spool.h"
#include "system/file.h"
#include "take.h"

static struct pickup pickup;

static bool prepare(struct service *service)
{
    pickup.service = service;
    pickup.settings = service->settings;
    pickup.is_trusting = !service->is_root;
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto cannot do SHA-256");
        return false;
    }
    return spool_open(&pickup, service);
}

static bool begin(struct service *service)
{
    const struct conf_pickup *settings = pickup.settings;
    pickup.rules = (struct intake_header_rules){
        .completion =
            {
                .myorigin = settings->myorigin,
                .mydomain = settings->mydomain,
                .append_at_myorigin = settings->append_at_myorigin,
                .append_dot_mydomain = settings->append_dot_mydomain,
                .allow_percent_hack = settings->allow_percent_hack,
            },
        .remote_domain = span_empty(),
        .dropped_fields = SPAN("bcc, content-length, resent-bcc, return-path"),
        .undisclosed_recipients_header = span_empty(),
        .server_name = settings->myhostname,
    };
    intake_init(&pickup.intake, service->loop, 0);
    pickup.intake.duplicate_limit = settings->duplicate_filter_limit;
    pickup.intake.keeps_no_originals = !settings->enable_original_recipient;
    service->state = &pickup;
    return spool_start(&pickup);
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    if (peer->role == IPC_ROLE_ADDRD) {
        addr_client_attach(&pickup.addr, service->loop, descriptor);
    } else if (peer->role == IPC_ROLE_QMGR) {
        intake_attach(&pickup.intake, descriptor);
        spool_queue_changed(&pickup);
    } else {
        file_close(descriptor);
    }
}

static void on_poison(struct service *service, const struct ipc_poison *poison)
{
    (void)service;
    take_note_poison(&pickup, poison->work);
}

static void drain(struct service *service)
{
    if (spool_is_idle(&pickup))
        service_leave(service, 0);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "pickup",
        .part = &conf_part_pickup,
        .promises = SANDBOX_OPEN_READ | SANDBOX_CHANGE_FILES | SANDBOX_READ_FD | SANDBOX_WRITE_FD,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .on_poison = on_poison,
        .drain = drain,
    };
    return service_main(&definition);
}
