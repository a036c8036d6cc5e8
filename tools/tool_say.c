/* tools/tool_say - see tool_say.h. */
#include "tool_say.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/instance.h"
#include "tool_log.h"

static void write_log(const struct tool_voice *voice, enum log_level level, struct span line)
{
    static struct arena arena;
    static struct conf_logd settings;
    struct conf_instance instance;
    struct conf_notices notices;
    struct tool_log log;
    char *tag = NULL;
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    conf_notices_init(&notices, &arena);
    if (conf_instance_read(voice->directory, false, &arena, &instance, &notices) &&
        conf_instance_load(&instance, NULL, &conf_part_logd, &arena, &settings, &notices) &&
        asprintf(&tag, "%.*s/%s", SPAN_PRINTF(settings.syslog_name), voice->logged) >= 0) {
        if (tool_log_open(&log, &settings, span_from_string(tag))) {
            if (!tool_log_line(&log, level, line))
                (void)fprintf(stderr, "%s: warning: cannot write the log: %s\n", voice->shown,
                              strerror(errno));
            tool_log_close(&log);
        }
        free(tag);
    }
    arena_destroy(&arena);
}

void tool_say_list(const struct tool_voice *voice, enum log_level level, const char *format,
                   va_list arguments)
{
    const int error = errno;
    char *text = NULL;
    struct buffer line;
    buffer_init(&line, NULL, MAILLOG_LINE_MAX_BYTES);
    buffer_append_string(&line, level == LOG_LEVEL_WARNING ? "warning: " : "fatal: ");
    if (vasprintf(&text, format, arguments) >= 0)
        buffer_append_span(
            &line, span_first(span_from_string(text), MAILLOG_LINE_MAX_BYTES - line.length));
    free(text);
    log_text_clean(line.bytes, line.length);
    (void)fprintf(stderr, "%s: %.*s\n", voice->shown, SPAN_PRINTF(buffer_span(&line)));
    if (voice->directory)
        write_log(voice, level, buffer_span(&line));
    buffer_release(&line);
    errno = error;
}

void tool_say(const struct tool_voice *voice, enum log_level level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tool_say_list(voice, level, format, arguments);
    va_end(arguments);
}
