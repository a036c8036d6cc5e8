/* maillog/client - see client.h. */
#include "maillog/client.h"

#include <stdio.h>

enum { BATCH_BYTES = 8192, BATCH_MS = 50, BACKLOG_MAX_BYTES = 1 << 20 };

/* Whole records that fit one message, from the front. */
static struct span next_batch(struct span records)
{
    struct span rest = records;
    struct log_record record;
    size_t length = 0;
    if (records.length <= IPC_RECORDS_MAX)
        return records;
    while (log_record_next(&rest, &record) == PARSE_OK &&
           records.length - rest.length <= IPC_RECORDS_MAX)
        length = records.length - rest.length;
    return span_first(records, length);
}

/* A full channel may hold what was written in this turn of the loop alone: it goes out now. */
static bool send_lines(struct ipc_channel *channel, const struct ipc_log_lines *lines)
{
    if (ipc_channel_send(channel, IPC_LOG_LINES, lines))
        return true;
    ipc_channel_flush(channel);
    return ipc_channel_send(channel, IPC_LOG_LINES, lines);
}

static void send_batches(struct maillog_client *client)
{
    struct maillog *log = client->log;
    loop_timer_set(&client->timer, CLOCK_NEVER);
    client->is_behind = false;
    while (client->channel && log->batch.length > 0) {
        const struct ipc_log_lines lines = {
            .lines = next_batch(buffer_span(&log->batch)),
            .dropped_count =
                log->dropped_count > UINT32_MAX ? UINT32_MAX : (uint32_t)log->dropped_count,
        };
        if (lines.lines.length == 0 || !send_lines(client->channel, &lines)) {
            client->is_behind = true; /* the lines wait here up to their bound */
            break;
        }
        log->dropped_count = 0;
        buffer_consume(&log->batch, lines.lines.length);
    }
    if (log->batch.length == 0)
        buffer_release(&log->batch);
    else if (client->channel)
        loop_timer_set(&client->timer, clock_deadline_after(BATCH_MS));
}

static void on_batch_age(void *context)
{
    send_batches(context);
}

static void on_line(struct maillog *log)
{
    struct maillog_client *client = log->context;
    if (!client->channel)
        return;
    if (log->batch.length >= BATCH_BYTES && !client->is_behind)
        send_batches(
            client); /* each try makes a packet of lines, too dear to be made for each line */
    else if (client->timer.deadline_ms == CLOCK_NEVER)
        loop_timer_set(&client->timer, clock_deadline_after(BATCH_MS));
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct maillog_client *client = context;
    (void)channel;
    (void)reason; /* master brings another logd; lines wait until then */
    ipc_channel_destroy(&client->channel);
}

static const struct ipc_channel_handlers handlers = {NULL, on_closed, NULL};

void maillog_client_init(struct maillog_client *client, struct loop *loop, struct maillog *log,
                         struct span tag)
{
    *client = (struct maillog_client){.loop = loop, .log = log};
    maillog_client_set_tag(client, tag);
    maillog_init(log, BACKLOG_MAX_BYTES, on_line, client);
    loop_timer_init(&client->timer, loop, on_batch_age, client);
}

void maillog_client_set_tag(struct maillog_client *client, struct span tag)
{
    (void)snprintf(client->tag, sizeof(client->tag), "%.*s", SPAN_PRINTF(span_first(tag, 255)));
}

void maillog_client_attach(struct maillog_client *client, int descriptor)
{
    const struct ipc_log_open open = {.tag = span_from_string(client->tag)};
    ipc_channel_destroy(&client->channel);
    client->channel =
        ipc_channel_create(client->loop, descriptor, IPC_ROLE_LOGD, &handlers, client);
    if (!client->channel)
        return;
    (void)ipc_channel_send(client->channel, IPC_LOG_OPEN, &open);
    send_batches(client);
}

void maillog_client_flush(struct maillog_client *client)
{
    send_batches(client);
    if (client->channel)
        ipc_channel_flush(client->channel);
}

void maillog_client_detach(struct maillog_client *client)
{
    maillog_client_flush(client);
    ipc_channel_destroy(&client->channel);
}
