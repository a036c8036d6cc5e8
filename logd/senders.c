/* logd/senders - see senders.h. */
#include "senders.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "maillog/event.h"
#include "system/clock.h"

struct sender {
    struct list_link link;
    struct log_senders *senders;
    struct ipc_channel *channel;
    enum ipc_role role;
    uint32_t process_id;
    char tag[256];
};

static void remove_sender(struct sender *sender)
{
    struct log_senders *senders = sender->senders;
    list_remove(&senders->list, &sender->link);
    ipc_channel_destroy(&sender->channel);
    free(sender);
    if (senders->service->is_draining && list_is_empty(&senders->list)) {
        log_order_flush(senders->order);
        log_destination_flush(senders->order->destination);
        service_leave(senders->service, 0);
    }
}

static struct log_source source_of(const struct sender *sender)
{
    return (struct log_source){span_from_string(sender->tag), sender->process_id};
}

/* What ends a tag for who reads the log would let one process write lines of another. */
static void keep_in_one_word(char *tag)
{
    for (; *tag; tag++)
        if (*tag == ' ' || *tag == ':' || *tag == '[' || *tag == ']')
            *tag = '_';
}

static void set_tag(struct sender *sender, struct span wanted)
{
    const struct span program = span_from_string(ipc_role_name(sender->role));
    struct span before = wanted;
    if (span_ends_with(wanted, program))
        before = span_first(wanted, wanted.length - program.length);
    while (span_ends_with(before, SPAN("/")))
        before = span_first(before, before.length - 1);
    const struct span name = span_is_empty(before) ? SPAN("posthouse") : before;
    (void)snprintf(sender->tag, sizeof(sender->tag), "%.*s/%.*s",
                   SPAN_PRINTF(span_first(name, sizeof(sender->tag) / 2)), SPAN_PRINTF(program));
    log_text_clean((uint8_t *)sender->tag, strlen(sender->tag));
    keep_in_one_word(sender->tag);
}

/* The records were cleaned by whoever wrote them; a text that is not clean was not written by
 * lib/maillog, and nothing more is taken from there. */
static bool put_lines(struct sender *sender, struct span lines)
{
    const struct log_source source = source_of(sender);
    struct log_record record;
    enum parse_result result;
    while ((result = log_record_next(&lines, &record)) == PARSE_OK)
        log_order_put(sender->senders->order, &source, &record);
    return result == PARSE_NEED_MORE && lines.length == 0;
}

static void report_dropped(struct sender *sender, uint32_t count)
{
    char text[64];
    const int length =
        snprintf(text, sizeof(text), "warning: log.dropped: lines=%u", (unsigned)count);
    const struct log_source source = source_of(sender);
    const struct log_record record = {LOG_LEVEL_WARNING, clock_realtime_us(),
                                      span_of(text, (size_t)length)};
    log_order_put(sender->senders->order, &source, &record);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    struct sender *sender = context;
    (void)channel;
    if (delivery->type == IPC_LOG_OPEN) {
        set_tag(sender, ((const struct ipc_log_open *)delivery->message)->tag);
        return;
    }
    const struct ipc_log_lines *lines = delivery->message;
    const bool is_good = put_lines(sender, lines->lines);
    if (lines->dropped_count)
        report_dropped(sender, lines->dropped_count);
    if (!is_good) {
        const struct log_context context_of_line = {.log = &sender->senders->service->log};
        log_event(&context_of_line, LOG_LEVEL_ERROR, "log.malformed",
                  log_string("sender", sender->tag), log_number("pid", sender->process_id),
                  log_string("next", "its channel is closed"));
        remove_sender(sender);
    }
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason; /* processes come and go; master logs those that die */
    remove_sender(context);
}

static const struct ipc_permission permissions[] = {
    {IPC_LOG_OPEN, UINT32_MAX},
    {IPC_LOG_LINES, UINT32_MAX},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void log_senders_init(struct log_senders *senders, struct service *service, struct log_order *order)
{
    *senders = (struct log_senders){.service = service, .order = order};
    list_init(&senders->list);
}

void log_senders_add(struct log_senders *senders, const struct service_peer *peer, int descriptor)
{
    struct sender *sender = calloc(1, sizeof(*sender));
    if (!sender) {
        (void)close(descriptor); /* the sender keeps its lines and gets another channel */
        return;
    }
    sender->senders = senders;
    sender->role = peer->role;
    sender->process_id = peer->process_id;
    set_tag(sender, span_empty());
    sender->channel =
        ipc_channel_create(senders->service->loop, descriptor, peer->role, &handlers, sender);
    if (sender->channel)
        list_append(&senders->list, &sender->link);
    else
        free(sender);
}
