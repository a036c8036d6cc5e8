/* logd/destination - where lines go: syslog's socket, or a descriptor of a file or a pipe.
 * Lines are collected and leave at the end of the loop's turn. A destination that is not ready is
 * tried again later; meanwhile lines wait here up to a bound, beyond it they are dropped, counted,
 * and the count is logged when the destination takes lines again. Whoever sends lines never waits.
 */
#ifndef LOGD_DESTINATION_H
#define LOGD_DESTINATION_H

#include "maillog/format.h"
#include "system/loop.h"

struct log_destination {
    struct loop *loop;
    struct loop_hook hook;
    struct loop_timer retry_timer;
    struct log_formatter formatter;
    struct log_source own_source; /* for the line about dropped lines */
    const char *socket_path;      /* of syslog, or NULL: a file */
    int descriptor;               /* -1: syslog is not connected */
    struct buffer pending;        /* finished lines, each with LF */
    uint64_t dropped_count;
    bool is_retrying; /* waits for the timer */
};

/* socket_path: syslog's, must outlive the destination, descriptor is then -1. Else the descriptor
 * is taken over and made non-blocking: false when that fails. */
MUST_USE bool log_destination_init(struct log_destination *destination, struct loop *loop,
                                   const struct log_formatter *formatter,
                                   const struct log_source *own_source, const char *socket_path,
                                   int descriptor);
void log_destination_release(struct log_destination *destination);
void log_destination_put(struct log_destination *destination, const struct log_source *source,
                         const struct log_record *record);
/* Writes what there is, unless the destination was found not ready a moment ago. */
void log_destination_flush(struct log_destination *destination);

#endif
