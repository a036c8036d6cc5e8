/* tools/tool_say - what a command complains of: on standard error and, as Postfix's commands do, in
 * the mail log, which is where whoever reads neither cron's mail nor a script's output finds it.
 * Callers: tools/sendmail, postdrop, postqueue. */
#ifndef TOOLS_TOOL_SAY_H
#define TOOLS_TOOL_SAY_H

#include <stdarg.h>

#include "base/compiler.h"
#include "maillog/record.h"

struct tool_voice {
    const char *shown;     /* the command, as it was called */
    const char *logged;    /* behind syslog_name in the log */
    const char *directory; /* of the configuration; NULL: nothing is logged */
};

/* One line, "warning: " or "fatal: " before it. Where the log may not be written by this user, or
 * its place is not known, standard error has it alone. */
void tool_say(const struct tool_voice *voice, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);
void tool_say_list(const struct tool_voice *voice, enum log_level level, const char *format,
                   va_list arguments) PRINTF_LIKE(3, 0);

#endif
