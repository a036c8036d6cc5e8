/* auth/mechanism - what a SASL mechanism is like, as far as those care who offer it. Pure data.
 * The bits travel in messages: they are never given another meaning.
 * Callers: lib/auth's client, authd, whoever offers mechanisms to clients. */
#ifndef AUTH_MECHANISM_H
#define AUTH_MECHANISM_H

#include "base/span.h"

enum auth_property {
    AUTH_PLAINTEXT = 1 << 0,       /* the password goes over the line as it is */
    AUTH_ACTIVE = 1 << 1,          /* open to somebody between client and server */
    AUTH_DICTIONARY = 1 << 2,      /* who listens can guess passwords */
    AUTH_ANONYMOUS = 1 << 3,       /* nobody in particular */
    AUTH_FORWARD_SECRECY = 1 << 4, /* breaking one session breaks no other */
    AUTH_MUTUAL = 1 << 5,          /* the server proves that it knows the password, too */
    AUTH_BINDING = 1 << 6,         /* bound to the TLS connection: only inside of one */
    AUTH_CERTIFICATE = 1 << 7,     /* the client's certificate says who it is */
    AUTH_PRIVATE = 1 << 8,         /* not to be offered, but there */
};

enum { AUTH_MECHANISM_NAME_MAX_BYTES = 64, AUTH_MECHANISMS_MAX = 32 };

struct auth_mechanism {
    struct span name;
    unsigned properties; /* of enum auth_property */
};

/* Whether a client can use it on such a connection. What administrators leave out beyond that
 * (smtpd_sasl_security_options) is for the caller. */
static inline bool auth_mechanism_fits(const struct auth_mechanism *mechanism, bool is_encrypted,
                                       bool has_certificate)
{
    return (mechanism->properties & AUTH_PRIVATE) == 0 &&
           (is_encrypted || (mechanism->properties & AUTH_BINDING) == 0) &&
           (has_certificate || (mechanism->properties & AUTH_CERTIFICATE) == 0);
}

#endif
