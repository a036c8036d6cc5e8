/* sasl/plain_message - see plain_message.h. */
#include "sasl/plain_message.h"

#include <openssl/evp.h>

#include "base/ascii.h"
#include "base/utf8.h"

enum { TRACE_MAX_CHARACTERS = 255 };

enum parse_result plain_message_parse(struct span message, struct plain_message *plain)
{
    struct span rest;

    if (!span_split_once(message, '\0', &plain->authzid, &rest) ||
        !span_split_once(rest, '\0', &plain->user, &plain->password) ||
        span_find_byte(plain->password, '\0') < plain->password.length ||
        span_is_empty(plain->user) || span_is_empty(plain->password))
        return PARSE_MALFORMED;
    if (plain->authzid.length > SASL_NAME_MAX_BYTES || plain->user.length > SASL_NAME_MAX_BYTES ||
        plain->password.length > SASL_PASSWORD_MAX_BYTES)
        return PARSE_TOO_LONG;
    return PARSE_OK;
}

enum parse_result cram_message_parse(struct span message, struct span *user,
                                     uint8_t digest[CRAM_MD5_BYTES])
{
    /* The last space: names may have some. */
    const size_t space = span_find_last_byte(message, ' ');
    const struct span digits = span_after(message, space + 1);

    if (space == message.length || space == 0 || digits.length != 2 * CRAM_MD5_BYTES)
        return PARSE_MALFORMED;
    if (space > SASL_NAME_MAX_BYTES)
        return PARSE_TOO_LONG;
    for (size_t i = 0; i < CRAM_MD5_BYTES; i++) {
        const int high = ascii_hex_value(digits.bytes[2 * i]);
        const int low = ascii_hex_value(digits.bytes[2 * i + 1]);
        if (high < 0 || low < 0)
            return PARSE_MALFORMED;
        digest[i] = (uint8_t)(high << 4 | low);
    }
    *user = span_first(message, space);
    return PARSE_OK;
}

bool cram_md5_digest(struct span password, struct span challenge, uint8_t digest[CRAM_MD5_BYTES])
{
    size_t length = 0;
    return EVP_Q_mac(NULL, "HMAC", NULL, "MD5", NULL, password.bytes, password.length,
                     challenge.bytes, challenge.length, digest, CRAM_MD5_BYTES, &length) != NULL &&
           length == CRAM_MD5_BYTES;
}

enum parse_result trace_message_parse(struct span message)
{
    size_t characters = 0;

    if (!utf8_is_valid(message))
        return PARSE_MALFORMED;
    for (size_t i = 0; i < message.length; i++) {
        if (message.bytes[i] < ' ' || message.bytes[i] == 0x7f)
            return PARSE_MALFORMED; /* RFC 4505 section 3: no control characters */
        characters += (message.bytes[i] & 0xc0) != 0x80;
    }
    return characters > TRACE_MAX_CHARACTERS ? PARSE_TOO_LONG : PARSE_OK;
}
