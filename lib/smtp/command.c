/* smtp/command - see command.h. */
#include "smtp/command.h"

enum parse_result smtp_command_parse(struct span input, size_t max_bytes, bool accept_bare_lf,
                                     struct smtp_command *command, size_t *consumed_bytes)
{
    const struct span window = span_first(input, max_bytes);
    size_t end = 0;

    while (end < window.length && window.bytes[end] != '\r' && window.bytes[end] != '\n' &&
           window.bytes[end] != 0)
        end++;
    const bool has_bare_lf = accept_bare_lf && end < window.length && window.bytes[end] == '\n';
    if (!has_bare_lf) {
        if (end < window.length && window.bytes[end] != '\r')
            return PARSE_MALFORMED;
        if (end + 1 >= window.length)
            return window.length == max_bytes ? PARSE_TOO_LONG : PARSE_NEED_MORE;
        if (window.bytes[end + 1] != '\n')
            return PARSE_MALFORMED; /* RFC 5321 section 2.3.8 */
    }

    const struct span line = span_trim_spaces(span_first(window, end));
    const size_t verb_length = span_find_byte(line, ' ');
    command->name = span_first(line, verb_length);
    command->verb = smtp_verb_from_name(command->name);
    command->argument = span_trim_spaces(span_after(line, verb_length));
    command->has_bare_lf = has_bare_lf;
    *consumed_bytes = has_bare_lf ? end + 1 : end + 2;
    return PARSE_OK;
}
