/* password/crypt - schemes of crypt(5), by libxcrypt, and Argon2, by its own library. */
#include "config.h"

#include "password/private.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#ifdef HAVE_ARGON2
#include <argon2.h>
#endif

enum {
    CRYPT_SALT_BYTES = 16,
    /* Argon2id as RFC 9106 section 4 has it where memory is short (64 MiB, three passes, one lane
     * here: a worker has one core). */
    ARGON2_PASSES = 3,
    ARGON2_MEMORY_KIB = 65536,
    ARGON2_LANES = 1,
    ARGON2_HASH_BYTES = 32,
    ARGON2_TEXT_BYTES = 256
};

bool password_equal(struct span left, struct span right)
{
    return left.length == right.length &&
           (left.length == 0 || CRYPTO_memcmp(left.bytes, right.bytes, left.length) == 0);
}

/* What crypt() computes is in *data. NULL: it cannot. */
static const char *compute(struct span password, struct span setting, struct crypt_data *data)
{
    char phrase[PASSWORD_MAX_BYTES + 1];
    char text[PASSWORD_STORED_MAX_BYTES + 1];
    if (password.length > PASSWORD_MAX_BYTES || setting.length > PASSWORD_STORED_MAX_BYTES ||
        memchr(password.bytes, '\0', password.length) != NULL)
        return NULL; /* what stands behind a NUL would not count */
    memcpy(phrase, password.bytes, password.length);
    phrase[password.length] = '\0';
    memcpy(text, setting.bytes, setting.length);
    text[setting.length] = '\0';
    const char *result = crypt_rn(phrase, text, data, (int)sizeof(*data));
    OPENSSL_cleanse(phrase, sizeof(phrase));
    return result && result[0] != '*' ? result : NULL;
}

enum password_result crypt_verify(struct span hash, const char *prefix, struct span password)
{
    enum password_result verdict = PASSWORD_UNUSABLE;
    /* "!" and "*" lock an account (shadow(5)), which is no fault of the file. */
    if (hash.length == 0 || hash.bytes[0] == '!' || hash.bytes[0] == '*')
        return PASSWORD_DIFFERS;
    if (prefix && !span_starts_with(hash, span_from_string(prefix)))
        return PASSWORD_UNUSABLE;
    struct crypt_data *data = calloc(1, sizeof(*data));
    if (!data)
        return PASSWORD_UNUSABLE;
    const char *result = compute(password, hash, data);
    if (result)
        verdict =
            password_equal(span_from_string(result), hash) ? PASSWORD_MATCHES : PASSWORD_DIFFERS;
    else if (compute(SPAN("x"), hash, data))
        verdict = PASSWORD_DIFFERS; /* it is the password that crypt() does not take */
    OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return verdict;
}

bool crypt_make(const char *prefix, uint32_t cost, struct span password,
                const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    bool is_made = false;
    if (!crypt_gensalt_rn(prefix, cost, (const char *)random, CRYPT_SALT_BYTES, setting,
                          sizeof(setting)))
        return false;
    struct crypt_data *data = calloc(1, sizeof(*data));
    const char *result = data ? compute(password, span_from_string(setting), data) : NULL;
    if (result) {
        buffer_append_string(output, result);
        is_made = true;
    }
    if (data)
        OPENSSL_cleanse(data, sizeof(*data));
    free(data);
    return is_made;
}

#ifdef HAVE_ARGON2
enum password_result argon2_check(struct span hash, struct span password)
{
    char text[PASSWORD_STORED_MAX_BYTES + 1];
    argon2_type type = Argon2_id;
    if (hash.length > PASSWORD_STORED_MAX_BYTES || password.length > PASSWORD_MAX_BYTES)
        return PASSWORD_UNUSABLE;
    if (span_starts_with(hash, SPAN("$argon2i$")))
        type = Argon2_i;
    else if (span_starts_with(hash, SPAN("$argon2d$")))
        type = Argon2_d;
    else if (!span_starts_with(hash, SPAN("$argon2id$")))
        return PASSWORD_UNUSABLE;
    memcpy(text, hash.bytes, hash.length);
    text[hash.length] = '\0';
    const int result = argon2_verify(text, password.bytes, password.length, type);
    if (result == ARGON2_OK)
        return PASSWORD_MATCHES;
    return result == ARGON2_VERIFY_MISMATCH ? PASSWORD_DIFFERS : PASSWORD_UNUSABLE;
}

bool argon2_make(bool is_id, uint32_t cost, struct span password,
                 const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output)
{
    char text[ARGON2_TEXT_BYTES];
    const uint32_t passes = cost ? cost : ARGON2_PASSES;
    const int result =
        is_id ? argon2id_hash_encoded(passes, ARGON2_MEMORY_KIB, ARGON2_LANES, password.bytes,
                                      password.length, random, CRYPT_SALT_BYTES, ARGON2_HASH_BYTES,
                                      text, sizeof(text))
              : argon2i_hash_encoded(passes, ARGON2_MEMORY_KIB, ARGON2_LANES, password.bytes,
                                     password.length, random, CRYPT_SALT_BYTES, ARGON2_HASH_BYTES,
                                     text, sizeof(text));
    if (result != ARGON2_OK)
        return false;
    buffer_append_string(output, text);
    return true;
}
#else
enum password_result argon2_check(struct span hash UNUSED, struct span password UNUSED)
{
    return PASSWORD_UNUSABLE;
}

bool argon2_make(bool is_id UNUSED, uint32_t cost UNUSED, struct span password UNUSED,
                 const uint8_t random[PASSWORD_RANDOM_BYTES] UNUSED, struct buffer *output UNUSED)
{
    return false;
}
#endif
