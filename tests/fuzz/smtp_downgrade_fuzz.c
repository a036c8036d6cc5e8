/* tests/fuzz/smtp_downgrade - any content, whole and in small pieces: the output is the same. */
#include <stdlib.h>

#include "../../smtp/downgrade.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void append(void *context, struct span piece)
{
    buffer_append_span(context, piece);
}

static void convert(struct span content, size_t step, struct buffer *output)
{
    struct downgrade *downgrade = malloc(sizeof(*downgrade));
    ASSERT(downgrade);
    downgrade_start(downgrade);
    downgrade_add(downgrade, content);
    downgrade_finish(downgrade);
    downgrade_restart(downgrade, append, output);
    for (size_t i = 0; i < content.length; i += step)
        downgrade_add(downgrade, span_first(span_after(content, i), step));
    downgrade_finish(downgrade);
    free(downgrade);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span content = span_of(bytes, length);
    struct buffer whole, split;
    if (length > 65536)
        return 0;
    buffer_init(&whole, NULL, 1 << 20);
    buffer_init(&split, NULL, 1 << 20);
    convert(content, length ? length : 1, &whole);
    convert(content, 3, &split);
    ASSERT(buffer_ok(&whole) && span_equals(buffer_span(&whole), buffer_span(&split)));
    buffer_release(&whole);
    buffer_release(&split);
    return 0;
}
