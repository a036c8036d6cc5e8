/* tests/smtp/certificates - a certification authority and what its servers show, made when a test
 * begins. */
#ifndef TESTS_SMTP_CERTIFICATES_H
#define TESTS_SMTP_CERTIFICATES_H

#include <openssl/ssl.h>

/* For cmocka_run_group_tests(). */
int certificates_set_up(void **state);
int certificates_tear_down(void **state);
/* The file in which the authority's certificate is. */
const char *certificates_authority(void);
/* A directory in which it stands under its hash, beside a file that is no certificate. */
const char *certificates_directory(void);
/* A server that shows one of:
 *   NAME          a good certificate for that host, with the authority's behind it
 *   cn:NAME       one that has the name as its subject's common name alone
 *   expired, self a bad one for h0.test
 *   nothing       none at all: no cipher is left
 * The caller's to free. */
SSL *certificates_server(const char *word);
/* The name that the last client asked for (SNI); empty: none. */
const char *certificates_asked_name(void);
/* "AB:CD:...", SHA-256, of what h0.test shows, and of the key in it. */
const char *certificates_fingerprint(void);
const char *certificates_key_fingerprint(void);
/* "3 1 1" and its like with the data for h0.test or its authority, in bytes as a TLSA record has
 * them; returns their number. */
size_t certificates_tlsa(unsigned usage, unsigned selector, unsigned matching_type,
                         unsigned char *bytes, size_t size);

#endif
