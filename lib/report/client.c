/* report/client - see client.h. */
#include "report/client.h"

void report_client_init(struct report_client *client, struct loop *loop)
{
    *client = (struct report_client){.loop = loop};
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct report_client *client = context;
    (void)channel;
    (void)reason; /* master brings another */
    ipc_channel_destroy(&client->channel);
}

void report_client_attach(struct report_client *client, int descriptor)
{
    /* It says nothing. */
    static const struct ipc_permission permissions[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, permissions};
    ipc_channel_destroy(&client->channel);
    client->channel =
        ipc_channel_create(client->loop, descriptor, IPC_ROLE_REPORTD, &handlers, client);
}

void tls_report(struct report_client *client, const struct tls_report *report)
{
    enum { TEXT_MAX_BYTES = 255 };
    const struct ipc_tls_session message = {
        .domain = report->domain,
        .policy_type = report->policy_type,
        .policy_domain = report->policy_domain,
        .policy = report->policy,
        .result = report->result,
        .sending_ip = report->sending_ip,
        .receiving_host = report->receiving_host,
        .receiving_helo = span_first(report->receiving_helo, TEXT_MAX_BYTES),
        .receiving_ip = report->receiving_ip,
        .reason = span_first(report->reason, TEXT_MAX_BYTES),
    };
    if (client->channel)
        (void)ipc_channel_send(client->channel, IPC_TLS_SESSION, &message); /* nobody waits */
}
