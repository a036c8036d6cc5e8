/* sasl/scram - what a server keeps of a password for SCRAM (RFC 5802 section 3), and the arithmetic
 * of both sides. Pure, by libcrypto; deriving costs as much time as its iterations ask for.
 * Callers: lib/sasl, authd (stored verifiers, PLAIN against one), posthouse (making them). */
#ifndef SASL_SCRAM_H
#define SASL_SCRAM_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/parse.h"
#include "sasl/mechanism.h"

enum {
    SCRAM_SALT_MAX_BYTES = 128,
    /* What we make: RFC 5802 section 4 asks for 4096 at least, and its rise with time. */
    SCRAM_SALT_BYTES = 16,
    SCRAM_ITERATIONS = 4096,
    /* A second of one core at most. */
    SCRAM_ITERATIONS_MAX = 1000000,
    SCRAM_VERIFIER_TEXT_MAX_BYTES = 512
};

struct scram_verifier {
    enum sasl_hash hash;
    uint32_t iterations;
    size_t salt_length;
    uint8_t salt[SCRAM_SALT_MAX_BYTES];
    uint8_t stored_key[SASL_HASH_MAX_BYTES]; /* sasl_hash_length() of them, here and below */
    uint8_t server_key[SASL_HASH_MAX_BYTES];
};

/* Of a password as the user typed it. False when libcrypto refuses, the password is empty or too
 * long, or iterations or salt are out of bounds. */
MUST_USE bool scram_verifier_derive(enum sasl_hash hash, struct span password, struct span salt,
                                    uint32_t iterations, struct scram_verifier *verifier);
/* *matches: whether this is the password of which the verifier was made, compared in constant time.
 * False when libcrypto refuses. */
MUST_USE bool scram_verifier_check(const struct scram_verifier *verifier, struct span password,
                                   bool *matches);

/* The form of Dovecot's password databases, "{SCRAM-SHA-256}iterations,salt,StoredKey,ServerKey",
 * the last three in base64. */
MUST_USE enum parse_result scram_verifier_parse(struct span text, struct scram_verifier *verifier);
/* The part behind the brace. */
MUST_USE enum parse_result scram_verifier_parse_fields(enum sasl_hash hash, struct span text,
                                                       struct scram_verifier *verifier);
/* "SCRAM-SHA-256" and its like, without regard to case. */
MUST_USE bool scram_hash_from_scheme(struct span scheme, enum sasl_hash *hash);
/* With the scheme in braces. */
void scram_verifier_print(const struct scram_verifier *verifier, struct buffer *output);

/* ---- the arithmetic; lengths of keys are sasl_hash_length(hash) ---- */

MUST_USE bool scram_hmac(enum sasl_hash hash, struct span key, struct span text,
                         uint8_t out[SASL_HASH_MAX_BYTES]);
MUST_USE bool scram_hash(enum sasl_hash hash, struct span text, uint8_t out[SASL_HASH_MAX_BYTES]);
/* SaltedPassword := Hi(Normalize(password), salt, i) */
MUST_USE bool scram_salted_password(enum sasl_hash hash, struct span password, struct span salt,
                                    uint32_t iterations, uint8_t out[SASL_HASH_MAX_BYTES]);
/* Random bytes as letters and digits, "/" and "+". */
enum { SASL_RANDOM_BYTES = 18, SASL_NONCE_BYTES = 24 };
void sasl_nonce_print(const uint8_t random[SASL_RANDOM_BYTES], uint8_t nonce[SASL_NONCE_BYTES]);
/* Of equal length; in constant time. */
MUST_USE bool sasl_equal_secrets(struct span left, struct span right);

#endif
