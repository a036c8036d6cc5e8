/* address/idn - see idn.h. */
#include "address/idn.h"

#include <idn2.h>

#include "address/mailbox.h"
#include "base/ascii.h"

enum parse_result address_domain_to_ascii(struct span domain, struct arena *arena,
                                          struct span *ascii)
{
    char *converted = NULL;
    if (ascii_is_all_ascii(domain)) {
        *ascii = domain;
        return PARSE_OK;
    }
    /* U-labels may be longer in UTF-8 than in ASCII, but not without end. */
    if (domain.length > (size_t)4 * ADDRESS_DOMAIN_MAX_BYTES)
        return PARSE_TOO_LONG;
    if (span_find_byte(domain, 0) < domain.length)
        return PARSE_MALFORMED;
    const char *string = arena_string(arena, domain);
    if (!string)
        return PARSE_TOO_LONG;
    const int result = idn2_to_ascii_8z(string, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result == IDN2_TOO_BIG_DOMAIN || result == IDN2_TOO_BIG_LABEL ||
        result == IDN2_PUNYCODE_BIG_OUTPUT || result == IDN2_MALLOC)
        return PARSE_TOO_LONG;
    if (result != IDN2_OK)
        return PARSE_MALFORMED;
    const struct span name = arena_copy(arena, span_from_string(converted));
    idn2_free(converted);
    if (!name.bytes)
        return PARSE_TOO_LONG;
    /* What the mapping makes of odd input has to be a name again. */
    if (address_domain_check(name, 0) != PARSE_OK)
        return PARSE_MALFORMED;
    *ascii = name;
    return PARSE_OK;
}
