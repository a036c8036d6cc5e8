/* tools/tool_log - see tool_log.h. */
#include "tool_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"
#include "system/clock.h"
#include "system/file.h"

enum { LINE_LIMIT_BYTES = MAILLOG_LINE_MAX_BYTES * 3, FILE_MODE_DEFAULT = 0600, FACILITY_MAIL = 2 };

static int open_file(const struct conf_logd *settings)
{
    uint64_t mode;
    char *path = NULL;
    if (!number_parse_octal(settings->maillog_file_permissions, 0777, &mode))
        mode = FILE_MODE_DEFAULT; /* a bad one is for logd to complain of */
    if (asprintf(&path, "%.*s", SPAN_PRINTF(settings->maillog_file)) < 0)
        return -1;
    const int descriptor =
        open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, (mode_t)mode);
    free(path);
    return descriptor;
}

bool tool_log_open(struct tool_log *log, const struct conf_logd *settings, struct span tag)
{
    char host[256] = "localhost";
    unsigned facility;
    const bool is_json = span_equals(settings->maillog_format, SPAN("json"));
    (void)gethostname(host, sizeof(host) - 1);
    if (!log_facility_parse(settings->syslog_facility, &facility))
        facility = FACILITY_MAIL;
    tzset();
    log_formatter_init(&log->formatter, is_json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, facility,
                       span_from_string(host));
    log->source = (struct log_source){.tag = tag, .process_id = (uint32_t)getpid()};
    log->file = -1;
    if (settings->maillog_file.length) {
        log->file = open_file(settings);
        return log->file >= 0;
    }
    /* The C library keeps the pointer: tags are arguments or literals, which end with NUL. */
    openlog((const char *)tag.bytes, LOG_PID, (int)(facility << 3));
    return true;
}

void tool_log_close(struct tool_log *log)
{
    file_close(log->file);
    log->file = -1;
}

bool tool_log_line(struct tool_log *log, enum log_level level, struct span text)
{
    static const int priorities[] = {
        [LOG_LEVEL_DEBUG] = LOG_DEBUG,     [LOG_LEVEL_INFO] = LOG_INFO,
        [LOG_LEVEL_WARNING] = LOG_WARNING, [LOG_LEVEL_ERROR] = LOG_ERR,
        [LOG_LEVEL_FATAL] = LOG_CRIT,
    };
    struct buffer clean, line;
    bool is_written = true;
    buffer_init(&clean, NULL, MAILLOG_LINE_MAX_BYTES);
    buffer_init(&line, NULL, LINE_LIMIT_BYTES);
    buffer_append_span(&clean, span_first(text, MAILLOG_LINE_MAX_BYTES));
    if (clean.length)
        log_text_clean(clean.bytes, clean.length);
    if (log->file < 0) {
        syslog(priorities[level], "%.*s", SPAN_PRINTF(buffer_span(&clean)));
    } else {
        const struct log_record record = {
            .level = level, .time_us = clock_realtime_us(), .text = buffer_span(&clean)};
        log_format_line(&log->formatter, &log->source, &record, &line);
        /* One write at the end of the file: lines of several writers never mix. */
        is_written =
            buffer_ok(&line) && write(log->file, line.bytes, line.length) == (ssize_t)line.length;
    }
    buffer_release(&line);
    buffer_release(&clean);
    return is_written;
}
