/* qmgr/showq - see showq.h.
 * Attributes are a name and a value, each ended by a NUL; an empty name ends a list of them. First
 * comes the name of the protocol, then one list for each message: what is known of it, then its
 * recipients; an empty list ends the queue. */
#include "showq.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "listing.h"
#include "system/task.h"
#include "system/watch.h"

enum {
    CLIENTS_MAX = 16,
    WRITE_TIMEOUT_MS = 60 * 1000, /* for any progress at all */
    OUTPUT_MAX_BYTES = 1 << 20    /* a page of the listing and the names of its attributes */
};

struct showq {
    struct qmgr *qmgr;
    struct watch watch;
    int connection;
    bool is_message_open; /* its list has not been ended */
};

static void put_name(struct buffer *output, const char *name)
{
    buffer_append_string(output, name);
    buffer_append_byte(output, 0);
}

/* A NUL would end the value early, and what follows would be taken for names. */
static void put_text(struct buffer *output, const char *name, struct span text)
{
    put_name(output, name);
    for (size_t i = 0; i < text.length; i++)
        buffer_append_byte(output, text.bytes[i] ? text.bytes[i] : '?');
    buffer_append_byte(output, 0);
}

static void put_number(struct buffer *output, const char *name, uint64_t number)
{
    put_name(output, name);
    buffer_append_format(output, "%llu", (unsigned long long)number);
    buffer_append_byte(output, 0);
}

static void end_message(struct showq *showq, struct buffer *output)
{
    if (showq->is_message_open)
        buffer_append_byte(output, 0);
    showq->is_message_open = false;
}

static void put_entry(struct showq *showq, const struct ipc_queue_entry *entry,
                      struct buffer *output)
{
    end_message(showq, output);
    put_text(output, "queue_name", entry->queue);
    put_text(output, "queue_id", entry->queue_id);
    put_number(output, "time", entry->arrival_us / 1000000U);
    put_number(output, "size", entry->size_bytes);
    put_number(output, "forced_expire", entry->is_forced_expire);
    put_text(output, "sender", entry->sender.length ? entry->sender : SPAN("MAILER-DAEMON"));
    showq->is_message_open = true;
}

static bool put_records(struct showq *showq, struct span records, struct buffer *output)
{
    while (records.length) {
        struct ipc_queue_entry entry;
        struct ipc_queue_entry_recipient recipient;
        if (ipc_records_peek(records) == IPC_QUEUE_ENTRY) {
            if (ipc_records_next(&records, IPC_QUEUE_ENTRY, &entry) != PARSE_OK)
                return false;
            put_entry(showq, &entry, output);
        } else {
            if (ipc_records_next(&records, IPC_QUEUE_ENTRY_RECIPIENT, &recipient) != PARSE_OK)
                return false;
            put_text(output, "recipient", recipient.recipient);
            put_text(output, "reason", recipient.reason);
        }
    }
    return buffer_ok(output);
}

static bool send_all(struct showq *showq, struct span bytes)
{
    while (bytes.length) {
        struct iovec part = {(void *)(uintptr_t)bytes.bytes, bytes.length};
        const struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
        const ssize_t sent = sendmsg(showq->connection, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes = span_after(bytes, (size_t)sent);
            continue;
        }
        if (sent == 0 || (errno != EAGAIN && errno != EINTR))
            return false;
        showq->watch.is_writable = false;
        if (watch_wait_writable(&showq->watch, clock_deadline_after(WRITE_TIMEOUT_MS)) !=
            TASK_WOKEN)
            return false;
    }
    return true;
}

/* A page at a time: memory does not follow the queue, and the client's pace is ours. */
static bool send_page(struct showq *showq, struct listing *listing, bool *is_last)
{
    struct buffer records, output;
    buffer_init(&records, NULL, IPC_RECORDS_MAX);
    buffer_init(&output, NULL, OUTPUT_MAX_BYTES);
    *is_last = listing_next_page(listing, &records);
    bool is_sent = put_records(showq, buffer_span(&records), &output);
    if (*is_last) {
        end_message(showq, &output);
        buffer_append_byte(&output, 0);
    }
    is_sent = is_sent && buffer_ok(&output) && send_all(showq, buffer_span(&output));
    buffer_release(&output);
    buffer_release(&records);
    return is_sent;
}

static void showq_body(void *argument)
{
    static const char protocol[] = "protocol\0mail_queue_list_protocol\0";
    struct showq *showq = argument;
    struct listing *listing = listing_create(showq->qmgr);
    bool is_last = false;
    /* The last NUL is the string's own. */
    if (listing && send_all(showq, span_of(protocol, sizeof(protocol))))
        while (!is_last && send_page(showq, listing, &is_last))
            task_yield();
    listing_destroy(&listing);
    watch_stop(&showq->watch);
    file_close(showq->connection);
    showq->qmgr->showq_count--;
    free(showq);
}

void showq_take(struct qmgr *qmgr, int connection)
{
    struct showq *showq = qmgr->showq_count < CLIENTS_MAX ? calloc(1, sizeof(*showq)) : NULL;
    if (!showq || watch_start(&showq->watch, qmgr->loop, connection) != 0) {
        free(showq);
        file_close(connection);
        return;
    }
    showq->qmgr = qmgr;
    showq->connection = connection;
    qmgr->showq_count++;
    if (task_start(qmgr->loop, "showq", showq_body, showq))
        return;
    watch_stop(&showq->watch);
    file_close(connection);
    qmgr->showq_count--;
    free(showq);
}
