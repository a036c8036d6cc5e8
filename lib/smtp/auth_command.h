/* smtp/auth_command - AUTH, and the lines that clients answer challenges with (RFC 4954 section 4).
 * Interface: smtp_auth_parse(), smtp_auth_response_parse(). Pure. What they decode is a secret: the
 * buffer's owner wipes it. Callers: lib/smtpsession/auth, the fuzzer. */
#ifndef SMTP_AUTH_COMMAND_H
#define SMTP_AUTH_COMMAND_H

#include "base/buffer.h"
#include "base/parse.h"

/* RFC 4422 section 3.1. */
enum { SMTP_AUTH_MECHANISM_MAX_BYTES = 20 };

enum smtp_auth_result {
    SMTP_AUTH_OK,
    SMTP_AUTH_NEED_MORE,
    SMTP_AUTH_TOO_LONG,
    SMTP_AUTH_BAD_SYNTAX,
    SMTP_AUTH_BAD_BASE64,
    SMTP_AUTH_CANCELLED /* "*" */
};

struct smtp_auth_command {
    struct span mechanism; /* as written; points into the argument */
    bool has_response;     /* an initial one, which may be empty */
};

/* The argument of AUTH. The initial response is decoded into *response. */
MUST_USE enum smtp_auth_result
smtp_auth_parse(struct span argument, struct smtp_auth_command *command, struct buffer *response);
/* A line with its CRLF at the beginning of the input; *consumed_bytes is set unless more is needed
 * or the line is too long. */
MUST_USE enum smtp_auth_result smtp_auth_response_parse(struct span input, size_t max_bytes,
                                                        bool accept_bare_lf,
                                                        struct buffer *response,
                                                        size_t *consumed_bytes);

#endif
