/* keyd/key_set - the keys of one service or name, with their certificates as they are sent.
 * Interface: key_set_fill(), key_set_find(), key_set_release(). */
#ifndef KEYD_KEY_SET_H
#define KEYD_KEY_SET_H

#include "base/buffer.h"
#include "tls/chain.h"

struct key_set {
    enum tls_key_status status;
    struct tls_chains chains;
    struct buffer records; /* of KEY_CHAIN */
};

/* From chains that were read; takes them over. */
void key_set_fill(struct key_set *set, struct tls_chains *chains, enum tls_key_status status);
void key_set_release(struct key_set *set);
/* NULL when it is not among them. */
MUST_USE EVP_PKEY *key_set_find(const struct key_set *set, struct span digest);

#endif
