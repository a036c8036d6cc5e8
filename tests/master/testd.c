/* tests/master/testd - stands in for any daemon in the tests of master: it is what its file is
 * called, and says in the log what it is given. Misbehaviour is chosen by the service's name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/part.h"
#include "service/service.h"
#include "system/file.h"

enum { CHANNELS_MAX = 64 };

struct kept_channels {
    struct ipc_channel *channels[CHANNELS_MAX];
    size_t count;
};

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct service *service = context;
    struct kept_channels *kept = service->state;
    maillog_text(&service->log, LOG_LEVEL_INFO, span_empty(), "testd: channel to %s closed: %s",
                 ipc_role_name(ipc_channel_peer(channel)), reason);
    for (size_t i = 0; i < kept->count; i++)
        if (kept->channels[i] == channel)
            kept->channels[i] = NULL;
    ipc_channel_destroy(&channel);
}

/* As logd: every line goes to standard output, which posthouse start-fg leaves open. */
static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)context;
    if (delivery->type != IPC_LOG_LINES)
        return;
    struct span rest = ((const struct ipc_log_lines *)delivery->message)->lines;
    struct log_record record;
    while (log_record_next(&rest, &record) == PARSE_OK)
        (void)printf("%s: %.*s\n", ipc_role_name(ipc_channel_peer(channel)),
                     SPAN_PRINTF(record.text));
    (void)fflush(stdout);
}

static const struct ipc_permission permissions[] = {
    {IPC_LOG_OPEN, UINT32_MAX},
    {IPC_LOG_LINES, UINT32_MAX},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

static bool begin(struct service *service)
{
    if (strcmp(service->name, "fails") == 0) {
        service_say(service, "I was told to fail: call me by another name");
        return false;
    }
    ASSERT(strcmp(service->name, "aborts") != 0);
    service->state = arena_alloc(&service->arena, sizeof(struct kept_channels));
    return service->state != NULL;
}

static void on_listener(struct service *service, struct span endpoint, int descriptor)
{
    (void)descriptor; /* kept open until the end */
    maillog_text(&service->log, LOG_LEVEL_INFO, span_empty(), "testd: listens on %.*s",
                 SPAN_PRINTF(endpoint));
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct kept_channels *kept = service->state;
    maillog_text(&service->log, LOG_LEVEL_INFO, span_empty(), "testd: %s of %.*s number %u",
                 peer->is_server ? "server" : "client", SPAN_PRINTF(peer->service),
                 peer->process_number);
    size_t i = 0;
    while (i < kept->count && kept->channels[i])
        i++;
    if (i == CHANNELS_MAX) {
        file_close(descriptor);
        return;
    }
    if (i == kept->count)
        kept->count++;
    kept->channels[i] =
        ipc_channel_create(service->loop, descriptor, peer->role, &handlers, service);
}

/* One that is called patient has sessions to finish, one that is called stubborn does not leave. */
static void drain(struct service *service)
{
    maillog_text(&service->log, LOG_LEVEL_INFO, span_empty(), "testd: drains");
    if (strcmp(service->name, "stubborn") != 0 && strcmp(service->name, "patient") != 0)
        service_leave(service, EXIT_SUCCESS);
}

static void end_sessions(struct service *service)
{
    maillog_text(&service->log, LOG_LEVEL_INFO, span_empty(), "testd: ends sessions");
    if (strcmp(service->name, "stubborn") != 0)
        service_leave(service, EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    static struct service_definition definition = {
        .promises = SANDBOX_ACCEPT | SANDBOX_STREAMS,
        .begin = begin,
        .on_listener = on_listener,
        .on_peer = on_peer,
        .drain = drain,
        .end_sessions = end_sessions,
    };
    (void)argc;
    definition.program = slash ? slash + 1 : argv[0];
    definition.part = conf_part_find(span_from_string(definition.program));
    return definition.part ? service_main(&definition) : EXIT_FAILURE;
}
