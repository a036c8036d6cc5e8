/* tests/keyd/certificates - see certificates.h. */
#include "certificates.h"

#include "../test.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

EVP_PKEY *make_key(const char *kind)
{
    EVP_PKEY *key = strcmp(kind, "RSA") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                    : strcmp(kind, "ED25519") == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
                                                   : EVP_PKEY_Q_keygen(NULL, NULL, "EC", kind);
    assert_non_null(key);
    return key;
}

X509 *make_certificate(EVP_PKEY *key, const char *name, long valid_s)
{
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -7200));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), valid_s));
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN",
                                                MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                                0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_PKEY_is_a(key, "ED25519") ? NULL : EVP_sha256()) >
                0);
    return certificate;
}

static FILE *append_to(const char *path)
{
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    return file;
}

void write_key(const char *path, EVP_PKEY *key, const char *password)
{
    FILE *file = append_to(path);
    assert_int_equal(PEM_write_PKCS8PrivateKey(file, key, password ? EVP_aes_128_cbc() : NULL,
                                               password, password ? (int)strlen(password) : 0, NULL,
                                               NULL),
                     1);
    assert_int_equal(fclose(file), 0);
}

void write_certificate(const char *path, X509 *certificate)
{
    FILE *file = append_to(path);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
}

void write_chain(const char *path, const char *kind, const char *name)
{
    EVP_PKEY *key = make_key(kind);
    X509 *certificate = make_certificate(key, name, 30 * 86400);
    write_key(path, key, NULL);
    write_certificate(path, certificate);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
