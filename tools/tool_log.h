/* tools/tool_log - lines that a command writes where logd writes its own: to syslog, or at the end
 * of maillog_file. Needs no logd, so it works while the mail system is down. */
#ifndef TOOLS_TOOL_LOG_H
#define TOOLS_TOOL_LOG_H

#include "conf/logd.h"
#include "maillog/format.h"

struct tool_log {
    struct log_formatter formatter;
    struct log_source source;
    int file; /* maillog_file, or -1: syslog */
};

/* The tag must outlive the log. False and errno when the file cannot be opened. */
MUST_USE bool tool_log_open(struct tool_log *log, const struct conf_logd *settings,
                            struct span tag);
void tool_log_close(struct tool_log *log);
/* One line; control characters in it become question marks. False when it could not be written. */
MUST_USE bool tool_log_line(struct tool_log *log, enum log_level level, struct span text);

#endif
