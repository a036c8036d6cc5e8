/* tls/chain - private keys with their certificates, from PEM texts in Postfix's forms.
 * A chain text has a private key, behind it the key's certificate and those of its issuers, once or
 * several times; texts may continue one another. Or the certificates are in one text and the key in
 * another. What cannot be used is complained of, one line each that says what to do, and left out.
 * Interface: tls_chains_init(), tls_chains_read(), tls_chains_read_pair(), tls_chains_finish().
 * Computes only. Callers: tls/key_files, keyd (tables), the fuzzer. */
#ifndef TLS_CHAIN_H
#define TLS_CHAIN_H

#include <openssl/x509.h>
#include <time.h>

#include "base/buffer.h"
#include "tls/scheme.h"

struct tls_chain {
    EVP_PKEY *key;
    STACK_OF(X509) * certificates; /* the key's own first */
    uint8_t digest[TLS_KEY_DIGEST_BYTES];
};

struct tls_chains {
    struct tls_chain items[TLS_CHAINS_MAX];
    size_t count;
    size_t complaint_count;
    /* Told what is wrong, without an end of line; may be NULL. */
    void (*complain)(void *context, const char *text);
    /* Told which file is about to be read; may be NULL. */
    void (*on_file)(void *context, const char *path);
    void *context;
    const char
        *setting; /* what complaints begin with: the parameter's name, or a table's and key */
    time_t now;
    bool is_open;    /* the last item may still get certificates */
    bool is_skipped; /* what follows belongs to a key that is left out */
};

/* setting lasts as long as the chains are read. */
void tls_chains_init(struct tls_chains *chains, const char *setting, time_t now,
                     void (*complain)(void *context, const char *text), void *context);
/* source: what complaints call the text. */
void tls_chains_read(struct tls_chains *chains, struct span pem, const char *source);
void tls_chains_read_pair(struct tls_chains *chains, struct span certificates,
                          const char *certificates_source, struct span key, const char *key_source);
/* Nothing follows: what is not whole is left out. */
void tls_chains_finish(struct tls_chains *chains);
void tls_chains_clear(struct tls_chains *chains);

/* The certificates in DER, in a row; appends. False when there are more than a message takes. */
MUST_USE bool tls_chain_encode(const struct tls_chain *chain, struct buffer *der);
/* Is its own certificate over by then? text: its name and its end, for people. */
enum { TLS_CHAIN_TEXT_BYTES = 200 };
MUST_USE bool tls_chain_ends_before(const struct tls_chain *chain, time_t then,
                                    char text[TLS_CHAIN_TEXT_BYTES]);
/* Complains, in the words that all complaints about a file have; errno is the reason. */
void tls_chains_complain_of_file(struct tls_chains *chains, const char *path, int error);

#endif
