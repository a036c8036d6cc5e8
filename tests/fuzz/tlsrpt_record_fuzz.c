/* tests/fuzz/tlsrpt_record - the TXT record of TLSRPT and its URIs: an address that is taken has
 * nothing in it that would end a header field. */
#include "tlsrpt/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span uris, uri, address;
    struct arena arena;
    if (tlsrpt_record_parse(span_of(bytes, length), &uris) != PARSE_OK)
        return 0;
    arena_init(&arena, 1 << 20, 0);
    while (tlsrpt_record_next_uri(&uris, &uri)) {
        ASSERT(uri.length > 0 && uri.length <= TLSRPT_URI_MAX_BYTES);
        if (tlsrpt_mailto_parse(uri, &arena, &address) != PARSE_OK)
            continue;
        ASSERT(span_find_byte(address, '@') < address.length);
        for (size_t i = 0; i < address.length; i++)
            ASSERT(address.bytes[i] >= ' ' && address.bytes[i] < 0x7f);
    }
    arena_destroy(&arena);
    return 0;
}
