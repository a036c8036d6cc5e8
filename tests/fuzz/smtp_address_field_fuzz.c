/* tests/fuzz/smtp_address_field - addresses in header fields over hostile bytes: places stay in
 * order and inside, and replacing every address by itself changes nothing but white space. */
#include <stdlib.h>

#include "smtp/address_field.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static bool keep(void *context, enum smtp_address_field kind, struct span text, struct arena *arena,
                 struct span *replacement)
{
    (void)kind;
    (void)arena;
    ++*(size_t *)context;
    *replacement = text;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span whole = span_of(bytes, length);
    const struct span value = span_after(whole, span_find_byte(whole, ':') + 1);
    struct smtp_field_address address;
    struct buffer output;
    struct arena arena;
    size_t at = 0, before = 0, found = 0, replaced = 0;
    if (length == 0)
        return 0;
    arena_init(&arena, 1 << 22, 0);
    buffer_init(&output, NULL, 1 << 22);
    while (smtp_address_field_next(value, &at, &arena, &address)) {
        if (address.begin < before || address.begin >= address.end || address.end > at ||
            at > value.length || address.text.length > address.end - address.begin)
            abort();
        before = address.end;
        found++;
    }
    (void)smtp_address_field_rewrite(SPAN("To"), whole, keep, &replaced, &output);
    if (buffer_ok(&output) && (replaced != found || output.length > length))
        abort();
    buffer_release(&output);
    arena_destroy(&arena);
    return 0;
}
