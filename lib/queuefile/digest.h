/* queuefile/digest - SHA-256 over content as it streams, and the key that signs queue files.
 * Contexts are made once and used again: nothing is allocated per message. Neither may be used by
 * two threads at a time. */
#ifndef QUEUEFILE_DIGEST_H
#define QUEUEFILE_DIGEST_H

#include "base/span.h"

enum { DIGEST_BYTES = 32 };

struct evp_md_ctx_st;
struct evp_mac_ctx_st;

struct digest {
    struct evp_md_ctx_st *context;
    bool has_failed;
};

/* Takes the context from libcrypto; false when it will not give one. */
MUST_USE bool digest_init(struct digest *digest);
void digest_destroy(struct digest *digest);
/* Begins a new text; whatever was hashed before is forgotten. */
void digest_start(struct digest *digest);
void digest_update(struct digest *digest, struct span bytes);
/* False when libcrypto failed at any step since digest_start(). */
MUST_USE bool digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES]);

enum { QUEUE_KEY_BYTES = 32, QUEUE_KEY_ID_BYTES = 8 };

/* An HMAC-SHA-256 key (RFC 2104), which only qmgr holds. */
struct queue_key {
    uint8_t id[QUEUE_KEY_ID_BYTES]; /* names the key in every preamble; tells nothing about it */
    struct evp_mac_ctx_st *context;
};

/* The key bytes are not kept by us; libcrypto keeps a copy until queue_key_destroy(). */
MUST_USE bool queue_key_init(struct queue_key *key, const uint8_t bytes[QUEUE_KEY_BYTES]);
void queue_key_destroy(struct queue_key *key);
/* HMAC over the parts, one after the other. */
MUST_USE bool queue_key_mac(struct queue_key *key, const struct span *parts, size_t part_count,
                            uint8_t out[DIGEST_BYTES]);

#endif
