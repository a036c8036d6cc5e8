/* tests/fuzz/proxy_header - PROXY protocol headers from hostile bytes: the answer is the same by
 * the byte, and a header is no longer than its limit. */
#include <stdlib.h>

#include "address/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct proxy_header header, trickled;
    size_t consumed = 0, trickled_bytes = 0;
    const enum parse_result result = proxy_header_parse(input, &header, &consumed);
    enum parse_result again = PARSE_NEED_MORE;
    for (size_t i = 0; i <= length && again == PARSE_NEED_MORE; i++)
        again = proxy_header_parse(span_first(input, i), &trickled, &trickled_bytes);
    if (again != result || consumed != trickled_bytes)
        abort();
    if (result != PARSE_OK)
        return 0;
    if (consumed == 0 || consumed > PROXY_HEADER_MAX_BYTES || consumed > length ||
        header.is_local != trickled.is_local)
        abort();
    if (!header.is_local && (header.client.family == IP_FAMILY_NONE ||
                             !ip_address_equals(&header.client, &trickled.client) ||
                             header.client_port != trickled.client_port))
        abort();
    return 0;
}
