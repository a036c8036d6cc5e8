/* sasl/mechanism - the SASL mechanisms (RFC 4422) that we speak: their names and what each is
 * worth. Pure. Callers: authd, submitd (what to offer), the rest of lib/sasl. */
#ifndef SASL_MECHANISM_H
#define SASL_MECHANISM_H

#include "base/buffer.h"

/* In the order in which a client prefers them. */
enum sasl_mechanism {
    SASL_EXTERNAL,           /* RFC 4422 appendix A */
    SASL_SCRAM_SHA_512_PLUS, /* RFC 5802 with another hash */
    SASL_SCRAM_SHA_512,
    SASL_SCRAM_SHA_256_PLUS, /* RFC 7677 */
    SASL_SCRAM_SHA_256,
    SASL_SCRAM_SHA_1_PLUS, /* RFC 5802 */
    SASL_SCRAM_SHA_1,
    SASL_CRAM_MD5, /* RFC 2195 */
    SASL_PLAIN,    /* RFC 4616 */
    SASL_LOGIN,    /* two prompts; never standardized */
    /* Behind all that take a password: a server offers both, and who has a token says so. */
    SASL_OAUTHBEARER, /* RFC 7628 */
    SASL_XOAUTH2,     /* its forerunner, as the large providers have it */
    SASL_ANONYMOUS,   /* RFC 4505 */
    SASL_MECHANISM_COUNT
};

/* A set of mechanisms, one bit each. */
#define SASL_BIT(mechanism) (UINT32_C(1) << (unsigned)(mechanism))

/* What a mechanism is, in the words of Postfix's ..._security_options. */
enum {
    SASL_IS_PLAINTEXT = 1,  /* the secret itself travels */
    SASL_IS_ANONYMOUS = 2,  /* nobody is named */
    SASL_IS_DICTIONARY = 4, /* who listens can guess passwords at leisure */
    SASL_IS_ACTIVE = 8,     /* who stands in the middle can make it his own session */
    SASL_IS_MUTUAL = 16     /* the server proves that it knows the password, too */
};

enum sasl_hash { SASL_HASH_SHA_1, SASL_HASH_SHA_256, SASL_HASH_SHA_512, SASL_HASH_COUNT };
enum { SASL_HASH_MAX_BYTES = 64 };

/* RFC 4954 section 4: a line of AUTH has 12288 bytes at most, which base64 makes of these. Longer
 * messages are malformed for every mechanism. */
enum { SASL_MESSAGE_MAX_BYTES = 9216 };
/* RFC 4616 section 2 and others: 255 must be taken. */
enum { SASL_NAME_MAX_BYTES = 255, SASL_PASSWORD_MAX_BYTES = 1024 };

/* Room for the arena of an exchange, whatever the other side sends. */
enum { SASL_ARENA_BYTES = 1 << 17 };

/* Names are compared without regard to case. False when there is no such mechanism. */
MUST_USE bool sasl_mechanism_from_name(struct span name, enum sasl_mechanism *mechanism);
/* The one of a set that a client prefers; false when it is empty. */
MUST_USE bool sasl_mechanism_choose(uint32_t set, enum sasl_mechanism *mechanism);
const char *sasl_mechanism_name(enum sasl_mechanism mechanism);
/* SASL_IS_... bits. */
unsigned sasl_mechanism_properties(enum sasl_mechanism mechanism);
/* The SCRAM family; *hash and *is_plus are set only if it is of that. */
bool sasl_mechanism_is_scram(enum sasl_mechanism mechanism, enum sasl_hash *hash, bool *is_plus);

/* "SHA-1", as in the name of the mechanism. */
const char *sasl_hash_name(enum sasl_hash hash);
size_t sasl_hash_length(enum sasl_hash hash);

/* Channel bindings. The bytes come from whoever has the TLS connection. */
enum sasl_binding {                            /* in the order in which a client prefers them */
                    SASL_BINDING_TLS_UNIQUE,   /* RFC 5929 section 3: TLS 1.2 and before, the usual
                                                  one */
                    SASL_BINDING_TLS_EXPORTER, /* RFC 9266: TLS 1.3, and 1.2 with extended master
                                                  secret */
                    SASL_BINDING_TLS_SERVER_END_POINT, /* RFC 5929 section 4: hash of the server's
                                                          certificate */
                    SASL_BINDING_COUNT
};

/* An empty span: this connection has no such binding. */
struct sasl_bindings {
    struct span bytes[SASL_BINDING_COUNT];
};

const char *sasl_binding_name(enum sasl_binding binding);
/* Names are exact (RFC 5802 section 7: cb-name). */
MUST_USE bool sasl_binding_from_name(struct span name, enum sasl_binding *binding);
/* Whether there is any. */
bool sasl_bindings_exist(const struct sasl_bindings *bindings);

#endif
