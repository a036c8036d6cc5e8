/* tools/queue_text - see queue_text.h.
 * The shapes are those that monitoring scripts parse: header, marks, the reason in parentheses
 * aligned to column 78, the footer with kilobytes and requests. */
#include "queue_text.h"

#include <stdlib.h>
#include <time.h>

#include "base/ascii.h"
#include "base/utf8.h"
#include "queuefile/id.h"
#include "system/random.h"

enum { REASON_MAX_BYTES = 8192, REASON_COLUMN = 76 };

struct dropped_id {
    struct map_node node;
    uint8_t bytes[QUEUE_ID_MAX_BYTES];
};

void queue_text_begin(struct queue_text *text, FILE *file, bool is_json)
{
    *text = (struct queue_text){.file = file, .is_json = is_json};
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    map_init(&text->dropped, seed);
    buffer_init(&text->reason, NULL, REASON_MAX_BYTES);
}

/* A peer's words may hold anything; a terminal must not obey them. */
static void put_clean(FILE *file, struct span span)
{
    for (size_t i = 0; i < span.length; i++)
        (void)fputc(span.bytes[i] >= 0x20 && span.bytes[i] != 0x7f ? span.bytes[i] : '?', file);
}

/* RFC 8259 section 8.1: UTF-8, whatever charset an address or a server's reply was in. */
static void put_json(FILE *file, struct span span)
{
    (void)fputc('"', file);
    while (span.length) {
        const uint8_t byte = span.bytes[0];
        const size_t length = utf8_character_length(span);
        if (length == 0)
            (void)fputc('?', file);
        else if (byte == '"' || byte == '\\')
            (void)fprintf(file, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            (void)fprintf(file, "\\u%04x", byte);
        else
            (void)fwrite(span.bytes, 1, length, file);
        span = span_after(span, length ? length : 1);
    }
    (void)fputc('"', file);
}

static struct span sender_of(const struct ipc_queue_entry *entry)
{
    return entry->sender.length ? entry->sender : SPAN("MAILER-DAEMON");
}

static const char *marks_of(const struct ipc_queue_entry *entry)
{
    if (span_equals(entry->queue, SPAN("active")))
        return entry->is_forced_expire ? "*#" : "*";
    if (span_equals(entry->queue, SPAN("hold")))
        return entry->is_forced_expire ? "!#" : "!";
    return entry->is_forced_expire ? "#" : " ";
}

static void close_message(struct queue_text *text)
{
    if (!text->has_open_message)
        return;
    if (text->is_json)
        (void)fputs("]}\n", text->file);
    else
        (void)fputc('\n', text->file);
    text->has_open_message = false;
}

static void put_text_message(struct queue_text *text, const struct ipc_queue_entry *entry)
{
    char when[64];
    const time_t arrival = (time_t)(entry->arrival_us / 1000000U);
    struct tm parts;
    if (!localtime_r(&arrival, &parts) ||
        strftime(when, sizeof(when), "%a %b %e %H:%M:%S", &parts) == 0)
        when[0] = '\0';
    if (text->message_count == 0)
        (void)fputs("----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n",
                    text->file);
    (void)fprintf(text->file, "%-.*s%s %8llu %-19s ", SPAN_PRINTF(entry->queue_id), marks_of(entry),
                  (unsigned long long)entry->size_bytes, when);
    put_clean(text->file, sender_of(entry));
    (void)fputc('\n', text->file);
}

static void put_json_message(struct queue_text *text, const struct ipc_queue_entry *entry)
{
    (void)fputs("{\"queue_name\": ", text->file);
    put_json(text->file, entry->queue);
    (void)fputs(", \"queue_id\": ", text->file);
    put_json(text->file, entry->queue_id);
    (void)fprintf(text->file,
                  ", \"arrival_time\": %llu, \"message_size\": %llu, \"forced_expire\": %s, "
                  "\"sender\": ",
                  (unsigned long long)(entry->arrival_us / 1000000U),
                  (unsigned long long)entry->size_bytes,
                  entry->is_forced_expire ? "true" : "false");
    put_json(text->file, sender_of(entry));
    (void)fputs(", \"recipients\": [", text->file);
}

/* Where memory is out it may be shown twice. */
static void note_dropped(struct queue_text *text, struct span queue_id)
{
    struct dropped_id *dropped =
        queue_id.length <= QUEUE_ID_MAX_BYTES ? calloc(1, sizeof(*dropped)) : NULL;
    if (!dropped)
        return;
    memcpy(dropped->bytes, queue_id.bytes, queue_id.length);
    dropped->node.key = span_of(dropped->bytes, queue_id.length);
    if (!map_insert(&text->dropped, &dropped->node))
        free(dropped);
}

static bool forget_dropped(struct map_node *node, void *context)
{
    map_remove(context, node);
    free(CONTAINER_OF(node, struct dropped_id, node));
    return true;
}

void queue_text_message(struct queue_text *text, const struct ipc_queue_entry *entry)
{
    close_message(text);
    if (map_find(&text->dropped, entry->queue_id))
        return;
    if (span_equals(entry->queue, SPAN("maildrop")))
        note_dropped(text, entry->queue_id);
    if (text->is_json)
        put_json_message(text, entry);
    else
        put_text_message(text, entry);
    text->has_open_message = true;
    text->message_count++;
    text->byte_count += entry->size_bytes;
    text->recipient_count = 0;
    buffer_reset(&text->reason);
}

/* "(reason)", which ends where Postfix's does: the column does not count the brackets. */
static void put_reason(struct queue_text *text, struct span reason)
{
    if (reason.length == 0 || span_equals(reason, buffer_span(&text->reason)))
        return;
    buffer_reset(&text->reason);
    buffer_append_span(&text->reason, reason);
    (void)fprintf(text->file, "%*s(",
                  reason.length < REASON_COLUMN ? (int)(REASON_COLUMN - reason.length) : 0, "");
    put_clean(text->file, reason);
    (void)fputs(")\n", text->file);
}

void queue_text_recipient(struct queue_text *text,
                          const struct ipc_queue_entry_recipient *recipient)
{
    if (!text->has_open_message)
        return;
    if (!text->is_json) {
        put_reason(text, recipient->reason);
        (void)fprintf(text->file, "%17s %8s %19s ", "", "", "");
        put_clean(text->file, recipient->recipient);
        (void)fputc('\n', text->file);
        return;
    }
    (void)fputs(text->recipient_count++ ? ", {" : "{", text->file);
    if (recipient->original.length) {
        (void)fputs("\"orig_address\": ", text->file);
        put_json(text->file, recipient->original);
        (void)fputs(", ", text->file);
    }
    (void)fputs("\"address\": ", text->file);
    put_json(text->file, recipient->recipient);
    if (recipient->reason.length) {
        (void)fputs(", \"delay_reason\": ", text->file);
        put_json(text->file, recipient->reason);
    }
    (void)fputc('}', text->file);
}

void queue_text_end(struct queue_text *text)
{
    close_message(text);
    if (!text->is_json && text->message_count == 0)
        (void)fputs("Mail queue is empty\n", text->file);
    else if (!text->is_json)
        (void)fprintf(text->file, "-- %llu Kbytes in %llu Request%s.\n",
                      (unsigned long long)(text->byte_count / 1024),
                      (unsigned long long)text->message_count, text->message_count == 1 ? "" : "s");
    buffer_release(&text->reason);
    map_for_each(&text->dropped, forget_dropped, &text->dropped);
    map_destroy(&text->dropped);
}
