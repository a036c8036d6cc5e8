/* tls/provider - keys without a private half, for libssl: their signatures are made elsewhere.
 * A provider of libcrypto (provider-keymgmt(7), provider-signature(7)) with the key types RSA, EC
 * and ED25519. A signature is asked for inside an async job of libssl: what is to be signed is left
 * with the handshake that runs (tls_stream_running()), the job pauses, and whoever drives the
 * handshake gets the signature, stores it and enters libssl again. Entered again without one, the
 * operation fails. Nothing of the peer's comes through here but the bytes to be signed.
 * Interface: tls_provider_load(), tls_provider_key(). Caller: tls/keys. */
#ifndef TLS_PROVIDER_H
#define TLS_PROVIDER_H

#include "tls/scheme.h"

/* What a handshake is asked and answered; the context of its waiter begins with one. */
struct tls_signing {
    bool is_asked;
    bool is_answered;
    uint8_t key[TLS_KEY_DIGEST_BYTES];
    const struct tls_scheme *scheme;
    struct span input; /* lasts until libssl is entered again */
    uint8_t signature[TLS_SIGNATURE_MAX_BYTES];
    size_t signature_length;
};

/* Once in a process, before its sandbox closes. False when libcrypto cannot. */
MUST_USE bool tls_provider_load(void);
/* A key whose signatures are made elsewhere, from its public half. The caller frees it. NULL for
 * types that are not signed with, or when memory is out. */
MUST_USE EVP_PKEY *tls_provider_key(EVP_PKEY *public_key);

#endif
