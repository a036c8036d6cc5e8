/* queuefile/record_private - records of tagged attributes, the form of envelope and journal.
 * A record is a kind (1 byte), a length (2 bytes, big-endian) and attributes; an attribute is a
 * tag (1 byte), a length (2 bytes) and a value. Which attributes a record may have, and where they
 * go in a structure, stands in a table of fields. */
#ifndef QUEUEFILE_RECORD_PRIVATE_H
#define QUEUEFILE_RECORD_PRIVATE_H

#include "base/buffer.h"
#include "base/parse.h"

enum { RECORD_HEAD_BYTES = 3, RECORD_MAX_BYTES = RECORD_HEAD_BYTES + UINT16_MAX };

enum record_type {
    RECORD_TEXT,  /* struct span: no control characters; maximum is a length */
    RECORD_UINT8, /* the integers are fixed in size and big-endian; maximum is a value */
    RECORD_ENUM,  /* an enum, in one byte */
    RECORD_UINT16,
    RECORD_UINT32,
    RECORD_UINT64
};

struct record_field {
    uint8_t tag;
    enum record_type type;
    bool is_required; /* others are left out when zero or empty */
    size_t offset;    /* in the structure */
    uint64_t maximum;
};

/* A value past its maximum, or a text with control characters, makes the buffer fail. */
void record_encode(struct buffer *out, uint8_t kind, const struct record_field *fields,
                   size_t field_count, const void *structure);
/* The kind of the first record; false when there is none. */
MUST_USE bool record_peek_kind(struct span bytes, uint8_t *kind);
/* Takes one record of that kind off *rest. The structure must be zeroed; its spans point into the
 * input. On anything but PARSE_OK *rest is left alone and the structure is unspecified. */
MUST_USE enum parse_result record_decode(struct span *rest, uint8_t kind,
                                         const struct record_field *fields, size_t field_count,
                                         void *structure);

#endif
