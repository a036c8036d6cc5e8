/* authd/verdict - ask the password databases one after the other.
 * The first that knows the user decides. Where one cannot be asked and no other says yes, nothing
 * is known: a database that is down makes nobody's password wrong.
 * Callers: authd/exchange. */
#ifndef AUTHD_VERDICT_H
#define AUTHD_VERDICT_H

#include "authd.h"

struct verdict {
    enum credential_result result;
    struct span user;     /* as the database writes it */
    struct span name;     /* of the app password */
    struct span verifier; /* of verdict_find(): with its {SCHEME} */
    struct span reason;   /* for the log */
};

/* The log line of a database that cannot be asked: once, and again as long as that lasts; and of
 * one that can be asked again. */
void verdict_report_trouble(struct authd *authd, struct trouble *trouble, struct span database,
                            struct span reason);
void verdict_report_end(struct authd *authd, struct trouble *trouble, struct span database);

/* From a task. asker: for whom, as an exchange's owner has it; they take turns. */
void verdict_check(struct authd *authd, uint32_t asker, const struct credential_question *question,
                   struct arena *arena, struct verdict *verdict);
/* From a task: what the mechanism needs; CREDENTIAL_MATCH: there it is. */
void verdict_find(struct authd *authd, uint32_t asker, const struct credential_question *question,
                  struct span scheme, struct arena *arena, struct verdict *verdict);

#endif
