/* password/scheme - see scheme.h. */
#include "password/private.h"

#include <openssl/crypto.h>

#include "base/number.h"
#include "sasl/scram.h"

enum { SHA_CRYPT_ROUNDS = 5000 };

static enum password_result verify_scram(const struct scheme *scheme, struct span hash,
                                         struct span password)
{
    struct scram_verifier verifier;
    enum sasl_hash digest;
    bool matches = false;
    if (!scram_hash_from_scheme(span_from_string(scheme->name), &digest) ||
        scram_verifier_parse_fields(digest, hash, &verifier) != PARSE_OK)
        return PASSWORD_UNUSABLE;
    if (!scram_verifier_check(&verifier, password, &matches))
        return PASSWORD_UNUSABLE;
    OPENSSL_cleanse(&verifier, sizeof(verifier));
    return matches ? PASSWORD_MATCHES : PASSWORD_DIFFERS;
}

enum password_result password_verify(struct span stored, struct span default_scheme,
                                     struct span user, struct span password)
{
    struct span name, hash, encoding;
    (void)user; /* of the schemes that are built none mixes it in */
    if (password.length > PASSWORD_MAX_BYTES || stored.length > PASSWORD_STORED_MAX_BYTES)
        return PASSWORD_DIFFERS;
    password_split(stored, default_scheme, &name, &hash);
    const struct scheme *scheme = scheme_find(name, hash, &encoding);
    if (!scheme)
        return PASSWORD_UNUSABLE;
    switch (scheme->family) {
    case FAMILY_PLAIN:
        return hash.length > 0 && password_equal(hash, password) ? PASSWORD_MATCHES
                                                                 : PASSWORD_DIFFERS;
    case FAMILY_CRYPT:
        /* {CRYPT} with Argon2 behind it is how some databases were filled. */
        if (span_starts_with(hash, SPAN("$argon2")))
            return argon2_check(hash, password);
        return crypt_verify(hash, scheme->detail, password);
    case FAMILY_ARGON2:
        return argon2_check(hash, password);
    case FAMILY_DIGEST:
        return digest_verify(hash, scheme->detail, scheme->is_salted, scheme->is_hex, encoding,
                             password);
    case FAMILY_PBKDF2:
        return pbkdf2_verify(hash, password);
    case FAMILY_CRAM_MD5:
        return cram_md5_verify(hash, password);
    case FAMILY_SCRAM:
        return verify_scram(scheme, hash, password);
    }
    return PASSWORD_UNUSABLE;
}

static bool make_scram(const struct scheme *scheme, uint32_t cost, struct span password,
                       const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *stored)
{
    struct scram_verifier verifier;
    enum sasl_hash digest;
    if (!scram_hash_from_scheme(span_from_string(scheme->name), &digest) ||
        !scram_verifier_derive(digest, password, span_of(random, SCRAM_SALT_BYTES),
                               cost ? cost : SCRAM_ITERATIONS, &verifier))
        return false;
    scram_verifier_print(&verifier, stored);
    OPENSSL_cleanse(&verifier, sizeof(verifier));
    return true;
}

static bool has_cost(const struct scheme *scheme)
{
    return scheme->family == FAMILY_SCRAM || scheme->family == FAMILY_PBKDF2 ||
           scheme->family == FAMILY_ARGON2 ||
           (scheme->family == FAMILY_CRYPT && strcmp(scheme->name, "MD5-CRYPT") != 0);
}

bool password_make(struct span scheme_name, uint32_t cost, struct span password,
                   const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *stored)
{
    const struct scheme *scheme = scheme_find_named(scheme_name);
    if (!scheme || !scheme->is_made || password.length > PASSWORD_MAX_BYTES ||
        password.length == 0 || (cost != 0 && !has_cost(scheme)))
        return false;
    if (scheme->family == FAMILY_SCRAM)
        return make_scram(scheme, cost, password, random, stored);
    buffer_append_format(stored, "{%s}", scheme->name);
    switch (scheme->family) {
    case FAMILY_PLAIN:
        buffer_append_span(stored, password);
        return true;
    case FAMILY_CRYPT:
        return crypt_make(strcmp(scheme->detail, "$2") == 0 ? "$2b$" : scheme->detail, cost,
                          password, random, stored);
    case FAMILY_ARGON2:
        return argon2_make(strcmp(scheme->name, "ARGON2ID") == 0, cost, password, random, stored);
    case FAMILY_DIGEST:
        return digest_make(scheme->detail, scheme->is_salted, password, random, stored);
    case FAMILY_PBKDF2:
        return pbkdf2_make(cost, password, random, stored);
    case FAMILY_CRAM_MD5:
        return cram_md5_make(password, stored);
    case FAMILY_SCRAM:
        break;
    }
    return false;
}

/* The first number behind a key or a dollar that is a cost, where a scheme shows one; 0: none. */
static uint64_t cost_of(const struct scheme *scheme, struct span hash)
{
    struct span part = span_empty(), rest = hash;
    uint64_t cost = 0;
    if (strcmp(scheme->name, "BLF-CRYPT") == 0) {
        part = span_between(hash, 4, 6); /* $2b$10$ */
    } else if (scheme->family == FAMILY_SCRAM) {
        (void)span_split_once(hash, ',', &part, &rest);
    } else if (scheme->family == FAMILY_PBKDF2) {
        for (int i = 0; i < 4; i++)
            (void)span_split_once(rest, '$', &part, &rest);
    } else {
        const struct span key = scheme->family == FAMILY_ARGON2 ? SPAN(",t=") : SPAN("$rounds=");
        rest = span_after(hash, span_find(hash, key) + key.length);
        (void)span_split_once(rest, scheme->family == FAMILY_ARGON2 ? ',' : '$', &part, &rest);
    }
    if (number_parse_uint64(part, UINT32_MAX, &cost))
        return cost;
    /* crypt(5) leaves out what is usual. */
    return strcmp(scheme->name, "SHA512-CRYPT") == 0 || strcmp(scheme->name, "SHA256-CRYPT") == 0
               ? SHA_CRYPT_ROUNDS
               : 0;
}

bool password_is_weaker(struct span stored, struct span default_scheme, struct span wanted,
                        uint32_t cost)
{
    struct span name, hash, encoding;
    password_split(stored, default_scheme, &name, &hash);
    const struct scheme *target = scheme_find_named(wanted);
    const struct scheme *present = scheme_find_of_hash(scheme_find(name, hash, &encoding), hash);
    if (!target || !target->is_made || !present)
        return false;
    if (present == target)
        return cost != 0 && cost_of(present, hash) < cost;
    return present > target;
}
