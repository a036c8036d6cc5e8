/* tls/keys - keyd's client: certificates without private keys, signatures, ticket keys.
 * A context of libssl that is handed to tls_keys_serve() gets the certificates of this process's
 * service as soon as keyd has told them, and session tickets that all processes of the role can
 * open. In handshakes, certificates of a name (SNI) are asked for when the peer has named it, and
 * signatures when libssl needs them; the task waits, nobody else does. A keyd that goes is waited
 * for, or another one asked; a handshake that gets no signature in time fails, and nothing else.
 *
 * A daemon: tls_keys_prepare() in prepare(), tls_keys_create() in begin(), tls_keys_add_peer() for
 * each peer of role KEYD, tls_keys_serve() for each SSL_CTX. A handshake:
 *
 *     struct tls_keys_handshake signer;
 *     tls_keys_handshake_begin(&signer, keys, ssl);
 *     handshake.waiter = &signer.waiter; ... tls_stream_handshake(stream, &handshake) ...
 *     tls_keys_handshake_end(&signer);
 *
 * Callers: tls/server, tls/client, daemons. */
#ifndef TLS_KEYS_H
#define TLS_KEYS_H

#include <openssl/ssl.h>

#include "tls/provider.h"
#include "tls/stream.h"

enum {
    TLS_KEYS_ANSWER_MS = 10000, /* how long a handshake waits for keyd */
    TLS_KEYS_NAME_MAX_BYTES = 255
};

struct tls_keys;
struct tls_identities;

/* Loads what a sandbox would keep from loading, the provider too. */
MUST_USE bool tls_keys_prepare(void);
/* NULL when memory is out. */
MUST_USE struct tls_keys *tls_keys_create(struct loop *loop);
void tls_keys_destroy(struct tls_keys **keys);
/* Takes one end of a channel to a keyd over. */
void tls_keys_add_peer(struct tls_keys *keys, uint32_t process_number, int descriptor);

/* What keyd has said of this service's own certificates; 0 while it has said nothing. */
MUST_USE int tls_keys_status(const struct tls_keys *keys);
/* From a task: waits for that until the deadline, and no longer than TLS_KEYS_ANSWER_MS. */
MUST_USE int tls_keys_await_status(struct tls_keys *keys, int64_t deadline_ms);

/* The context must outlive keys. A server's context gets ticket keys and certificates of names
 * (it takes the certificate callback and the ticket callback of the context), a client's only the
 * service's certificates. False when memory is out. */
MUST_USE bool tls_keys_serve(struct tls_keys *keys, SSL_CTX *context, bool is_server);

struct tls_keys_handshake {
    struct tls_signing signing;    /* first: tls/provider finds it here */
    struct tls_waiter waiter;      /* for struct tls_handshake */
    const struct tls_waiter *next; /* asked for other waits; NULL: there are none */
    struct tls_keys *keys;
    struct tls_identities *chosen; /* for the peer's name */
    char name[TLS_KEYS_NAME_MAX_BYTES + 1];
    bool is_wanted; /* the name has to be looked up */
    bool is_known;  /* it has been */
};

/* The handshake must stay where it is until its end. */
void tls_keys_handshake_begin(struct tls_keys_handshake *handshake, struct tls_keys *keys,
                              SSL *ssl);
void tls_keys_handshake_end(struct tls_keys_handshake *handshake);

#endif
