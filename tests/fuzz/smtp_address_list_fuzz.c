/* tests/fuzz/smtp_address_list - what sendmail -t makes of a recipient field, and submitd of From,
 * over hostile bytes: it comes to an end, every step goes on, and what it calls an address the
 * other reader finds, too. */
#include <stdlib.h>

#include "smtp/address_field.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void list_all(struct span value, bool takes_odd_names)
{
    const size_t length = value.length;
    struct smtp_address_list list;
    struct smtp_address_entry entry;
    struct arena arena;
    size_t before = 0;
    arena_init(&arena, 1 << 22, 0);
    smtp_address_list_init(&list, value);
    list.takes_odd_names = takes_odd_names;
    while (smtp_address_list_next(&list, &arena, &entry)) {
        struct smtp_field_address address;
        size_t at = 0;
        if (list.at <= before || list.at > length || entry.text.length == 0 ||
            entry.text.length > length)
            abort();
        before = list.at;
        if (entry.is_address && (!smtp_address_field_next(entry.text, &at, &arena, &address) ||
                                 !span_equals(address.text, entry.text)))
            abort();
    }
    if (list.at != length)
        abort();
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    list_all(span_of(bytes, length), false);
    list_all(span_of(bytes, length), true);
    return 0;
}
