/* ipc/message - the structures and numbers of all messages, made from ipc/schema.def.
 * struct ipc_NAME holds a message. A TEXT or BYTES field that is absent has length 0, an FD -1, a
 * number 0. Spans point into the packet (or a caller's arena); they own nothing. */
#ifndef IPC_MESSAGE_H
#define IPC_MESSAGE_H

#include "base/outcome.h"

/* The C type of each field type. */
#define IPC_C_TYPE_U32 uint32_t
#define IPC_C_TYPE_U64 uint64_t
#define IPC_C_TYPE_BOOL bool
#define IPC_C_TYPE_TEXT struct span
#define IPC_C_TYPE_BYTES struct span
#define IPC_C_TYPE_FD int
#define IPC_C_TYPE_OUTCOME struct outcome

/* clang-format off */
#define IPC_MESSAGE(lower, upper, number, version) struct ipc_##lower {
#define IPC_FIELD(tag, name, type, presence, maximum) IPC_C_TYPE_##type name;
#define IPC_END };
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END

enum ipc_type {
#define IPC_MESSAGE(lower, upper, number, version) IPC_##upper = (number),
#define IPC_FIELD(tag, name, type, presence, maximum)
#define IPC_END
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
    IPC_TYPE_END
};

/* Room for any message. */
union ipc_any {
    uint64_t alignment;
#define IPC_MESSAGE(lower, upper, number, version) struct ipc_##lower lower;
#define IPC_FIELD(tag, name, type, presence, maximum)
#define IPC_END
#include "ipc/schema.def"
#undef IPC_MESSAGE
#undef IPC_FIELD
#undef IPC_END
};
/* clang-format on */

enum ipc_field_type {
    IPC_FIELD_U32,
    IPC_FIELD_U64,
    IPC_FIELD_BOOL,
    IPC_FIELD_TEXT,
    IPC_FIELD_BYTES,
    IPC_FIELD_FD,
    IPC_FIELD_OUTCOME
};

struct ipc_field {
    uint8_t tag; /* 0 ends the list */
    bool is_required;
    enum ipc_field_type type;
    uint32_t maximum_bytes;
    size_t offset;
    const char *name;
};

struct ipc_description {
    uint16_t number;
    uint8_t version;
    const char *name;
    size_t size;
    const struct ipc_field *fields;
};

/* NULL for a number that is no message. */
const struct ipc_description *ipc_describe(unsigned number);
/* The index-th message, NULL past the end; for tests and printers. */
const struct ipc_description *ipc_describe_index(size_t index);
/* Of everything that the schema says: two ends that differ must not talk. */
uint64_t ipc_schema_hash(void);

#endif
