/* sasl/scram - see scram.h. */
#include "sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"
#include "base/number.h"
#include "sasl/prep.h"

static const char *const openssl_names[SASL_HASH_COUNT] = {
    [SASL_HASH_SHA_1] = "SHA1",
    [SASL_HASH_SHA_256] = "SHA2-256",
    [SASL_HASH_SHA_512] = "SHA2-512",
};

static const char scheme_begin[] = "SCRAM-";

bool sasl_equal_secrets(struct span left, struct span right)
{
    return left.length == right.length && CRYPTO_memcmp(left.bytes, right.bytes, left.length) == 0;
}

void sasl_nonce_print(const uint8_t random[SASL_RANDOM_BYTES], uint8_t nonce[SASL_NONCE_BYTES])
{
    uint8_t text[SASL_NONCE_BYTES + 1];                     /* libcrypto ends it with a NUL */
    (void)EVP_EncodeBlock(text, random, SASL_RANDOM_BYTES); /* cannot fail */
    memcpy(nonce, text, SASL_NONCE_BYTES);
}

bool scram_hmac(enum sasl_hash hash, struct span key, struct span text,
                uint8_t out[SASL_HASH_MAX_BYTES])
{
    size_t length = 0;
    return EVP_Q_mac(NULL, "HMAC", NULL, openssl_names[hash], NULL, key.bytes, key.length,
                     text.bytes, text.length, out, SASL_HASH_MAX_BYTES, &length) != NULL &&
           length == sasl_hash_length(hash);
}

bool scram_hash(enum sasl_hash hash, struct span text, uint8_t out[SASL_HASH_MAX_BYTES])
{
    size_t length = 0;
    return EVP_Q_digest(NULL, openssl_names[hash], NULL, text.bytes, text.length, out, &length) ==
               1 &&
           length == sasl_hash_length(hash);
}

/* RFC 5802 section 2.2: Hi() is PBKDF2 with HMAC. */
bool scram_salted_password(enum sasl_hash hash, struct span password, struct span salt,
                           uint32_t iterations, uint8_t out[SASL_HASH_MAX_BYTES])
{
    struct arena arena;
    struct span prepared;
    bool is_good = false;

    if (iterations < 1 || iterations > SCRAM_ITERATIONS_MAX || salt.length < 1 ||
        salt.length > SCRAM_SALT_MAX_BYTES)
        return false;
    arena_init(&arena, 32768, ARENA_WIPE);
    EVP_MD *digest = EVP_MD_fetch(NULL, openssl_names[hash], NULL);
    if (digest && sasl_prep_password(password, &arena, &prepared) == PARSE_OK)
        is_good = PKCS5_PBKDF2_HMAC((const char *)prepared.bytes, (int)prepared.length, salt.bytes,
                                    (int)salt.length, (int)iterations, digest,
                                    (int)sasl_hash_length(hash), out) == 1;
    EVP_MD_free(digest);
    arena_destroy(&arena);
    return is_good;
}

bool scram_verifier_derive(enum sasl_hash hash, struct span password, struct span salt,
                           uint32_t iterations, struct scram_verifier *verifier)
{
    const size_t length = sasl_hash_length(hash);
    uint8_t salted[SASL_HASH_MAX_BYTES], client_key[SASL_HASH_MAX_BYTES];

    *verifier = (struct scram_verifier){.hash = hash, .iterations = iterations};
    const bool is_good =
        scram_salted_password(hash, password, salt, iterations, salted) &&
        scram_hmac(hash, span_of(salted, length), SPAN("Client Key"), client_key) &&
        scram_hash(hash, span_of(client_key, length), verifier->stored_key) &&
        scram_hmac(hash, span_of(salted, length), SPAN("Server Key"), verifier->server_key);
    if (is_good) {
        memcpy(verifier->salt, salt.bytes, salt.length);
        verifier->salt_length = salt.length;
    }
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(client_key, sizeof(client_key));
    return is_good;
}

