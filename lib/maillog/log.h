/* maillog/log - where a process's log lines are collected, and lines of free text.
 * The shapes that log analysers read stand in maillog/receive, maillog/queue and
 * maillog/delivery, everything else is an event (maillog/event). All of them are listed in
 * man/posthouse-log.5. One struct maillog per process, for the loop's thread. */
#ifndef MAILLOG_LOG_H
#define MAILLOG_LOG_H

#include "maillog/record.h"

/* Postfix's delay_logging_resolution_limit. */
enum { MAILLOG_DELAY_DIGITS = 2 };

struct maillog {
    struct buffer batch;    /* finished records that wait, and at its end the one being written */
    size_t line_start;      /* of the record being written */
    uint64_t dropped_count; /* lines that found no room since the count was last reported */
    bool is_debugging;      /* debug lines are written at all */
    unsigned delay_digits;  /* behind the point of a delay, at most */
    /* Told after each line, or each drop. */
    void (*on_line)(struct maillog *log);
    void *context; /* for on_line */
};

/* Keeps at most capacity_bytes of lines; those that do not fit are dropped and counted. */
void maillog_init(struct maillog *log, size_t capacity_bytes, void (*on_line)(struct maillog *log),
                  void *context);
void maillog_release(struct maillog *log);

/* For the functions that know a line's shape: begins a line ("warning: ", and "QID: " when there
 * is an id), and ends it. */
MUST_USE struct buffer *maillog_begin(struct maillog *log, enum log_level level,
                                      struct span queue_id);
void maillog_end(struct maillog *log);

/* A line of free text that operators know from Postfix ("daemon started -- version ..."). What is
 * not known from there is an event. queue_id may be empty. */
void maillog_text(struct maillog *log, enum log_level level, struct span queue_id,
                  const char *format, ...) PRINTF_LIKE(4, 5);

/* Who is at the other end of a connection: "name[address]" or, with a port, "name[address]:port".
 */
struct log_peer {
    struct span name; /* empty: "unknown" */
    struct span address;
    uint16_t port; /* 0: not shown */
};
void maillog_put_peer(struct buffer *line, const struct log_peer *peer);
/* key=<address> */
void maillog_put_address(struct buffer *line, const char *key, struct span address);

#endif
