/* tests/keyd/certificates - keys and certificates for tests, in files. */
#ifndef TESTS_KEYD_CERTIFICATES_H
#define TESTS_KEYD_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>

/* kind: "RSA", "P-256", "P-384", "P-521" or "ED25519". */
EVP_PKEY *make_key(const char *kind);
/* Self-signed, for that name, until so many seconds from now. */
X509 *make_certificate(EVP_PKEY *key, const char *name, long valid_s);
/* Appends PEM to a file; NULL leaves a part out. With a password the key is encrypted. */
void write_key(const char *path, EVP_PKEY *key, const char *password);
void write_certificate(const char *path, X509 *certificate);
/* A key, and behind it its certificate for the name. */
void write_chain(const char *path, const char *kind, const char *name);

#endif
