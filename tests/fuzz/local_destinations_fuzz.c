/* tests/fuzz/local_destinations_fuzz - the text of an alias, a .forward or an :include: file. */
#include "../../local/destinations.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct span rest = span_of(bytes, length);
    struct destination destination;
    size_t before = length + 1;
    arena_init(&arena, 1 << 20, 0);
    for (enum parse_result result;
         (result = destination_next(&rest, true, &arena, &destination)) != PARSE_NEED_MORE;) {
        if (result == PARSE_TOO_LONG)
            break;
        ASSERT(rest.length < before);
        before = rest.length;
        if (result == PARSE_OK)
            ASSERT(destination.text.length > 0 && destination.text.length <= length);
    }
    arena_destroy(&arena);
    return 0;
}
