/* ipc/codec - messages to bytes and back, by the schema's tables. Pure.
 * A body is a row of attributes: tag (1 byte), length (2 bytes), value; numbers big-endian. The
 * decoder refuses an unknown, repeated, misordered, oversized or missing attribute and trailing
 * bytes. Descriptors travel beside the bytes, in the order of their fields. */
#ifndef IPC_CODEC_H
#define IPC_CODEC_H

#include "base/buffer.h"
#include "base/parse.h"
#include "ipc/message.h"

enum { IPC_DESCRIPTORS_PER_MESSAGE = 4 };

struct ipc_descriptors {
    int values[IPC_DESCRIPTORS_PER_MESSAGE];
    size_t count;
};

/* Appends the body of *message (struct ipc_NAME of that type). A missing required TEXT is sent
 * empty; one over its maximum, or with a NUL in it, makes the buffer fail. Descriptors (>= 0) are
 * listed, not duplicated.
 */
void ipc_encode(enum ipc_type type, const void *message, struct buffer *body,
                struct ipc_descriptors *descriptors);

/* Fills *message; its spans point into body. Takes descriptors from the list; on anything but
 * PARSE_OK none has been taken. */
MUST_USE enum parse_result ipc_decode(enum ipc_type type, struct span body,
                                      const struct ipc_descriptors *descriptors, void *message);

/* Copies every span of the message into the arena; false at its cap. */
MUST_USE bool ipc_copy_spans(enum ipc_type type, void *message, struct arena *arena);

/* RECORDS fields: messages in a row, each with type, version and length. No descriptors inside. */
void ipc_records_append(enum ipc_type type, const void *message, struct buffer *records);
/* The next record off *rest, which must be of that type. */
MUST_USE enum parse_result ipc_records_next(struct span *rest, enum ipc_type type, void *message);
/* The type of the next record, or 0 at the end or for nonsense. */
MUST_USE unsigned ipc_records_peek(struct span rest);

/* One line for people: "QUEUE_COMMIT queue_id=... digest=32 bytes". */
void ipc_print(enum ipc_type type, const void *message, struct buffer *out);

#endif
