/* tls/gathered - authorities that may be needed one day: their certificates are read while files
 * can be opened, as bytes, and understood when the first connection needs them. Most of what a
 * process spends on the authorities of the system (some 150) is the understanding, and a client
 * that never has to know a server needs none of them. Interface: tls_gathered_read(),
 * tls_gathered_add_to(). Callers: tls/client. */
#ifndef TLS_GATHERED_H
#define TLS_GATHERED_H

#include "tls/authorities.h"

struct tls_gathered;

/* Each certificate once, whatever the number of files that it is in. NULL, with what cannot be read
 * in *problem, where tls_authorities_load() would fail. */
MUST_USE struct tls_gathered *tls_gathered_read(const struct tls_authorities *authorities,
                                                char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);
MUST_USE size_t tls_gathered_count(const struct tls_gathered *gathered);
/* All that can be understood. No file is opened. */
void tls_gathered_add_to(const struct tls_gathered *gathered, X509_STORE *store);
void tls_gathered_destroy(struct tls_gathered **gathered);

#endif
