/* smtp/verb - see verb.h. */
#include "smtp/verb.h"

static const char *const verb_names[SMTP_VERB_COUNT] = {
    [SMTP_VERB_UNKNOWN] = "UNKNOWN",   [SMTP_VERB_HELO] = "HELO",
    [SMTP_VERB_EHLO] = "EHLO",         [SMTP_VERB_MAIL] = "MAIL",
    [SMTP_VERB_RCPT] = "RCPT",         [SMTP_VERB_DATA] = "DATA",
    [SMTP_VERB_RSET] = "RSET",         [SMTP_VERB_NOOP] = "NOOP",
    [SMTP_VERB_VRFY] = "VRFY",         [SMTP_VERB_EXPN] = "EXPN",
    [SMTP_VERB_HELP] = "HELP",         [SMTP_VERB_QUIT] = "QUIT",
    [SMTP_VERB_ETRN] = "ETRN",         [SMTP_VERB_AUTH] = "AUTH",
    [SMTP_VERB_STARTTLS] = "STARTTLS", [SMTP_VERB_BDAT] = "BDAT",
    [SMTP_VERB_XCLIENT] = "XCLIENT",   [SMTP_VERB_XFORWARD] = "XFORWARD",
    [SMTP_VERB_LHLO] = "LHLO",
};

enum smtp_verb smtp_verb_from_name(struct span name)
{
    for (int verb = SMTP_VERB_UNKNOWN + 1; verb < SMTP_VERB_COUNT; verb++)
        if (span_equals_ascii_nocase(name, span_from_string(verb_names[verb])))
            return (enum smtp_verb)verb;
    return SMTP_VERB_UNKNOWN;
}

const char *smtp_verb_name(enum smtp_verb verb)
{
    return verb_names[verb];
}
