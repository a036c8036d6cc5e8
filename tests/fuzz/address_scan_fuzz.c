/* tests/fuzz/address_scan - addresses in hostile header fields and table values. */
#include <stdlib.h>

#include "address/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void scan(struct span text, enum address_scan_style style)
{
    struct address_found found;
    struct arena arena;
    size_t position = 0;

    arena_init(&arena, 1 << 22, 0);
    for (;;) {
        const size_t before = position;
        if (address_scan_next(text, style, &position, &arena, &found) != PARSE_OK)
            break;
        if (position <= before || found.begin < before || found.end > position ||
            found.begin >= found.end || position > text.length)
            abort();
    }
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    scan(span_of(bytes, length), ADDRESS_SCAN_HEADER);
    scan(span_of(bytes, length), ADDRESS_SCAN_VALUE);
    return 0;
}
