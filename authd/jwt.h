/* authd/jwt - tokens that prove themselves: JSON Web Tokens (RFC 7519) signed with a key that the
 * administrator has given us, and what is said in them. Pure, by libcrypto; the caller has the
 * clock.
 * Callers: authd/token, the fuzzer. */
#ifndef AUTHD_JWT_H
#define AUTHD_JWT_H

#include <openssl/evp.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"

enum jwt_algorithm { JWT_HS256, JWT_RS256, JWT_ES256, JWT_EDDSA, JWT_ALGORITHM_COUNT };
enum { JWT_KEYS_MAX = 64, JWT_SECRET_MIN_BYTES = 32, JWT_MAX_BYTES = 32768 };

struct jwt_key {
    enum jwt_algorithm algorithm; /* the only one that it is used for: RFC 8725 section 3.1 */
    struct span id;               /* kid; empty: none */
    EVP_PKEY *key;                /* of the others */
    struct span secret;           /* of HS256 */
};

struct jwt_keys {
    struct jwt_key keys[JWT_KEYS_MAX];
    size_t count;
};

/* The contents of a file: public keys in PEM, or a JWK or a set of them (RFC 7517). Adds to *keys,
 * whose texts lie in the arena. Keys for other purposes and of other algorithms are passed over;
 * false, with a reason: nothing usable is in it. */
MUST_USE bool jwt_keys_add(struct jwt_keys *keys, struct span file, struct arena *arena,
                           struct buffer *reason);
void jwt_keys_release(struct jwt_keys *keys);

/* Looks like one: three parts, separated by points. */
MUST_USE bool jwt_is_one(struct span token);
/* Signed by one of the keys: *claims is the payload, JSON in the arena. False with a reason. */
MUST_USE bool jwt_verify(const struct jwt_keys *keys, struct span token, struct arena *arena,
                         struct span *claims, const char **reason);

/* What is asked of claims, and of the answer of an introspection (RFC 7662). Lists are words
 * separated by commas or blanks; an empty one asks nothing. */
struct claim_rules {
    struct span issuers;
    struct span audiences;
    struct span scopes;          /* all of them */
    struct span username_claims; /* the first that is there */
    int64_t leeway_s;
    bool is_introspection; /* it must be "active"; issuer and audience count where they are there */
};

/* Is it the answer of an introspection? Whatever it is otherwise says nothing of the token. */
MUST_USE bool claims_are_introspection(struct span text);
/* *user is in the arena. False with a reason; *is_expired: that is what is wrong. */
MUST_USE bool claims_check(struct span claims, const struct claim_rules *rules, int64_t now_s,
                           struct arena *arena, struct span *user, bool *is_expired,
                           const char **reason);

#endif
