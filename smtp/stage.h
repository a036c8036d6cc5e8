/* smtp/stage - what a server and this process say to each other has stages; each has its time
 * limit, and Postfix's words for what was being done and what a reply answers.
 * Pure. Callers: smtp/connection, smtp/transaction. */
#ifndef SMTP_STAGE_H
#define SMTP_STAGE_H

#include "conf/smtp.h"

enum connection_stage {
    STAGE_GREETING,
    STAGE_EHLO,
    STAGE_HELO,
    STAGE_LHLO, /* RFC 2033 section 4.1 */
    STAGE_STARTTLS,
    STAGE_XFORWARD_CLIENT,
    STAGE_XFORWARD_SESSION,
    STAGE_MAIL,
    STAGE_RCPT,
    STAGE_DATA,
    STAGE_CONTENT,
    STAGE_END_OF_DATA,
    STAGE_RSET,
    STAGE_QUIT
};

/* "while ..." and "in reply to ..." */
const char *stage_doing(enum connection_stage stage);
const char *stage_request(enum connection_stage stage);
int64_t stage_timeout_ms(const struct conf_smtp *settings, enum connection_stage stage);
/* The server has not yet said that it takes mail from us at all. */
bool stage_is_welcome(enum connection_stage stage);

#endif
