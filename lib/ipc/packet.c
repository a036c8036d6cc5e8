/* ipc/packet - see packet.h. */
#include "ipc/packet.h"

#include "base/number.h"

static const uint8_t magic[8] = {'P', 'H', 'I', 'P', 'C', '1', '\r', '\n'};

void ipc_packet_opening(uint8_t opening[IPC_OPENING_BYTES])
{
    memcpy(opening, magic, sizeof(magic));
    number_put_uint64(opening + sizeof(magic), ipc_schema_hash());
}

bool ipc_packet_is_opening(struct span packet)
{
    uint8_t expected[IPC_OPENING_BYTES];
    ipc_packet_opening(expected);
    return span_equals(packet, span_of(expected, sizeof(expected)));
}

void ipc_packet_put_header(uint8_t header[IPC_RECORD_HEADER_BYTES], const struct ipc_record *record)
{
    number_put_uint16(header, record->type);
    header[2] = record->version;
    header[3] = record->flags;
    number_put_uint32(header + 4, record->id);
    number_put_uint16(header + 8, (uint16_t)record->body.length);
    header[10] = record->descriptor_count;
    header[11] = 0;
}

enum parse_result ipc_packet_next(struct span *rest, struct ipc_record *record)
{
    if (rest->length < IPC_RECORD_HEADER_BYTES)
        return PARSE_MALFORMED;
    const uint8_t *header = rest->bytes;
    const size_t length = number_get_uint16(header + 8);
    const struct ipc_description *description = ipc_describe(number_get_uint16(header));
    if (!description || header[2] != description->version || header[3] > IPC_RECORD_IS_REPLY ||
        header[11] != 0 || length > rest->length - IPC_RECORD_HEADER_BYTES)
        return PARSE_MALFORMED;
    *record = (struct ipc_record){
        .type = description->number,
        .version = header[2],
        .flags = header[3],
        .id = number_get_uint32(header + 4),
        .descriptor_count = header[10],
        .body = span_between(*rest, IPC_RECORD_HEADER_BYTES, IPC_RECORD_HEADER_BYTES + length),
    };
    *rest = span_after(*rest, IPC_RECORD_HEADER_BYTES + length);
    return PARSE_OK;
}
