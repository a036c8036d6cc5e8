/* password/private - the families of schemes, for password/scheme. */
#ifndef PASSWORD_PRIVATE_H
#define PASSWORD_PRIVATE_H

#include "password/scheme.h"

/* names.c */
enum family {
    FAMILY_PLAIN,
    FAMILY_CRYPT,
    FAMILY_ARGON2,
    FAMILY_DIGEST,
    FAMILY_PBKDF2,
    FAMILY_CRAM_MD5,
    FAMILY_SCRAM
};

struct scheme {
    const char *name;
    enum family family;
    const char *detail; /* crypt(5)'s prefix, the digest */
    bool is_salted;
    bool is_hex; /* unless an encoding is named */
    bool is_made;
};

/* NULL when there is none. */
const struct scheme *scheme_find_named(struct span name);
/* The same for "NAME.ENCODING"; hash: what is stored, by which some names are told apart. */
const struct scheme *scheme_find(struct span name, struct span hash, struct span *encoding);
/* The scheme whose mark the hash bears, in place of one that takes any. They stand in an array,
 * strongest first. */
const struct scheme *scheme_find_of_hash(const struct scheme *scheme, struct span hash);

/* Equal, in a time that does not tell where they differ. */
MUST_USE bool password_equal(struct span left, struct span right);

/* crypt(5), all of it; prefix: how the hash has to begin, or NULL. */
MUST_USE enum password_result crypt_verify(struct span hash, const char *prefix,
                                           struct span password);
MUST_USE bool crypt_make(const char *prefix, uint32_t cost, struct span password,
                         const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output);
/* Argon2, in its encoded form. */
MUST_USE enum password_result argon2_check(struct span hash, struct span password);
MUST_USE bool argon2_make(bool is_id, uint32_t cost, struct span password,
                          const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output);
/* A digest of the password and, where is_salted, of the salt behind it. encoding: "", "HEX", "B64",
 * "BASE64". */
MUST_USE enum password_result digest_verify(struct span hash, const char *digest, bool is_salted,
                                            bool is_hex, struct span encoding,
                                            struct span password);
MUST_USE bool digest_make(const char *digest, bool is_salted, struct span password,
                          const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output);
/* $1$salt$rounds$hex: PBKDF2 with SHA-1, of Dovecot. */
MUST_USE enum password_result pbkdf2_verify(struct span hash, struct span password);
MUST_USE bool pbkdf2_make(uint32_t cost, struct span password,
                          const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output);
/* The two halves of an HMAC-MD5 (RFC 2195) under the password as key, in hexadecimal. */
MUST_USE enum password_result cram_md5_verify(struct span hash, struct span password);
MUST_USE bool cram_md5_make(struct span password, struct buffer *output);

#endif
