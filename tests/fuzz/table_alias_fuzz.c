/* tests/fuzz/table_alias_fuzz - a line of aliases(5). */
#include "table/alias_source.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct buffer name, value;

    buffer_init(&name, NULL, 256);
    buffer_init(&value, NULL, 65536);
    const enum alias_problem problem = alias_source_split(span_of(bytes, length), &name, &value);
    if (problem == ALIAS_FINE)
        ASSERT(name.length > 0 && value.length > 0 && name.length + value.length < length);
    buffer_release(&name);
    buffer_release(&value);
    return 0;
}
