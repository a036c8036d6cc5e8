/* tests/fuzz/table_source_fuzz - the text of tables; split points must not matter. */
#include "base/base64.h"
#include "table/source.h"

enum { FUZZ_TEXT_MAX_BYTES = 16 * 1024 * 1024 };

static void run(struct span input, size_t step, struct buffer *text)
{
    struct table_source source;
    struct buffer window;
    size_t fed = 0;

    table_source_init(&source, NULL, true);
    buffer_init(&window, NULL, FUZZ_TEXT_MAX_BYTES);
    for (bool is_last = false; !is_last;) {
        struct table_source_entry entry;
        size_t consumed;
        enum parse_result result;

        buffer_append_span(&window, span_between(input, fed, fed + step));
        fed = fed + step < input.length ? fed + step : input.length;
        is_last = fed == input.length;
        while ((result = table_source_next(&source, buffer_span(&window), is_last, &entry,
                                           &consumed)) == PARSE_OK) {
            buffer_append_format(text, "%zu %d ", entry.line_number, (int)entry.problem);
            hex_encode(entry.key, text);
            buffer_append_byte(text, '=');
            hex_encode(entry.value, text);
            buffer_append_byte(text, '\n');
            table_source_warning(&entry, "file", text);
            buffer_consume(&window, consumed);
        }
        ASSERT(result == PARSE_NEED_MORE);
        buffer_consume(&window, consumed);
        ASSERT(!is_last || window.length == 0);
    }
    table_source_release(&source);
    buffer_release(&window);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct buffer whole;
    struct buffer pieces;

    buffer_init(&whole, NULL, FUZZ_TEXT_MAX_BYTES);
    buffer_init(&pieces, NULL, FUZZ_TEXT_MAX_BYTES);
    run(input, length + 1, &whole);
    run(input, length ? bytes[0] % 7 + 1U : 1, &pieces);
    ASSERT(!buffer_ok(&whole) || span_equals(buffer_span(&whole), buffer_span(&pieces)));
    buffer_release(&whole);
    buffer_release(&pieces);
    return 0;
}
