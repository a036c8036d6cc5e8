/* queuefile/preamble - the first 512 bytes of a queue file: where everything lies, and the proof
 * that qmgr put it there.
 * A file is written with a hole in this place; the preamble goes in only when the message is
 * committed. It is one disk sector, so a power cut leaves all of it or nothing.
 * Callers: qmgr, postcat, postsuper. Format: man/posthouse-queue.5. */
#ifndef QUEUEFILE_PREAMBLE_H
#define QUEUEFILE_PREAMBLE_H

#include "base/buffer.h"
#include "base/parse.h"
#include "queuefile/digest.h"

enum {
    QUEUE_FILE_PREAMBLE_BYTES = 512,
    QUEUE_FILE_CONTENT_OFFSET = QUEUE_FILE_PREAMBLE_BYTES,
    QUEUE_FILE_VERSION = 1,
    QUEUE_EXTENT_MAX = 8,
    QUEUE_EXTENT_BYTES = 8 + 8 + DIGEST_BYTES
};

/* A piece of the content. Each has a digest of its own, because the header block comes first in
 * the content and is hashed last: it is not known before the body has passed. */
struct queue_extent {
    uint64_t offset; /* in the file */
    uint64_t length;
    uint8_t digest[DIGEST_BYTES]; /* SHA-256 of these bytes */
};

struct queue_preamble {
    struct queue_extent extents[QUEUE_EXTENT_MAX]; /* in the order of the content */
    size_t extent_count;
    uint64_t content_size; /* sum of the extents' lengths */
    uint64_t envelope_offset;
    uint64_t envelope_length;
    uint64_t state_offset;
    uint32_t recipient_count;
    uint8_t key_id[QUEUE_KEY_ID_BYTES]; /* set by encode */
};

enum queue_file_result {
    QUEUE_FILE_OK,
    QUEUE_FILE_ABSENT,          /* no preamble: this message was never acknowledged */
    QUEUE_FILE_UNKNOWN_VERSION, /* written by another release */
    QUEUE_FILE_UNKNOWN_KEY,     /* written under another key */
    QUEUE_FILE_WRONG_MAC,       /* not what qmgr wrote, or not under this id */
    QUEUE_FILE_UNPROVEN,        /* libcrypto failed: it is not known which */
    QUEUE_FILE_MALFORMED
};

/* A word for log lines. */
MUST_USE const char *queue_file_result_name(enum queue_file_result result);

/* Appends an extent and adds to the content size. False when there are eight already or it cannot
 * lie in a file. */
MUST_USE bool queue_preamble_add_extent(struct queue_preamble *preamble,
                                        const struct queue_extent *extent);
/* Where the envelope and the state go, content_end being the first byte after all content. The
 * state begins in a sector of its own: marking a recipient never rewrites a sector that holds what
 * was acknowledged. False when the numbers cannot lie in a file. */
MUST_USE bool queue_preamble_place(struct queue_preamble *preamble, uint64_t content_end,
                                   uint64_t envelope_length, uint32_t recipient_count);

/* The finished sector. False when the extents, which intake told us, do not lie between preamble
 * and envelope, when the envelope has another length than was placed, or when libcrypto failed. */
MUST_USE bool queue_preamble_encode(const struct queue_preamble *preamble, struct span queue_id,
                                    struct span envelope, struct queue_key *key,
                                    uint8_t out[QUEUE_FILE_PREAMBLE_BYTES]);

/* bytes: the file's first 512, or all of a shorter file. Everything but QUEUE_FILE_OK leaves
 * *preamble alone. After OK the numbers agree with each other, but nothing is proven yet. */
MUST_USE enum queue_file_result queue_preamble_decode(struct span bytes,
                                                      struct queue_preamble *preamble);
/* bytes: what was decoded; envelope: what lies where it says. OK, UNKNOWN_KEY, WRONG_MAC or
 * UNPROVEN. */
MUST_USE enum queue_file_result queue_preamble_verify(struct span bytes, struct span queue_id,
                                                      struct span envelope, struct queue_key *key);

/* Extents between processes: 48 bytes each, as in the preamble. */
void queue_extents_encode(const struct queue_extent *extents, size_t count, struct buffer *out);
MUST_USE enum parse_result queue_extents_decode(struct span bytes,
                                                struct queue_extent extents[QUEUE_EXTENT_MAX],
                                                size_t *count);

#endif
