/* tests/fuzz/session_attributes - arguments of XCLIENT and XFORWARD from hostile bytes: texts that
 * come out are short and have no control characters. */
#include <stdlib.h>

#include "smtpsession/attributes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_text(struct span text)
{
    if (text.length > 512)
        abort();
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < 0x20 || text.bytes[i] == 0x7f)
            abort();
}

static void parse(struct span input, unsigned allowed)
{
    struct session_attributes attributes = {.given = 0};
    struct outcome refusal = outcome_ok();
    struct arena arena;
    arena_init(&arena, 1 << 16, 0);
    if (session_attributes_parse(input, allowed, &arena, &attributes, &refusal) == PARSE_OK) {
        if (attributes.given & ~allowed)
            abort();
        check_text(attributes.name);
        check_text(attributes.reverse_name);
        check_text(attributes.helo);
        check_text(attributes.protocol);
        check_text(attributes.login);
        check_text(attributes.ident);
    } else if (outcome_is_ok(&refusal)) {
        abort();
    }
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    parse(span_of(bytes, length), SESSION_XCLIENT_ATTRIBUTES);
    parse(span_of(bytes, length), SESSION_XFORWARD_ATTRIBUTES);
    return 0;
}
