/* tests/fuzz/ipc - a packet from another process: records, bodies, records within records.
 * What decodes must encode to the same bytes. */
#include <stdlib.h>

#include "ipc/codec.h"
#include "ipc/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length);
    struct ipc_record record;
    union ipc_any message, inner;
    struct buffer again;
    buffer_init(&again, NULL, 1 << 20);
    while (ipc_packet_next(&rest, &record) == PARSE_OK) {
        struct ipc_descriptors descriptors = {.values = {3, 4, 5, 6},
                                              .count = record.descriptor_count % 5U};
        const enum ipc_type type = (enum ipc_type)record.type;
        if (ipc_decode(type, record.body, &descriptors, &message) == PARSE_OK) {
            buffer_reset(&again);
            ipc_print(type, &message, &again);
        }
        struct span records = record.body;
        unsigned kind;
        while ((kind = ipc_records_peek(records)) != 0 && ipc_describe(kind) &&
               ipc_records_next(&records, (enum ipc_type)kind, &inner) == PARSE_OK) {
            buffer_reset(&again);
            ipc_print((enum ipc_type)kind, &inner, &again);
        }
    }
    buffer_release(&again);
    return 0;
}
