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
    bool has_bare_lf; /* it ended in one, which was accepted */
};

/* A line of at most max_bytes, CRLF included (RFC 5321 section 4.5.3.1.4 asks for 512; extensions
 * lengthen MAIL and RCPT; the setting is line_length_limit). PARSE_MALFORMED: a bare LF, a bare CR
 * or a NUL, before which leniency would invite SMTP smuggling; accept_bare_lf takes an LF for CRLF
 * all the same. On PARSE_OK fills *command and *consumed_bytes; otherwise leaves both untouched. */
MUST_USE enum parse_result smtp_command_parse(struct span input, size_t max_bytes,
                                              bool accept_bare_lf, struct smtp_command *command,
                                              size_t *consumed_bytes);

#endif
