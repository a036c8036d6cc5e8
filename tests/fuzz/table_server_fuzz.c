/* tests/fuzz/table_server - what hostile table servers say. */
#include <stdlib.h>

#include "table/server_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    enum table_result result;
    struct span payload, text;
    struct buffer decoded;
    size_t consumed;

    if (table_socketmap_parse_reply(input, &payload, &consumed) == PARSE_OK) {
        if (consumed > length || payload.length + 3 > consumed)
            abort();
        if (table_socketmap_read(payload, &result, &text) && text.length >= payload.length &&
            payload.length > 0)
            abort();
    }
    buffer_init(&decoded, NULL, 1 << 16);
    if (table_tcp_read(input, &result, &decoded) && decoded.length + 4 > length)
        abort();
    buffer_reset(&decoded);
    if (length < 4096)
        table_tcp_append_request(input, &decoded);
    for (size_t i = 0; i + 1 < decoded.length; i++)
        if (decoded.bytes[i] == '\n')
            abort(); /* one line, whatever the key */
    buffer_release(&decoded);
    return 0;
}
