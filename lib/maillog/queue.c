/* maillog/queue - see queue.h. */
#include "maillog/queue.h"

void maillog_active(struct maillog *log, struct span queue_id, struct span sender,
                    uint64_t size_bytes, size_t recipient_count)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    maillog_put_address(line, "from", sender);
    buffer_append_format(line, ", size=%llu, nrcpt=%zu (queue active)",
                         (unsigned long long)size_bytes, recipient_count);
    maillog_end(log);
}

void maillog_removed(struct maillog *log, struct span queue_id)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    buffer_append_string(line, "removed");
    maillog_end(log);
}

void maillog_expired(struct maillog *log, struct span queue_id, struct span sender, bool is_forced)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    maillog_put_address(line, "from", sender);
    buffer_append_format(line, ", status=%s, returned to sender",
                         is_forced ? "force-expired" : "expired");
    maillog_end(log);
}

void maillog_notification(struct maillog *log, struct span queue_id, enum log_notification kind,
                          struct span new_queue_id)
{
    static const char *const names[] = {
        [LOG_NOTIFICATION_SENDER_FAILURE] = "sender non-delivery notification: ",
        [LOG_NOTIFICATION_SENDER_DELAY] = "sender delay notification: ",
        [LOG_NOTIFICATION_SENDER_SUCCESS] = "sender delivery status notification: ",
        [LOG_NOTIFICATION_POSTMASTER_FAILURE] = "postmaster non-delivery notification: ",
        [LOG_NOTIFICATION_POSTMASTER_DELAY] = "postmaster delay notification: ",
    };
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, queue_id);
    buffer_append_string(line, names[kind]);
    buffer_append_span(line, new_queue_id);
    maillog_end(log);
}

void maillog_notification_failed(struct maillog *log, struct span queue_id, struct span recipient,
                                 struct span reason)
{
    struct buffer *line = maillog_begin(log, LOG_LEVEL_WARNING, queue_id);
    buffer_append_string(line, "sender notification failed to <");
    buffer_append_span(line, recipient);
    buffer_append_byte(line, '>');
    if (!span_is_empty(reason)) {
        buffer_append_string(line, ": ");
        buffer_append_span(line, reason);
    }
    maillog_end(log);
}
