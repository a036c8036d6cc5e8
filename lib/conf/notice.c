/* conf/notice - what reading a configuration found. */
#include "conf/notice.h"

#include <stdarg.h>
#include <stdio.h>

static void clean_control_characters(char *text)
{
    for (char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

void conf_notices_init(struct conf_notices *notices, struct arena *arena)
{
    *notices = (struct conf_notices){.arena = arena};
}

void conf_notice_add(struct conf_notices *notices, enum conf_notice_level level, const char *format,
                     ...)
{
    char line[CONF_ERROR_TEXT_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments); /* cut when too long */
    va_end(arguments);
    clean_control_characters(line);
    if (level == CONF_NOTICE_ERROR)
        notices->error_count++;
    else if (level == CONF_NOTICE_WARNING)
        notices->warning_count++;
    for (const struct conf_notice *earlier = notices->first; earlier; earlier = earlier->next)
        if (earlier->level == level && strcmp(earlier->text, line) == 0)
            return;
    struct conf_notice *notice = arena_alloc(notices->arena, sizeof(*notice));
    char *text = arena_string(notices->arena, span_from_string(line));
    if (!notice || !text)
        return;
    notice->level = level;
    notice->text = text;
    if (notices->last)
        notices->last->next = notice;
    else
        notices->first = notice;
    notices->last = notice;
}

void conf_error_set(struct conf_error *error, const char *format, ...)
{
    if (!error)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    clean_control_characters(error->text);
}
