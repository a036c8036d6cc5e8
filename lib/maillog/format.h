/* maillog/format - a log line as its destination wants it.
 * Pure but for the time zone, which the C library has read before the sandbox closed.
 * Callers: logd/destination, tools/tool_log. Shapes: man/posthouse-log.5. */
#ifndef MAILLOG_FORMAT_H
#define MAILLOG_FORMAT_H

#include <time.h>

#include "maillog/record.h"

enum log_format {
    LOG_FORMAT_TEXT,   /* Mon DD HH:MM:SS host tag[pid]: text */
    LOG_FORMAT_SYSLOG, /* <PRI>Mon DD HH:MM:SS tag[pid]: text, as the C library's syslog() */
    LOG_FORMAT_JSON    /* one object a line */
};

/* Who wrote a line. */
struct log_source {
    struct span tag; /* "posthouse/smtpd" */
    uint32_t process_id;
};

struct log_formatter {
    enum log_format format;
    unsigned facility; /* syslog's number: 2 is mail */
    char host[256];
    int64_t known_second; /* whose text is in time_text; lines come many to a second */
    char time_text[16];   /* "Nov 22 01:48:31" */
};

/* syslog_facility's names; false when there is none of that name. */
MUST_USE bool log_facility_parse(struct span name, unsigned *facility);
void log_formatter_init(struct log_formatter *formatter, enum log_format format, unsigned facility,
                        struct span host);
/* Appends the line and LF. */
void log_format_line(struct log_formatter *formatter, const struct log_source *source,
                     const struct log_record *record, struct buffer *out);

#endif
