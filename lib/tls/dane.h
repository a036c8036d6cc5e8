/* tls/dane - TLSA records of a mail server (RFC 6698, 7671) as SMTP uses them (RFC 7672): which of
 * them say anything, and a connection that goes by them. The chain is checked by libssl.
 * Interface: tls_dane_is_usable(), tls_dane_apply(). Callers: smtp, tls/client. */
#ifndef TLS_DANE_H
#define TLS_DANE_H

#include <openssl/ssl.h>

#include "base/arena.h"
#include "base/parse.h"

enum { TLS_DANE_RECORDS_MAX = 64, TLS_DANE_TYPES = 256 };

enum tls_dane_usage {
    TLS_DANE_PKIX_TA, /* RFC 7672 section 3.1.3: SMTP has no use for these two */
    TLS_DANE_PKIX_EE,
    TLS_DANE_TA, /* a certificate or key in the chain: section 3.1.2 */
    TLS_DANE_EE  /* the server's own: section 3.1.1 */
};

struct tls_dane_record {
    uint8_t usage;
    uint8_t selector;      /* 0: the certificate; 1: the public key in it */
    uint8_t matching_type; /* 0: as it is; or a digest */
    struct span data;
};

/* Which digest each matching type is, and how good it is held to be: of the records that differ in
 * the digest alone the strongest count (RFC 7671 section 9). */
struct tls_dane_digests {
    const EVP_MD *digests[TLS_DANE_TYPES]; /* NULL: such records are unusable */
    uint8_t strengths[TLS_DANE_TYPES];
};

/* tls_dane_digests: names, the strongest first, with "=number" behind those that are not sha256 or
 * sha512. On failure *bad_word says which. */
MUST_USE enum parse_result
tls_dane_digests_parse(struct span words, struct tls_dane_digests *digests, struct span *bad_word);
/* Once, before tls_dane_apply() for its connections. False when memory is out. */
MUST_USE bool tls_dane_enable(SSL_CTX *context, const struct tls_dane_digests *digests);

/* Can anything match it, in SMTP? */
MUST_USE bool tls_dane_is_usable(const struct tls_dane_record *record,
                                 const struct tls_dane_digests *digests);

/* From now on only these vouch for the server. names: whom a certificate that a record of usage 2
 * leads to must be made out to (one of them; the first is the TLSA base domain, which the server is
 * told, too); none: whom it is made out to the caller looks at. False when memory is out or no
 * record is usable. */
MUST_USE bool tls_dane_apply(SSL *ssl, const struct tls_dane_record *records, size_t record_count,
                             const struct span *names, size_t name_count);

#endif
