/* tests/fuzz/smtp_wire - an address for MAIL and RCPT: whatever the queue or a table holds, no line
 * ends in it that was not there, nothing but ASCII goes to a server without SMTPUTF8, and what was
 * written once is written the same again. */
#include "../../smtp/wire.h"

#include "base/ascii.h"

enum { ARENA_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_byte(struct span text, uint8_t byte)
{
    return span_find_byte(text, byte) < text.length;
}

static void check(struct span address, const struct wire_rules *rules)
{
    static const uint8_t ends[] = {'\r', '\n', 0};
    struct arena arena;
    struct span text, again;

    arena_init(&arena, ARENA_BYTES, 0);
    const bool is_sayable = wire_address(address, rules, &arena, &text);
    ASSERT(text.bytes || text.length == 0);
    for (size_t i = 0; i < ARRAY_LENGTH(ends); i++)
        ASSERT(has_byte(address, ends[i]) || !has_byte(text, ends[i]));
    if (is_sayable) {
        ASSERT(rules->has_smtputf8 || ascii_is_all_ascii(text));
        if (rules->quotes) {
            ASSERT(wire_address(text, rules, &arena, &again));
            ASSERT(span_equals(text, again));
        }
    } else {
        ASSERT(!rules->has_smtputf8 && !ascii_is_all_ascii(address));
    }
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span address = span_of(data, size < 1024 ? size : 1024);
    for (unsigned bits = 0; bits < 4; bits++)
        check(address,
              &(struct wire_rules){.has_smtputf8 = (bits & 1) != 0, .quotes = (bits & 2) != 0});
    return 0;
}
