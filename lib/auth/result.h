/* auth/result - how a step of an authentication ends. Pure data; the numbers travel in messages
 * and are never given another meaning. */
#ifndef AUTH_RESULT_H
#define AUTH_RESULT_H

enum auth_result {
    AUTH_CHALLENGE, /* for the client; auth_exchange_continue() takes its response */
    AUTH_SUCCESS,
    AUTH_FAILURE,   /* trying the same again is no use */
    AUTH_TEMPORARY, /* nothing was found out, or nobody is to find out now */
    AUTH_RESULT_COUNT
};

enum auth_failure {
    AUTH_FAILURE_NONE,
    AUTH_FAILURE_CREDENTIALS,   /* unknown user, wrong password: never said which */
    AUTH_FAILURE_MALFORMED,     /* what the client sent is not of that mechanism */
    AUTH_FAILURE_MECHANISM,     /* there is no such mechanism here */
    AUTH_FAILURE_ENCRYPTION,    /* not without TLS */
    AUTH_FAILURE_CANCELLED,     /* by the client */
    AUTH_FAILURE_DISABLED,      /* the account is closed */
    AUTH_FAILURE_EXPIRED,       /* the password is too old, or the token */
    AUTH_FAILURE_SCOPE,         /* right, but not for this service */
    AUTH_FAILURE_ADDRESS,       /* right, but not from this address */
    AUTH_FAILURE_AUTHORIZATION, /* right, but no right to act as that user */
    AUTH_FAILURE_BINDING,       /* not bound to this TLS connection */
    AUTH_FAILURE_LOCKED,        /* with AUTH_TEMPORARY: too many failures lately */
    AUTH_FAILURE_COUNT
};

#endif
