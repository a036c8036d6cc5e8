/* maillog/event - everything that has no shape known from Postfix: an event name and pairs.
 * QID: area.what_happened: client=N[A] key=value key="value with spaces". Say what happened and
 * what we do next: one event, one line, one level. */
#ifndef MAILLOG_EVENT_H
#define MAILLOG_EVENT_H

#include "maillog/log.h"

/* What a connection or a transaction is about; a connection keeps one and hands it on. */
struct log_context {
    struct maillog *log;
    const struct log_peer *peer; /* NULL: none */
    struct span queue_id;        /* empty: none */
};

struct log_pair {
    const char *key;
    struct span value;
    int64_t number; /* shown when value.bytes is NULL */
};

static inline struct log_pair log_text(const char *key, struct span value)
{
    return (struct log_pair){key, value.bytes ? value : span_empty(), 0};
}

static inline struct log_pair log_string(const char *key, const char *value)
{
    return (struct log_pair){key, span_from_string(value), 0};
}

static inline struct log_pair log_number(const char *key, int64_t number)
{
    return (struct log_pair){key, {NULL, 0}, number};
}

void log_event_pairs(const struct log_context *context, enum log_level level, const char *name,
                     const struct log_pair *pairs, size_t pair_count);

/* log_event(&context, LOG_LEVEL_WARNING, "tls.handshake_failed", log_text("reason", reason)) */
#define log_event(context, level, name, ...)                                                       \
    log_event_pairs(context, level, name, (const struct log_pair[]){__VA_ARGS__},                  \
                    sizeof((const struct log_pair[]){__VA_ARGS__}) / sizeof(struct log_pair))

#endif
