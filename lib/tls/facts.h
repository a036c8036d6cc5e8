/* tls/facts - how a TLS connection is protected, in the words of the log.
 * Interface: tls_facts_read(). Callers: tls/client, tls/server. */
#ifndef TLS_FACTS_H
#define TLS_FACTS_H

#include <openssl/ssl.h>

#include "maillog/tls.h"

/* After the handshake. */
void tls_facts_read(SSL *ssl, struct log_tls *facts);

#endif
