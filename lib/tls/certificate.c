/* tls/certificate - see certificate.h. */
#include "tls/certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/utf8.h"

/* What ends in log lines and comments, and is compared with names: no control character, and no NUL
 * that would hide what is behind it. */
static bool is_fit(struct span text)
{
    if (text.length == 0 || text.length > TLS_CERTIFICATE_NAME_MAX_BYTES || !utf8_is_valid(text))
        return false;
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            return false;
    return true;
}

static void read_name(const X509_NAME *name, int nid, char text[TLS_CERTIFICATE_NAME_MAX_BYTES + 1])
{
    unsigned char *utf8 = NULL;
    const int index = X509_NAME_get_index_by_NID(name, nid, -1);
    if (index < 0)
        return;
    const int length =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
    if (length > 0 && is_fit(span_of(utf8, (size_t)length))) {
        memcpy(text, utf8, (size_t)length);
        text[length] = '\0';
    }
    OPENSSL_free(utf8);
}

bool tls_certificate_read(const SSL *ssl, const EVP_MD *digest, struct tls_certificate *facts)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    *facts = (struct tls_certificate){.is_trusted = false};
    if (!certificate)
        return false;
    facts->error = (int)SSL_get_verify_result(ssl);
    facts->is_trusted = facts->error == X509_V_OK;
    read_name(X509_get_subject_name(certificate), NID_commonName, facts->subject);
    read_name(X509_get_issuer_name(certificate), NID_commonName, facts->issuer);
    if (!facts->issuer[0])
        read_name(X509_get_issuer_name(certificate), NID_organizationName, facts->issuer);
    if (!tls_fingerprint_certificate(certificate, digest, facts->fingerprint))
        facts->fingerprint[0] = '\0';
    if (!tls_fingerprint_key(certificate, digest, facts->key_fingerprint))
        facts->key_fingerprint[0] = '\0';
    ERR_clear_error();
    return true;
}

static bool append_mailbox(const X509 *certificate, struct buffer *output)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool is_found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !is_found; i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_EMAIL)
            continue;
        const struct span text =
            span_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
        is_found = is_fit(text);
        if (is_found)
            buffer_append_span(output, text);
    }
    GENERAL_NAMES_free(names);
    return is_found;
}

void tls_certificate_append_identity(const SSL *ssl, struct buffer *output)
{
    const X509 *certificate = SSL_get0_peer_certificate(ssl);
    char subject[TLS_CERTIFICATE_NAME_MAX_BYTES + 1] = "";
    if (!certificate || SSL_get_verify_result(ssl) != X509_V_OK)
        return;
    if (!append_mailbox(certificate, output)) {
        read_name(X509_get_subject_name(certificate), NID_commonName, subject);
        buffer_append_string(output, subject);
    }
    ERR_clear_error();
}
