/* tls/options - see options.h. */
#include "tls/options.h"

#include <openssl/ssl.h>

#include "base/number.h"

struct option_name {
    struct span name;
    uint64_t bits;
};

#define NAMED(name)                                                                                \
    {                                                                                              \
        SPAN_LITERAL(#name), SSL_OP_##name                                                         \
    }
/* Has meant nothing since OpenSSL 1.1. */
#define OLD(name)                                                                                  \
    {                                                                                              \
        SPAN_LITERAL(name), 0                                                                      \
    }

static const struct option_name options[] = {
    NAMED(ALLOW_NO_DHE_KEX),
    NAMED(ENABLE_MIDDLEBOX_COMPAT),
    NAMED(LEGACY_SERVER_CONNECT),
    NAMED(NO_COMPRESSION),
    NAMED(NO_ENCRYPT_THEN_MAC),
    NAMED(NO_RENEGOTIATION),
    NAMED(NO_SESSION_RESUMPTION_ON_RENEGOTIATION),
    NAMED(NO_TICKET),
    NAMED(PRIORITIZE_CHACHA),
};

static const struct option_name workarounds[] = {
    NAMED(CRYPTOPRO_TLSEXT_BUG),
    NAMED(DONT_INSERT_EMPTY_FRAGMENTS),
    NAMED(LEGACY_SERVER_CONNECT),
    NAMED(TLSEXT_PADDING),
    OLD("CVE-2005-2969"),
    OLD("CVE-2010-4180"),
    OLD("MICROSOFT_BIG_SSLV3_BUFFER"),
    OLD("MICROSOFT_SESS_ID_BUG"),
    OLD("MSIE_SSLV2_RSA_PADDING"),
    OLD("NETSCAPE_CHALLENGE_BUG"),
    OLD("NETSCAPE_REUSE_CIPHER_CHANGE_BUG"),
    OLD("SSLEAY_080_CLIENT_DH_BUG"),
    OLD("SSLREF2_REUSE_CERT_TYPE_BUG"),
    OLD("TLS_BLOCK_PADDING_BUG"),
    OLD("TLS_D5_BUG"),
    OLD("TLS_ROLLBACK_BUG"),
};

/* What other settings decide, or what would make the default unsafe, no number switches on. */
enum { HELD_BITS_COUNT = 9 };
static const uint64_t held_bits[HELD_BITS_COUNT] = {
    SSL_OP_NO_SSLv3,
    SSL_OP_NO_TLSv1,
    SSL_OP_NO_TLSv1_1,
    SSL_OP_NO_TLSv1_2,
    SSL_OP_NO_TLSv1_3,
    SSL_OP_CIPHER_SERVER_PREFERENCE,
    SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION,
    SSL_OP_ALLOW_CLIENT_RENEGOTIATION,
    SSL_OP_IGNORE_UNEXPECTED_EOF,
};

static bool find_name(struct span word, const struct option_name *list, size_t count,
                      uint64_t *bits)
{
    for (size_t i = 0; i < count; i++)
        if (span_equals_ascii_nocase(word, list[i].name)) {
            *bits = list[i].bits;
            return true;
        }
    return false;
}

static bool find_number(struct span word, enum tls_option_kind kind, uint64_t *bits)
{
    if (!span_starts_with_ascii_nocase(word, SPAN("0x")) ||
        !number_parse_hex(span_after(word, 2), UINT64_MAX, bits))
        return false;
    if (kind == TLS_OPTION_KIND_WORKAROUND)
        *bits &= SSL_OP_ALL;
    else
        *bits &= ~(uint64_t)SSL_OP_ALL;
    for (size_t i = 0; i < HELD_BITS_COUNT; i++)
        *bits &= ~held_bits[i];
    return true;
}

enum parse_result tls_options_parse(struct span text, enum tls_option_kind kind, uint64_t *bits,
                                    struct span *bad_word)
{
    uint64_t all = 0, some = 0;
    struct span word;
    while (span_next_word(&text, ", \t\r\n", &word)) {
        const bool is_known =
            (kind == TLS_OPTION_KIND_OPTION
                 ? find_name(word, options, ARRAY_LENGTH(options), &some)
                 : find_name(word, workarounds, ARRAY_LENGTH(workarounds), &some)) ||
            find_number(word, kind, &some);
        if (!is_known) {
            *bad_word = word;
            return PARSE_MALFORMED;
        }
        all |= some;
    }
    *bits = all;
    return PARSE_OK;
}
