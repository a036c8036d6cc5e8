/* keyd/signable - is this what a TLS handshake has signed? Pure.
 * keyd signs nothing else: whoever takes a peer over can have handshakes signed while he is there,
 * and nothing that is of use anywhere else.
 * Interface: signable_recognize(). Callers: keyd/serve, the fuzzer. */
#ifndef KEYD_SIGNABLE_H
#define KEYD_SIGNABLE_H

#include "base/span.h"

/* A header hash of DKIM will be a kind of its own here, permitted to roles that sign mail. */
enum signable {
    SIGNABLE_NOTHING = 0,
    SIGNABLE_TLS13_SERVER = 1 << 0, /* CertificateVerify of a server (RFC 8446 section 4.4.3) */
    SIGNABLE_TLS13_CLIENT = 1 << 1, /* of a client */
    SIGNABLE_TLS12_SERVER = 1 << 2, /* ServerKeyExchange (RFC 5246 section 7.4.3, RFC 8422) */
    SIGNABLE_TLS12_CLIENT = 1 << 3, /* CertificateVerify: the handshake so far (RFC 5246 7.4.8) */

    SIGNABLE_AS_SERVER = SIGNABLE_TLS13_SERVER | SIGNABLE_TLS12_SERVER,
    SIGNABLE_AS_CLIENT = SIGNABLE_TLS13_CLIENT | SIGNABLE_TLS12_CLIENT
};

/* Which of the permitted kinds the whole input is; SIGNABLE_NOTHING for everything else. */
MUST_USE enum signable signable_recognize(struct span input, unsigned permitted);

#endif
