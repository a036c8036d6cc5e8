/* tls/verify - see verify.h. */
#include "tls/verify.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/ascii.h"

enum { NAME_MAX_BYTES = 256 };

bool tls_verify_has_name(X509 *certificate, struct span name, unsigned rules)
{
    unsigned flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
    if (rules & TLS_NAME_WILDCARD_IS_MANY)
        flags |= X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS;
    if (rules & TLS_NAME_NEVER_COMMON)
        flags |= X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;
    return name.length > 0 && name.length < NAME_MAX_BYTES && !span_equals(name, SPAN(".")) &&
           X509_check_host(certificate, (const char *)name.bytes, name.length, flags, NULL) == 1;
}

static void put_hex(const uint8_t *bytes, unsigned length, char text[TLS_FINGERPRINT_MAX_BYTES])
{
    static const char digits[] = "0123456789ABCDEF";
    for (unsigned i = 0; i < length; i++) {
        text[3 * i] = digits[bytes[i] >> 4];
        text[3 * i + 1] = digits[bytes[i] & 15];
        text[3 * i + 2] = i + 1 < length ? ':' : '\0';
    }
}

bool tls_fingerprint_certificate(const X509 *certificate, const EVP_MD *digest,
                                 char text[TLS_FINGERPRINT_MAX_BYTES])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (X509_digest(certificate, digest, bytes, &length) != 1 || length == 0)
        return false;
    put_hex(bytes, length, text);
    return true;
}

bool tls_fingerprint_key(const X509 *certificate, const EVP_MD *digest,
                         char text[TLS_FINGERPRINT_MAX_BYTES])
{
    uint8_t bytes[EVP_MAX_MD_SIZE], *encoded = NULL;
    unsigned length = 0;
    const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
    const bool is_digested =
        size > 0 && EVP_Digest(encoded, (size_t)size, bytes, &length, digest, NULL) == 1;
    OPENSSL_free(encoded);
    if (!is_digested || length == 0)
        return false;
    put_hex(bytes, length, text);
    return true;
}

bool tls_fingerprint_equals(struct span left, struct span right)
{
    size_t i = 0, j = 0, compared = 0;
    for (;;) {
        while (i < left.length && left.bytes[i] == ':')
            i++;
        while (j < right.length && right.bytes[j] == ':')
            j++;
        if (i == left.length || j == right.length)
            return i == left.length && j == right.length && compared > 0;
        if (ascii_to_lower(left.bytes[i++]) != ascii_to_lower(right.bytes[j++]))
            return false;
        compared++;
    }
}

static void put_issuer(const X509 *certificate, struct buffer *text)
{
    char *name = certificate ? X509_NAME_oneline(X509_get_issuer_name(certificate), NULL, 0) : NULL;
    buffer_append_string(text, name ? name : "<unknown>");
    OPENSSL_free(name);
}

void tls_verify_explain(const struct tls_verify_problem *problem, struct span peer,
                        struct buffer *text)
{
    const char *who = problem->depth > 0 ? "CA" : problem->is_of_client ? "client" : "server";
    const char *what = NULL;
    bool names_who = false;
    switch (problem->error) {
    case X509_V_ERR_CERT_UNTRUSTED:
        what = "not trusted by local or TLSA policy";
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        what = "self-signed certificate";
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD:
        what = "certificate not yet valid";
        names_who = true;
        break;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD:
        what = "certificate has expired";
        names_who = true;
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        break;
    default:
        names_who = true;
        break;
    }
    buffer_append_format(text,
                         "%s%scertificate verification failed for %.*s: ", names_who ? who : "",
                         names_who ? " " : "", SPAN_PRINTF(peer));
    if (what) {
        buffer_append_string(text, what);
    } else if (problem->error == X509_V_ERR_INVALID_PURPOSE) {
        buffer_append_format(text, "not designated for use as a %s certificate", who);
    } else if (problem->error == X509_V_ERR_CERT_CHAIN_TOO_LONG) {
        buffer_append_format(text, "certificate chain longer than limit(%d)", problem->depth - 1);
    } else if (names_who) {
        buffer_append_format(text, "num=%d:%s", problem->error,
                             X509_verify_cert_error_string(problem->error));
    } else {
        buffer_append_string(text, "untrusted issuer ");
        put_issuer(problem->certificate, text);
    }
}
