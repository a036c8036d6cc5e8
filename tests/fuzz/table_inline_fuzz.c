/* tests/fuzz/table_inline_fuzz - what may stand in a table's name: inline:, static:, lists. */
#include "table/names.h"
#include "table/table.h"

static void open_and_ask(struct span name)
{
    struct buffer error;
    struct buffer value;

    buffer_init(&error, NULL, 65536);
    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    if (span_starts_with(name, span_from_string("inline:")) ||
        span_starts_with(name, span_from_string("static:"))) {
        struct table *table = table_open(name, NULL, &error);
        ASSERT(table || error.length > 0);
        if (table && table_lookup(table, span_from_string("Key"), &value) == TABLE_FOUND)
            ASSERT(buffer_ok(&value));
        table_close(&table);
    }
    buffer_release(&error);
    buffer_release(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length);
    struct span word;

    open_and_ask(rest);
    while (table_next_name(&rest, &word)) {
        struct span inside;
        open_and_ask(word);
        if (word.bytes[0] == '{' && table_strip_braces(word, &inside) == NULL)
            ASSERT(inside.length <= word.length - 2);
    }
    return 0;
}