bool scram_verifier_check(const struct scram_verifier *verifier, struct span password,
                          bool *matches)
{
    const size_t length = sasl_hash_length(verifier->hash);
    struct scram_verifier derived;

    *matches = false;
    /* No password that anybody may have. */
    if (span_is_empty(password) || password.length > SASL_PASSWORD_MAX_BYTES)
        return true;
    const bool is_good = scram_verifier_derive(verifier->hash, password,
                                               span_of(verifier->salt, verifier->salt_length),
                                               verifier->iterations, &derived);
    if (is_good)
        *matches = sasl_equal_secrets(span_of(derived.stored_key, length),
                                      span_of(verifier->stored_key, length));
    OPENSSL_cleanse(&derived, sizeof(derived));
    return is_good;
}

bool scram_hash_from_scheme(struct span scheme, enum sasl_hash *hash)
{
    const struct span begin = span_from_string(scheme_begin);
    if (!span_starts_with_ascii_nocase(scheme, begin))
        return false;
    for (size_t i = 0; i < SASL_HASH_COUNT; i++)
        if (span_equals_ascii_nocase(span_after(scheme, begin.length),
                                     span_from_string(sasl_hash_name((enum sasl_hash)i)))) {
            *hash = (enum sasl_hash)i;
            return true;
        }
    return false;
}

/* Exactly length bytes, or between one and the size with length 0. */
static bool parse_bytes(struct span text, uint8_t *out, size_t size, size_t *length)
{
    struct buffer decoded;
    buffer_init(&decoded, NULL, size);
    const bool is_good = base64_decode(text, &decoded) == PARSE_OK && buffer_ok(&decoded) &&
                         decoded.length > 0 && (*length == 0 || decoded.length == *length);
    if (is_good) {
        memcpy(out, decoded.bytes, decoded.length);
        *length = decoded.length;
    }
    if (decoded.bytes)
        OPENSSL_cleanse(decoded.bytes, decoded.allocated);
    buffer_release(&decoded);
    return is_good;
}

enum parse_result scram_verifier_parse_fields(enum sasl_hash hash, struct span text,
                                              struct scram_verifier *verifier)
{
    struct span iterations, salt, stored_key, server_key, rest;
    uint64_t count = 0;
    size_t stored_length = sasl_hash_length(hash), server_length = stored_length;

    if (text.length > SCRAM_VERIFIER_TEXT_MAX_BYTES)
        return PARSE_TOO_LONG;
    *verifier = (struct scram_verifier){.hash = hash};
    if (!span_split_once(text, ',', &iterations, &rest) ||
        !span_split_once(rest, ',', &salt, &rest) ||
        !span_split_once(rest, ',', &stored_key, &server_key) ||
        !number_parse_uint64(iterations, SCRAM_ITERATIONS_MAX, &count) || count < 1 ||
        !parse_bytes(salt, verifier->salt, sizeof(verifier->salt), &verifier->salt_length) ||
        !parse_bytes(stored_key, verifier->stored_key, stored_length, &stored_length) ||
        !parse_bytes(server_key, verifier->server_key, server_length, &server_length)) {
        OPENSSL_cleanse(verifier, sizeof(*verifier));
        return PARSE_MALFORMED;
    }
    verifier->iterations = (uint32_t)count;
    return PARSE_OK;
}

enum parse_result scram_verifier_parse(struct span text, struct scram_verifier *verifier)
{
    enum sasl_hash hash;
    const size_t end = span_find_byte(text, '}');
    if (!span_starts_with(text, SPAN("{")) || end == text.length ||
        !scram_hash_from_scheme(span_between(text, 1, end), &hash))
        return PARSE_MALFORMED;
    return scram_verifier_parse_fields(hash, span_after(text, end + 1), verifier);
}

void scram_verifier_print(const struct scram_verifier *verifier, struct buffer *output)
{
    const size_t length = sasl_hash_length(verifier->hash);
    buffer_append_format(output, "{%s%s}%u,", scheme_begin, sasl_hash_name(verifier->hash),
                         verifier->iterations);
    base64_encode(span_of(verifier->salt, verifier->salt_length), output);
    buffer_append_byte(output, ',');
    base64_encode(span_of(verifier->stored_key, length), output);
    buffer_append_byte(output, ',');
    base64_encode(span_of(verifier->server_key, length), output);
}
