/* tls/guard - an end to messages of TLS that bring nothing. Tickets, new keys and calls for another
 * handshake may follow each other without end, and libssl takes them all before it comes back: who
 * sends them fast enough would have the whole process to himself.
 * Interface: tls_guard(), tls_guard_context(). Callers: tls/stream, fetchd/web. */
#ifndef TLS_GUARD_H
#define TLS_GUARD_H

#include <openssl/ssl.h>

/* So much of them a connection may bring in all; an honest one brings a few hundred. */
enum { TLS_GUARD_MAX_BYTES = 1 << 16 };

/* Before the handshake. Past the limit the peer counts as gone. */
void tls_guard(SSL *ssl);
/* Likewise for every connection of the context. */
void tls_guard_context(SSL_CTX *context);

#endif
