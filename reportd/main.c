/* reportd - counts what TLS sessions with other servers come to, and tells their domains once a day
 * (TLSRPT, RFC 8460). Opens nothing but its two files, before it serves. Manual: man/reportd.8. */
#include <errno.h>
#include <fcntl.h>

#include "address/mailbox.h"
#include "server.h"
#include "system/file.h"

static bool is_address(struct service *service, const char *name, struct span text)
{
    struct mailbox mailbox;
    const bool is_good = mailbox_parse(text, 0, &service->arena, &mailbox) == PARSE_OK &&
                         !mailbox.is_address_literal;
    if (!is_good)
        service_say(service, "%s: \"%.*s\" is no user@domain", name, SPAN_PRINTF(text));
    return is_good;
}

static bool open_journal(struct service *service, struct server *server)
{
    const struct conf_reportd *conf = service->settings;
    const struct span path =
        arena_format(&service->arena, "%.*s/reportd", SPAN_PRINTF(conf->data_directory));
    const char *name = path.bytes ? arena_string(&service->arena, path) : NULL;
    ASSERT(name);
    const int directory = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_open =
        directory >= 0 && journal_open(&server->journal, directory, "sessions") == 0;
    if (!is_open)
        service_say(service, "cannot open the journal in %s: %s", name, strerrordesc_np(errno));
    file_close(directory);
    return is_open;
}

static bool prepare(struct service *service)
{
    const struct conf_reportd *conf = service->settings;
    struct server *server = arena_alloc(&service->arena, sizeof(*server));
    ASSERT(server);
    service->state = server;
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto cannot do SHA-256");
        return false;
    }
    if (conf->smtp_tlsrpt_enable &&
        (!is_address(service, "tlsrpt_contact_info", conf->tlsrpt_contact_info) ||
         !is_address(service, "tlsrpt_sender", conf->tlsrpt_sender)))
        return false;
    return open_journal(service, server);
}

static bool begin(struct service *service)
{
    server_init(service->state, service);
    return true;
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    server_add_peer(service->state, peer, descriptor);
}

/* A report that is on its way may arrive twice; it has the same id then. */
static void drain(struct service *service)
{
    server_save(service->state);
    service_leave(service, 0);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "reportd",
        .part = &conf_part_reportd,
        .promises = SANDBOX_READ_FD | SANDBOX_WRITE_FD | SANDBOX_SYNC,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
