/* maillog/event - see event.h. */
#include "maillog/event.h"

/* Anything that would make the end of a value unclear. */
static bool needs_quotes(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (value.bytes[i] <= ' ' || value.bytes[i] == '"' || value.bytes[i] == '=' ||
            value.bytes[i] == ',' || value.bytes[i] == ';' || value.bytes[i] == '\\')
            return true;
    return span_is_empty(value);
}

static void put_value(struct buffer *line, struct span value)
{
    if (!needs_quotes(value)) {
        buffer_append_span(line, value);
        return;
    }
    buffer_append_byte(line, '"');
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] == '"' || value.bytes[i] == '\\')
            buffer_append_byte(line, '\\');
        buffer_append_byte(line, value.bytes[i]);
    }
    buffer_append_byte(line, '"');
}

void log_event_pairs(const struct log_context *context, enum log_level level, const char *name,
                     const struct log_pair *pairs, size_t pair_count)
{
    if (level == LOG_LEVEL_DEBUG && !context->log->is_debugging)
        return;
    struct buffer *line = maillog_begin(context->log, level, context->queue_id);
    buffer_append_string(line, name);
    buffer_append_byte(line, ':');
    if (context->peer) {
        buffer_append_string(line, " client=");
        maillog_put_peer(line, context->peer);
    }
    for (size_t i = 0; i < pair_count; i++) {
        buffer_append_byte(line, ' ');
        buffer_append_string(line, pairs[i].key);
        buffer_append_byte(line, '=');
        if (pairs[i].value.bytes)
            put_value(line, pairs[i].value);
        else
            buffer_append_format(line, "%lld", (long long)pairs[i].number);
    }
    maillog_end(context->log);
}
