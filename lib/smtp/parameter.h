/* smtp/parameter - the ESMTP parameters of MAIL and RCPT (RFC 5321 section 4.1.2).
 * Interface: smtp_parameters_parse(). Pure. A new parameter is a row of the table in parameter.c
 * and a field here. Callers: lib/smtpsession. */
#ifndef SMTP_PARAMETER_H
#define SMTP_PARAMETER_H

#include "base/outcome.h"
#include "base/parse.h"

enum smtp_body { SMTP_BODY_UNSPECIFIED, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_parameters {
    bool has_size;
    uint64_t size_bytes; /* RFC 1870 */
    enum smtp_body body; /* RFC 6152 */
};

enum smtp_parameter_command { SMTP_PARAMETER_MAIL = 1, SMTP_PARAMETER_RCPT = 2 };

/* Words after the path. On anything but PARSE_OK *refusal is the reply, of which *word, where not
 * empty, is the end. */
MUST_USE enum parse_result smtp_parameters_parse(struct span text,
                                                 enum smtp_parameter_command command,
                                                 struct smtp_parameters *parameters,
                                                 struct outcome *refusal, struct span *word);

#endif
