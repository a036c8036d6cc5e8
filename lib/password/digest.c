/* password/digest - schemes that are one digest, salted or not, and Dovecot's PBKDF2. They are
 * weak and there to be read (RFC 2307 section 5.3 and its descendants), so that databases can be
 * taken over as they are. */
#include "password/private.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/ascii.h"
#include "base/base64.h"
#include "base/number.h"

enum { SALT_BYTES = 8, PBKDF2_ROUNDS = 5000, PBKDF2_ROUNDS_MAX = 10000000, PBKDF2_KEY_BYTES = 20 };

static bool compute(const char *digest, struct span password, struct span salt,
                    uint8_t out[EVP_MAX_MD_SIZE], size_t *length)
{
    unsigned written = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_MD *method = EVP_MD_fetch(NULL, digest, NULL);
    const bool is_done = context && method && EVP_DigestInit_ex(context, method, NULL) &&
                         EVP_DigestUpdate(context, password.bytes, password.length) &&
                         EVP_DigestUpdate(context, salt.bytes, salt.length) &&
                         EVP_DigestFinal_ex(context, out, &written);
    EVP_MD_CTX_free(context);
    EVP_MD_free(method);
    *length = written;
    return is_done;
}

static bool is_all_hex(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (ascii_hex_value(text.bytes[i]) < 0)
            return false;
    return true;
}

enum password_result digest_verify(struct span hash, const char *digest, bool is_salted,
                                   bool is_hex, struct span encoding, struct span password)
{
    uint8_t computed[EVP_MAX_MD_SIZE];
    size_t length;
    struct buffer decoded;
    enum password_result result = PASSWORD_UNUSABLE;
    if (!compute(digest, SPAN(""), SPAN(""), computed, &length))
        return PASSWORD_UNUSABLE;
    if (span_equals_ascii_nocase(encoding, SPAN("HEX")))
        is_hex = true;
    else if (encoding.length > 0)
        is_hex = false;
    else if (!is_salted && hash.length == 2 * length && is_all_hex(hash))
        is_hex = true; /* as old databases have it, without saying so */
    buffer_init(&decoded, NULL, PASSWORD_STORED_MAX_BYTES);
    const enum parse_result parsed =
        is_hex ? hex_decode(hash, &decoded) : base64_decode(hash, &decoded);
    const struct span all = buffer_span(&decoded);
    if (parsed == PARSE_OK && buffer_ok(&decoded) &&
        (is_salted ? all.length >= length : all.length == length) &&
        compute(digest, password, span_after(all, length), computed, &length))
        result = password_equal(span_of(computed, length), span_first(all, length))
                     ? PASSWORD_MATCHES
                     : PASSWORD_DIFFERS;
    buffer_release(&decoded);
    OPENSSL_cleanse(computed, sizeof(computed));
    return result;
}

bool digest_make(const char *digest, bool is_salted, struct span password,
                 const uint8_t random[PASSWORD_RANDOM_BYTES], struct buffer *output)
{
    uint8_t bytes[EVP_MAX_MD_SIZE + SALT_BYTES];
    size_t length;
    const struct span salt = span_of(random, is_salted ? SALT_BYTES : 0);
    if (!compute(digest, password, salt, bytes, &length))
        return false;
    memcpy(bytes + length, salt.bytes, salt.length);
    base64_encode(span_of(bytes, length + salt.length), output);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

static bool pbkdf2(struct span password, struct span salt, uint64_t rounds,
                   uint8_t key[PBKDF2_KEY_BYTES])
{
    return PKCS5_PBKDF2_HMAC((const char *)password.bytes, (int)password.length, salt.bytes,
                             (int)salt.length, (int)rounds, EVP_sha1(), PBKDF2_KEY_BYTES, key) == 1;
}

enum password_result pbkdf2_verify(struct span hash, struct span password)
{
    struct span salt, rounds_text, key_text, rest;
    uint8_t key[PBKDF2_KEY_BYTES];
    uint64_t rounds;
    if (!span_starts_with(hash, SPAN("$1$")) ||
        !span_split_once(span_after(hash, 3), '$', &salt, &rest) ||
        !span_split_once(rest, '$', &rounds_text, &key_text) ||
        !number_parse_uint64(rounds_text, PBKDF2_ROUNDS_MAX, &rounds) || rounds == 0 ||
        key_text.length != (size_t)2 * PBKDF2_KEY_BYTES || !is_all_hex(key_text))
        return PASSWORD_UNUSABLE;
    struct buffer text;
    if (!pbkdf2(password, salt, rounds, key))
        return PASSWORD_UNUSABLE;
    buffer_init(&text, NULL, (size_t)2 * PBKDF2_KEY_BYTES);
    hex_encode(span_of(key, sizeof(key)), &text);
    const bool is_equal = password_equal(buffer_span(&text), key_text);
    buffer_release(&text);
    OPENSSL_cleanse(key, sizeof(key));
    return is_equal ? PASSWORD_MATCHES : PASSWORD_DIFFERS;
}

bool pbkdf2_make(uint32_t cost, struct span password, const uint8_t random[PASSWORD_RANDOM_BYTES],
                 struct buffer *output)
{
    uint8_t key[PBKDF2_KEY_BYTES];
    uint8_t text[2 * SALT_BYTES];
    const uint32_t rounds = cost ? cost : PBKDF2_ROUNDS;
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SALT_BYTES; i++) {
        text[2 * i] = (uint8_t)digits[random[i] >> 4];
        text[2 * i + 1] = (uint8_t)digits[random[i] & 15];
    }
    const struct span salt = span_of(text, sizeof(text));
    if (rounds > PBKDF2_ROUNDS_MAX || !pbkdf2(password, salt, rounds, key))
        return false;
    buffer_append_format(output, "$1$%.*s$%u$", SPAN_PRINTF(salt), rounds);
    hex_encode(span_of(key, sizeof(key)), output);
    OPENSSL_cleanse(key, sizeof(key));
    return true;
}
