/* maillog/log - see log.h. */
#include "maillog/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "system/clock.h"

static const char *const level_prefixes[] = {
    [LOG_LEVEL_DEBUG] = "",        [LOG_LEVEL_INFO] = "",         [LOG_LEVEL_WARNING] = "warning: ",
    [LOG_LEVEL_ERROR] = "error: ", [LOG_LEVEL_FATAL] = "fatal: ",
};

void maillog_init(struct maillog *log, size_t capacity_bytes, void (*on_line)(struct maillog *log),
                  void *context)
{
    *log = (struct maillog){
        .on_line = on_line, .context = context, .delay_digits = MAILLOG_DELAY_DIGITS};
    buffer_init(&log->batch, NULL, capacity_bytes);
}

void maillog_release(struct maillog *log)
{
    buffer_release(&log->batch);
}

struct buffer *maillog_begin(struct maillog *log, enum log_level level, struct span queue_id)
{
    log->line_start = log_record_begin(&log->batch, level, clock_realtime_us());
    buffer_append_string(&log->batch, level_prefixes[level]);
    if (!span_is_empty(queue_id)) {
        buffer_append_span(&log->batch, queue_id);
        buffer_append_string(&log->batch, ": ");
    }
    return &log->batch;
}

void maillog_end(struct maillog *log)
{
    if (buffer_ok(&log->batch)) {
        log_record_end(&log->batch, log->line_start);
    } else {
        log->batch.has_failed = false;
        log->batch.length = log->line_start;
        log->dropped_count++;
    }
    if (log->on_line)
        log->on_line(log);
}

void maillog_text(struct maillog *log, enum log_level level, struct span queue_id,
                  const char *format, ...)
{
    char text[2048];
    if (level == LOG_LEVEL_DEBUG && !log->is_debugging)
        return;
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        return;
    struct buffer *line = maillog_begin(log, level, queue_id);
    buffer_append_span(line, span_first(span_of(text, (size_t)length), sizeof(text) - 1));
    maillog_end(log);
}

void maillog_put_peer(struct buffer *line, const struct log_peer *peer)
{
    if (span_is_empty(peer->name))
        buffer_append_string(line, "unknown");
    else
        buffer_append_span(line, peer->name);
    buffer_append_byte(line, '[');
    buffer_append_span(line, peer->address);
    buffer_append_byte(line, ']');
    if (peer->port)
        buffer_append_format(line, ":%u", (unsigned)peer->port);
}

void maillog_put_address(struct buffer *line, const char *key, struct span address)
{
    buffer_append_string(line, key);
    buffer_append_string(line, "=<");
    buffer_append_span(line, address);
    buffer_append_byte(line, '>');
}
