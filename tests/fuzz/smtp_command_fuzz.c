/* tests/fuzz/smtp_command - command lines and ESMTP parameters from hostile bytes.
 * A stream is read as a session reads it, whole and trickled; both must see the same. */
#include <stdlib.h>

#include "smtp/command.h"
#include "smtp/parameter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { LINE_LIMIT_BYTES = 64 };

static void read_commands(struct span input, bool accept_bare_lf)
{
    for (;;) {
        struct smtp_command command, trickled;
        size_t consumed = 0, trickled_bytes = 0;
        const enum parse_result result =
            smtp_command_parse(input, LINE_LIMIT_BYTES, accept_bare_lf, &command, &consumed);
        enum parse_result again = PARSE_NEED_MORE;
        for (size_t i = 0; i <= input.length && again == PARSE_NEED_MORE; i++)
            again = smtp_command_parse(span_first(input, i), LINE_LIMIT_BYTES, accept_bare_lf,
                                       &trickled, &trickled_bytes);
        if (again != result || consumed != trickled_bytes)
            abort();
        if (result != PARSE_OK)
            return;
        struct smtp_parameters parameters;
        struct outcome refusal = outcome_ok();
        struct span word = span_empty();
        if (smtp_parameters_parse(command.argument, SMTP_PARAMETER_MAIL, &parameters, &refusal,
                                  &word) != PARSE_OK &&
            (outcome_is_ok(&refusal) || word.length > command.argument.length))
            abort();
        if (outcome_is_ok(&refusal) && parameters.verp.length > command.argument.length)
            abort();
        if (smtp_parameters_parse(command.argument, SMTP_PARAMETER_RCPT, &parameters, &refusal,
                                  &word) == PARSE_OK &&
            parameters.orcpt.length > SMTP_ORCPT_MAX_BYTES)
            abort();
        input = span_after(input, consumed);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    read_commands(span_of(bytes, length), false);
    read_commands(span_of(bytes, length), true);
    return 0;
}
