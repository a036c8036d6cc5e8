/* tls/dane - see dane.h. */
#include "tls/dane.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/number.h"

enum { NAME_MAX_BYTES = 256, DIGEST_NAME_MAX_BYTES = 32, FIRST_FREE_TYPE = 3 };

static const struct {
    const char *name;
    uint8_t type;
} registered[] = {{"sha256", 1}, {"sha512", 2}}; /* RFC 6698 section 2.1.3 */

/* "name" or "name=type". */
static bool read_digest(struct span word, const EVP_MD **digest, uint8_t *type)
{
    char name[DIGEST_NAME_MAX_BYTES];
    struct span text, number;
    uint64_t value = 0;
    const bool has_number = span_split_once(word, '=', &text, &number);
    if (text.length >= sizeof(name) ||
        (has_number && !number_parse_uint64(number, TLS_DANE_TYPES - 2, &value)))
        return false;
    (void)snprintf(name, sizeof(name), "%.*s", SPAN_PRINTF(text));
    *digest = EVP_get_digestbyname(name);
    if (!*digest)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(registered); i++)
        if (span_equals_ascii_nocase(text, span_from_string(registered[i].name))) {
            *type = registered[i].type;
            return !has_number || value == *type;
        }
    *type = (uint8_t)value;
    return has_number && value >= FIRST_FREE_TYPE;
}

enum parse_result tls_dane_digests_parse(struct span words, struct tls_dane_digests *digests,
                                         struct span *bad_word)
{
    uint8_t strength = UINT8_MAX, type = 0;
    struct span word;
    *digests = (struct tls_dane_digests){.strengths = {0}};
    while (span_next_word(&words, ", \t\r\n", &word)) {
        const EVP_MD *digest = NULL;
        *bad_word = word;
        if (!read_digest(word, &digest, &type) || digests->digests[type] || strength == 0)
            return PARSE_MALFORMED;
        digests->digests[type] = digest;
        digests->strengths[type] = strength--;
    }
    return PARSE_OK;
}

bool tls_dane_enable(SSL_CTX *context, const struct tls_dane_digests *digests)
{
    if (SSL_CTX_dane_enable(context) != 1)
        return false;
    /* RFC 7672 section 3.1.1: the key in the record says it all. */
    (void)SSL_CTX_dane_set_flags(context, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    for (unsigned type = 1; type < TLS_DANE_TYPES - 1; type++) {
        const bool is_known = type < FIRST_FREE_TYPE; /* libssl has these from the start */
        if ((digests->digests[type] || is_known) &&
            SSL_CTX_dane_mtype_set(context, digests->digests[type], (uint8_t)type,
                                   digests->strengths[type]) != 1)
            return false;
    }
    return true;
}

/* A whole certificate or key has to be one. */
static bool is_object(uint8_t selector, struct span data)
{
    const unsigned char *at = data.bytes;
    X509 *certificate = NULL;
    EVP_PKEY *key = NULL;
    bool is_whole;
    if (data.length > INT32_MAX)
        return false;
    if (selector == 0) {
        certificate = d2i_X509(NULL, &at, (long)data.length);
        is_whole = certificate && X509_get0_pubkey(certificate) != NULL;
    } else {
        key = d2i_PUBKEY(NULL, &at, (long)data.length);
        is_whole = key != NULL;
    }
    is_whole = is_whole && at == data.bytes + data.length;
    X509_free(certificate);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return is_whole;
}

bool tls_dane_is_usable(const struct tls_dane_record *record,
                        const struct tls_dane_digests *digests)
{
    if ((record->usage != TLS_DANE_TA && record->usage != TLS_DANE_EE) || record->selector > 1)
        return false;
    if (record->matching_type == 0)
        return is_object(record->selector, record->data);
    const EVP_MD *digest = digests->digests[record->matching_type];
    return digest && record->data.length == (size_t)EVP_MD_get_size(digest);
}

/* libssl wants strings. */
static bool copy_name(struct span name, char text[NAME_MAX_BYTES])
{
    if (name.length == 0 || name.length >= NAME_MAX_BYTES || memchr(name.bytes, '\0', name.length))
        return false;
    (void)snprintf(text, NAME_MAX_BYTES, "%.*s", SPAN_PRINTF(name));
    return true;
}

bool tls_dane_apply(SSL *ssl, const struct tls_dane_record *records, size_t record_count,
                    const struct span *names, size_t name_count)
{
    char name[NAME_MAX_BYTES];
    size_t added_count = 0;
    if ((name_count > 0 && !copy_name(names[0], name)) ||
        SSL_dane_enable(ssl, name_count > 0 ? name : NULL) != 1)
        return false;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 1; i < name_count; i++)
        if (copy_name(names[i], name) && SSL_add1_host(ssl, name) != 1)
            return false;
    for (size_t i = 0; i < record_count; i++) {
        const struct tls_dane_record *record = &records[i];
        const int result =
            SSL_dane_tlsa_add(ssl, record->usage, record->selector, record->matching_type,
                              record->data.bytes, record->data.length);
        if (result < 0)
            return false;
        added_count += result > 0;
    }
    ERR_clear_error();
    return added_count > 0;
}
