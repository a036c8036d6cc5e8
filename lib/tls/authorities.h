/* tls/authorities - whom we trust to vouch for others: files and directories of certificates, read
 * whole before a sandbox closes, since libssl would open files later.
 * Interface: tls_authorities_load(), tls_authorities_visit(), tls_anchors_parse(). Callers:
 * tls/gathered, tls/server, smtp. */
#ifndef TLS_AUTHORITIES_H
#define TLS_AUTHORITIES_H

#include "tls/dane.h"

enum { TLS_AUTHORITIES_PROBLEM_BYTES = 300, TLS_ANCHORS_MAX = 64 };

struct tls_authorities {
    struct span file;      /* PEM; empty: none */
    struct span directory; /* with names as c_rehash(1) makes them; empty: none */
    bool has_defaults;     /* those that libcrypto knows, too */
};

/* Each file that has certificates of authorities. False, with what cannot be read in *problem: only
 * the file that is named has to be right. */
typedef bool tls_authorities_take(void *context, const char *path,
                                  char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);
MUST_USE bool tls_authorities_visit(const struct tls_authorities *authorities,
                                    tls_authorities_take *take, void *context,
                                    char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);

/* False, with what cannot be read in *problem. A single certificate in the directory or among the
 * defaults that is none is passed over. */
MUST_USE bool tls_authorities_load(X509_STORE *store, const struct tls_authorities *authorities,
                                   char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);

/* Certificates and public keys of a PEM text, as records of usage 2: they and nobody else are to
 * vouch. PARSE_TOO_LONG when the arena is full or there are more than TLS_ANCHORS_MAX; none at all
 * is PARSE_MALFORMED. */
MUST_USE enum parse_result tls_anchors_parse(struct span pem, struct arena *arena,
                                             struct tls_dane_record *anchors, size_t *count);

#endif
