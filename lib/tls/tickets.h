/* tls/tickets - the keys that session tickets are sealed with, as keyd gives them out.
 * AES-256-CBC and HMAC-SHA256 (RFC 5077 section 4). Every process of a role has the same keys, so a
 * ticket of one is good at all of them; a key that is lost costs a full handshake. With several
 * keyds new tickets are sealed with the key of the one whose process number is lowest, which all
 * processes know alike. Until there is a keyd the process makes a key of its own.
 * Interface: tls_tickets_init(), tls_tickets_take(), tls_tickets_part(), tls_tickets_seal(),
 * tls_tickets_open(). Caller: tls/keys. */
#ifndef TLS_TICKETS_H
#define TLS_TICKETS_H

#include <openssl/evp.h>

#include "base/span.h"

enum {
    TLS_TICKET_NAME_BYTES = 16,
    TLS_TICKET_SECRET_BYTES = 32,
    TLS_TICKET_KEY_BYTES = TLS_TICKET_NAME_BYTES + 2 * TLS_TICKET_SECRET_BYTES,
    TLS_TICKET_KEYS_MAX = 16
};

struct tls_ticket_key {
    uint8_t bytes[TLS_TICKET_KEY_BYTES]; /* name, cipher key, MAC key */
    uint32_t source;                     /* process number of its keyd; 0: of this process */
    bool is_current;                     /* its keyd seals with it, and is there */
    int64_t expires_ms;                  /* no ticket of it is good any more */
};

struct tls_tickets {
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX];
    size_t count;
};

/* With a key of its own. False when there are no random numbers. */
MUST_USE bool tls_tickets_init(struct tls_tickets *tickets);
void tls_tickets_wipe(struct tls_tickets *tickets);
/* What a keyd gives out; previous may be empty. Spans of another length are passed over. */
void tls_tickets_take(struct tls_tickets *tickets, uint32_t source, struct span current,
                      struct span previous, int64_t lifetime_ms, int64_t now_ms);
/* That keyd has gone: its keys open tickets until they expire. */
void tls_tickets_part(struct tls_tickets *tickets, uint32_t source);

/* For the callback of libssl, whose values they return: -1 failed; to seal: 1; to open: 0 no such
 * key, 1 good, 2 good, and to be replaced by a newer ticket. */
MUST_USE int tls_tickets_seal(const struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                              EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac);
MUST_USE int tls_tickets_open(const struct tls_tickets *tickets, const uint8_t *name,
                              const uint8_t *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                              int64_t now_ms);

#endif
