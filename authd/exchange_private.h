/* authd/exchange_private - an exchange from inside, for authd/exchange and authd/forward. */
#ifndef AUTHD_EXCHANGE_PRIVATE_H
#define AUTHD_EXCHANGE_PRIVATE_H

#include "exchange.h"
#include "lockout.h"
#include "sasl/server.h"
#include "verdict.h"

struct exchange {
    struct list_link link; /* authd->exchanges */
    struct authd *authd;
    struct exchange_owner owner;
    struct task *task;
    struct arena arena; /* wiped */
    struct auth_start start;
    enum sasl_mechanism mechanism;
    struct sasl_server *sasl;
    struct span response;
    bool awaits_response;
    bool has_response;
    bool is_abandoned;
    int64_t asked_ms;          /* when the client said what it said last */
    struct span user;          /* as databases know it, as soon as there is one */
    struct span login;         /* the name that they were asked for */
    struct span password_name; /* of the app password that matched */
    struct verdict verdict;    /* the last */
    struct lockout lockout;
    bool is_counted;           /* the lockout has let this attempt pass, and hears of its end */
    bool is_token_refused;     /* and the client has been told */
    struct span password;      /* that was judged; empty where the mechanism hides it */
    enum auth_failure failure; /* why, where a verdict says more than the mechanism */
    const char *reason;
};

/* From the exchange's task. Sends the challenge and waits for the response, exchange->response;
 * false: the client took too long, or nobody is interested any more. */
MUST_USE bool exchange_challenge(struct exchange *exchange, struct span challenge);
/* The three ends: an answer, a log line. reason is for the log. */
void exchange_fail(struct exchange *exchange, enum auth_failure failure, const char *reason);
void exchange_put_off(struct exchange *exchange, const char *reason);
/* message: for the client, with its success; NULL: none. */
void exchange_succeed(struct exchange *exchange, struct span authorization,
                      const struct span *message);

#endif
