/* smtp/command - split one SMTP command line into verb and argument (RFC 5321 section 4.1.1).
 * Interface: smtp_command_parse(). Pure; the result points into the input.
 * Callers: lib/smtpsession, the fuzzer. */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "base/parse.h"
#include "base/span.h"
#include "smtp/verb.h"

struct smtp_command {
    enum smtp_verb verb;
    struct span name; /* the verb as written */
    struct span argument;
};

/* A line of at most max_bytes, CRLF included (RFC 5321 section 4.5.3.1.4 asks for 512; extensions
 * lengthen MAIL and RCPT; the setting is line_length_limit). PARSE_MALFORMED: a bare LF, a bare CR
 * or a NUL, before which leniency would invite SMTP smuggling. On PARSE_OK fills *command and
 * *consumed_bytes; otherwise leaves both untouched. */
MUST_USE enum parse_result smtp_command_parse(struct span input, size_t max_bytes,
                                              struct smtp_command *command, size_t *consumed_bytes);

#endif
