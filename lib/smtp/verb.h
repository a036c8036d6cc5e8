/* smtp/verb - the names of SMTP commands (RFC 5321 section 4.1.1 and extensions).
 * Pure. Callers: smtp/command, lib/smtpsession. */
#ifndef SMTP_VERB_H
#define SMTP_VERB_H

#include "base/span.h"

enum smtp_verb {
    SMTP_VERB_UNKNOWN,
    SMTP_VERB_HELO,
    SMTP_VERB_EHLO,
    SMTP_VERB_MAIL,
    SMTP_VERB_RCPT,
    SMTP_VERB_DATA,
    SMTP_VERB_RSET,
    SMTP_VERB_NOOP,
    SMTP_VERB_VRFY,
    SMTP_VERB_EXPN,
    SMTP_VERB_HELP,
    SMTP_VERB_QUIT,
    SMTP_VERB_ETRN,
    SMTP_VERB_AUTH,
    SMTP_VERB_STARTTLS,
    SMTP_VERB_BDAT,
    SMTP_VERB_XCLIENT,
    SMTP_VERB_XFORWARD,
    SMTP_VERB_LHLO, /* RFC 2033 */
    SMTP_VERB_COUNT
};

/* Any case; SMTP_VERB_UNKNOWN where the name is none of them. */
MUST_USE enum smtp_verb smtp_verb_from_name(struct span name);
/* Upper case; "UNKNOWN" for SMTP_VERB_UNKNOWN. */
const char *smtp_verb_name(enum smtp_verb verb);

#endif
