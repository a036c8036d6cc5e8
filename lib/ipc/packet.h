/* ipc/packet - records within one SOCK_SEQPACKET packet. Pure.
 * A packet is a row of records: header (type, version, flags, request id, length, descriptor
 * count), body. The first packet on a channel is the opening: magic and schema hash. */
#ifndef IPC_PACKET_H
#define IPC_PACKET_H

#include "base/buffer.h"
#include "base/parse.h"
#include "ipc/message.h"

enum {
    IPC_PACKET_MAX_BYTES = 65536,
    IPC_PACKET_MAX_DESCRIPTORS = 64,
    IPC_RECORD_HEADER_BYTES = 12,
    IPC_OPENING_BYTES = 16,
    IPC_RECORD_IS_REPLY = 1
};

struct ipc_record {
    uint16_t type;
    uint8_t version;
    uint8_t flags; /* IPC_RECORD_IS_REPLY */
    uint32_t id;   /* 0: one-way */
    uint8_t descriptor_count;
    struct span body;
};

void ipc_packet_opening(uint8_t opening[IPC_OPENING_BYTES]);
MUST_USE bool ipc_packet_is_opening(struct span packet);

/* The next record off *rest; PARSE_MALFORMED unless its type exists in this version. */
MUST_USE enum parse_result ipc_packet_next(struct span *rest, struct ipc_record *record);
void ipc_packet_put_header(uint8_t header[IPC_RECORD_HEADER_BYTES],
                           const struct ipc_record *record);

#endif
