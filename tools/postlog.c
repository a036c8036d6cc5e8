/* tools/postlog - write lines to the mail log, from arguments or from standard input. man/postlog.1
 * Writes where logd writes, without asking it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/ascii.h"
#include "tool.h"
#include "tool_log.h"

static const struct priority {
    const char *name;
    enum log_level level;
    const char *prefix;
} priorities[] = {
    {"info", LOG_LEVEL_INFO, ""},
    {"warn", LOG_LEVEL_WARNING, "warning: "},
    {"warning", LOG_LEVEL_WARNING, "warning: "},
    {"error", LOG_LEVEL_ERROR, "error: "},
    {"fatal", LOG_LEVEL_FATAL, "fatal: "},
    {"panic", LOG_LEVEL_FATAL, "panic: "},
};

static const struct priority *find_priority(const char *name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(priorities); i++)
        if (span_equals_ascii_nocase(span_from_string(priorities[i].name), span_from_string(name)))
            return &priorities[i];
    return NULL;
}

static bool put_line(struct tool_log *log, const struct priority *priority, struct span text)
{
    struct buffer line;
    buffer_init(&line, NULL, MAILLOG_LINE_MAX_BYTES);
    buffer_append_string(&line, priority->prefix);
    buffer_append_span(&line, span_first(text, MAILLOG_LINE_MAX_BYTES - line.length));
    const bool is_written = tool_log_line(log, priority->level, buffer_span(&line));
    if (isatty(STDERR_FILENO))
        (void)fprintf(stderr, "%.*s: %.*s\n", SPAN_PRINTF(log->source.tag),
                      SPAN_PRINTF(buffer_span(&line)));
    buffer_release(&line);
    return is_written;
}

static bool log_arguments(struct tool_log *log, const struct priority *priority, char **arguments)
{
    struct buffer text;
    buffer_init(&text, NULL, 1 << 20);
    for (char **argument = arguments; *argument; argument++) {
        if (argument != arguments)
            buffer_append_byte(&text, ' ');
        buffer_append_string(&text, *argument);
    }
    const bool is_written = buffer_ok(&text) && put_line(log, priority, buffer_span(&text));
    buffer_release(&text);
    return is_written;
}

static bool log_input(struct tool_log *log, const struct priority *priority)
{
    char *line = NULL;
    size_t capacity = 0;
    bool is_written = true;
    for (ssize_t length; is_written && (length = getline(&line, &capacity, stdin)) >= 0;) {
        const size_t count = (size_t)length - (length > 0 && line[length - 1] == '\n');
        is_written = put_line(log, priority, span_of(line, count));
    }
    free(line);
    return is_written && !ferror(stdin);
}

int main(int argc, char **argv)
{
    static struct arena arena;
    static struct conf_logd settings;
    const char *directory = NULL, *tag = NULL;
    const struct priority *priority = &priorities[0];
    (void)tool_name(argv, "postlog");
    for (int option; (option = getopt(argc, argv, "c:ip:t:v")) != -1;) {
        if (option == 'c')
            directory = optarg;
        else if (option == 't')
            tag = optarg;
        else if (option == 'p')
            priority = find_priority(optarg);
        if (option == '?' || !priority) {
            (void)fprintf(stderr,
                          "postlog: fatal: usage: postlog [-iv] [-c directory] [-p info|warn|error|"
                          "fatal|panic] [-t tag] [text...]\n");
            return EX_USAGE;
        }
    }
    arena_init(&arena, CONF_INSTANCE_ARENA_BYTES, 0);
    if (!tool_load("postlog", directory, &conf_part_logd, &arena, &settings))
        return EX_CONFIG;
    char *own_tag = NULL;
    if (!tag && asprintf(&own_tag, "%.*s/postlog", SPAN_PRINTF(settings.syslog_name)) < 0)
        return EX_OSERR;
    struct tool_log log;
    if (!tool_log_open(&log, &settings, span_from_string(tag ? tag : own_tag))) {
        (void)fprintf(stderr, "postlog: fatal: open %.*s: %s\n", SPAN_PRINTF(settings.maillog_file),
                      strerror(errno));
        free(own_tag);
        return EX_CANTCREAT;
    }
    const bool is_written =
        optind < argc ? log_arguments(&log, priority, argv + optind) : log_input(&log, priority);
    if (!is_written)
        (void)fprintf(stderr, "postlog: fatal: cannot write the log: %s\n", strerror(errno));
    tool_log_close(&log);
    free(own_tag);
    return is_written ? EX_OK : EX_IOERR;
}
