/* tls/binding - see binding.h. */
#include "tls/binding.h"

#include <openssl/err.h>
#include <openssl/x509.h>

enum { EXPORTED_BYTES = 32 };

static bool has_strong_secret(SSL *ssl)
{
    return SSL_version(ssl) >= TLS1_3_VERSION || SSL_get_extms_support(ssl) == 1;
}

/* RFC 9266 section 2: the context is there, and empty. */
static bool append_exporter(SSL *ssl, struct buffer *output)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    uint8_t bytes[EXPORTED_BYTES];
    if (!has_strong_secret(ssl) ||
        SSL_export_keying_material(ssl, bytes, sizeof(bytes), label, sizeof(label) - 1,
                                   (const unsigned char *)"", 0, 1) != 1)
        return false;
    buffer_append(output, bytes, sizeof(bytes));
    return true;
}

/* RFC 5929 section 3.1: the first Finished message of the handshake, which is the client's in a
 * full one and the server's where a session is resumed. */
static bool append_unique(SSL *ssl, struct buffer *output)
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    if (SSL_version(ssl) >= TLS1_3_VERSION || !has_strong_secret(ssl))
        return false;
    const bool is_clients = SSL_session_reused(ssl) == 0;
    const bool is_own = is_clients == (SSL_is_server(ssl) == 0);
    const size_t length = is_own ? SSL_get_finished(ssl, bytes, sizeof(bytes))
                                 : SSL_get_peer_finished(ssl, bytes, sizeof(bytes));
    if (length == 0 || length > sizeof(bytes))
        return false;
    buffer_append(output, bytes, length);
    return true;
}

/* RFC 5929 section 4.1: with the hash of the certificate's signature, but for MD5 and SHA-1. */
static bool append_end_point(SSL *ssl, struct buffer *output)
{
    const X509 *certificate =
        SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    int digest = NID_undef;
    if (!certificate ||
        X509_get_signature_info((X509 *)(uintptr_t)certificate, &digest, NULL, NULL, NULL) != 1)
        return false;
    if (digest == NID_md5 || digest == NID_sha1)
        digest = NID_sha256;
    const EVP_MD *hash = EVP_get_digestbynid(digest);
    if (!hash || X509_digest(certificate, hash, bytes, &length) != 1)
        return false;
    buffer_append(output, bytes, length);
    return true;
}

bool tls_binding_append(SSL *ssl, struct span name, struct buffer *output)
{
    bool is_there = false;
    if (span_equals(name, SPAN("tls-exporter")))
        is_there = append_exporter(ssl, output);
    else if (span_equals(name, SPAN("tls-unique")))
        is_there = append_unique(ssl, output);
    else if (span_equals(name, SPAN("tls-server-end-point")))
        is_there = append_end_point(ssl, output);
    ERR_clear_error();
    return is_there;
}
