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
    /* Of the keyd before this one: what it showed last may still have to be signed for. */
    struct tls_chains former;
    uint32_t elder; /* the number of its process; 0: none was asked */
    bool is_inherited;
};

/* From chains that were read; takes them over. */
void key_set_fill(struct key_set *set, struct tls_chains *chains, enum tls_key_status status);
/* Takes the chains over, which process elder had: in the place of the set's own, and then true,
 * where some or all of these cannot be used and the others are more. Of two elders the younger
 * counts. */
MUST_USE bool key_set_inherit(struct key_set *set, struct tls_chains *chains, uint32_t elder);
void key_set_release(struct key_set *set);
/* NULL when it is not among them, nor among those from before. */
MUST_USE EVP_PKEY *key_set_find(const struct key_set *set, struct span digest);

#endif
