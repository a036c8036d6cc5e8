/* tests/fuzz/address_idn - names in hostile bytes: what becomes of one in ASCII is ASCII, a domain
 * by SMTP's grammar, and stays what it is when it is converted again. */
#include <stdlib.h>

#include "address/idn.h"
#include "address/mailbox.h"
#include "base/ascii.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span domain = span_of(bytes, length);
    struct arena arena;
    struct span ascii, again;
    arena_init(&arena, 1 << 16, 0);
    if (length > 0 && address_domain_to_ascii(domain, &arena, &ascii) == PARSE_OK) {
        if (!ascii_is_all_ascii(ascii) ||
            address_domain_to_ascii(ascii, &arena, &again) != PARSE_OK ||
            !span_equals(ascii, again))
            abort();
        if (!ascii_is_all_ascii(domain) && address_domain_check(ascii, 0) != PARSE_OK)
            abort();
    }
    arena_destroy(&arena);
    return 0;
}
