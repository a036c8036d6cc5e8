/* tests/smtp/certificates - see certificates.h. */
#include "certificates.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/compiler.h"
#include "tls/verify.h"

enum { DAY_S = 86400, SERVERS_MAX = 16 };

static struct server {
    char word[64];
    SSL_CTX *context;
} servers[SERVERS_MAX];
static char authority_file[] = "/tmp/authority-XXXXXX", directory[] = "/tmp/authorities-XXXXXX";
static X509 *authority, *host;
static char asked_name[256];
static EVP_PKEY *authority_key, *host_key;
static char fingerprint[TLS_FINGERPRINT_MAX_BYTES], key_fingerprint[TLS_FINGERPRINT_MAX_BYTES];

static void add_extension(X509 *certificate, X509 *issuer, int type, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, type, value);
    ASSERT(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

/* "cn:NAME": the subject's common name alone. */
static X509 *issue(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, long from_s,
                   long to_s)
{
    static long serial;
    char names[300];
    const bool is_common = strncmp(name, "cn:", 3) == 0;
    X509 *certificate = X509_new();
    ASSERT(certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), from_s) &&
           X509_gmtime_adj(X509_getm_notAfter(certificate), to_s) &&
           X509_set_pubkey(certificate, key) == 1);
    ASSERT(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                      (const unsigned char *)name + (is_common ? 3 : 0), -1, -1,
                                      0) == 1);
    ASSERT(X509_set_issuer_name(certificate,
                                X509_get_subject_name(issuer ? issuer : certificate)) == 1);
    if (is_common) {
        add_extension(certificate, issuer, NID_subject_alt_name, "email:postmaster@h0.test");
    } else if (issuer || issuer_key != key) {
        (void)snprintf(names, sizeof(names), "DNS:%s", name);
        add_extension(certificate, issuer, NID_subject_alt_name, names);
    } else {
        add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
        add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign");
    }
    ASSERT(X509_sign(certificate, issuer_key, EVP_sha256()) > 0);
    return certificate;
}

static EVP_PKEY *make_key(void)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    ASSERT(key);
    return key;
}

int certificates_set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN); /* servers write to clients that have gone */
    authority_key = make_key();
    host_key = make_key();
    authority = issue("Test Authority", authority_key, NULL, authority_key, -DAY_S, DAY_S);
    host = issue("h0.test", host_key, authority, authority_key, -DAY_S, DAY_S);
    ASSERT(tls_fingerprint_certificate(host, EVP_sha256(), fingerprint) &&
           tls_fingerprint_key(host, EVP_sha256(), key_fingerprint));
    const int descriptor = mkstemp(authority_file);
    FILE *file = descriptor >= 0 ? fdopen(descriptor, "w") : NULL;
    ASSERT(file && PEM_write_X509(file, authority) == 1 && fclose(file) == 0);
    return 0;
}

const char *certificates_authority(void)
{
    return authority_file;
}

static void put_hashed(const char *target, const char *end)
{
    char path[sizeof(directory) + 32];
    (void)snprintf(path, sizeof(path), "%s/%08lx.%s", directory,
                   X509_NAME_hash_ex(X509_get_subject_name(authority), NULL, NULL, NULL), end);
    if (target)
        ASSERT(symlink(target, path) == 0);
    else
        (void)unlink(path);
}

const char *certificates_directory(void)
{
    ASSERT(mkdtemp(directory));
    put_hashed("/etc/hostname", "0");
    put_hashed(authority_file, "1");
    return directory;
}

int certificates_tear_down(void **state)
{
    (void)state;
    put_hashed(NULL, "0");
    put_hashed(NULL, "1");
    (void)rmdir(directory);
    for (size_t i = 0; i < SERVERS_MAX; i++)
        SSL_CTX_free(servers[i].context);
    (void)unlink(authority_file);
    X509_free(authority);
    X509_free(host);
    EVP_PKEY_free(authority_key);
    EVP_PKEY_free(host_key);
    return 0;
}

static int note_name(SSL *ssl, int *alert, void *unused)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    (void)unused;
    (void)snprintf(asked_name, sizeof(asked_name), "%s", name ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

const char *certificates_asked_name(void)
{
    return asked_name;
}

static SSL_CTX *make_context(const char *word)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    X509 *certificate = NULL;
    ASSERT(context);
    (void)SSL_CTX_set_tlsext_servername_callback(context, note_name);
    (void)SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4);
    if (strcmp(word, "nothing") == 0)
        return context;
    if (strcmp(word, "self") == 0)
        certificate = issue("h0.test", host_key, NULL, host_key, -DAY_S, DAY_S);
    else if (strcmp(word, "expired") == 0)
        certificate = issue("h0.test", host_key, authority, authority_key, -DAY_S, -1);
    else if (strcmp(word, "h0.test") != 0)
        certificate = issue(word, host_key, authority, authority_key, -DAY_S, DAY_S);
    ASSERT(SSL_CTX_use_certificate(context, certificate ? certificate : host) == 1 &&
           SSL_CTX_use_PrivateKey(context, host_key) == 1);
    if (strcmp(word, "self") != 0)
        ASSERT(SSL_CTX_add1_chain_cert(context, authority) == 1);
    X509_free(certificate);
    return context;
}

SSL *certificates_server(const char *word)
{
    size_t i = 0;
    while (servers[i].context && strcmp(servers[i].word, word) != 0)
        ASSERT(++i < SERVERS_MAX);
    if (!servers[i].context) {
        (void)snprintf(servers[i].word, sizeof(servers[i].word), "%s", word);
        servers[i].context = make_context(word);
    }
    SSL *ssl = SSL_new(servers[i].context);
    ASSERT(ssl);
    SSL_set_accept_state(ssl);
    return ssl;
}

const char *certificates_fingerprint(void)
{
    return fingerprint;
}

const char *certificates_key_fingerprint(void)
{
    return key_fingerprint;
}

size_t certificates_tlsa(unsigned usage, unsigned selector, unsigned matching_type,
                         unsigned char *bytes, size_t size)
{
    X509 *certificate = usage == 3 ? host : authority;
    unsigned char *encoded = NULL;
    unsigned length = 0;
    const int encoded_length = selector == 0
                                   ? i2d_X509(certificate, &encoded)
                                   : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
    ASSERT(encoded_length > 0 && size >= 3 + EVP_MAX_MD_SIZE && size >= 3 + (size_t)encoded_length);
    bytes[0] = (unsigned char)usage;
    bytes[1] = (unsigned char)selector;
    bytes[2] = (unsigned char)matching_type;
    if (matching_type == 0) {
        length = (unsigned)encoded_length;
        memcpy(bytes + 3, encoded, length);
    } else {
        ASSERT(EVP_Digest(encoded, (size_t)encoded_length, bytes + 3, &length,
                          matching_type == 1 ? EVP_sha256() : EVP_sha512(), NULL) == 1);
    }
    OPENSSL_free(encoded);
    return 3 + length;
}
