/* tests/fuzz/master_handover - what a master leaves to the next: what was read and is written again
 * is read as the same. */
#include <stdlib.h>

#include "master/handover.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    struct handover handover, again;
    struct buffer text, second;
    arena_init(&arena, 8 * HANDOVER_MAX_BYTES, 0);
    buffer_init(&text, NULL, 2 * HANDOVER_MAX_BYTES);
    buffer_init(&second, NULL, 2 * HANDOVER_MAX_BYTES);
    if (handover_parse(span_of(bytes, length), &arena, &handover) == PARSE_OK) {
        handover_write(&handover, &text);
        if (!buffer_ok(&text) || handover_parse(buffer_span(&text), &arena, &again) != PARSE_OK ||
            again.process_count != handover.process_count ||
            again.listener_count != handover.listener_count)
            abort();
        handover_write(&again, &second);
        if (!span_equals(buffer_span(&text), buffer_span(&second)))
            abort();
    }
    buffer_release(&text);
    buffer_release(&second);
    arena_destroy(&arena);
    return 0;
}
