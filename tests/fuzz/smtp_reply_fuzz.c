/* tests/fuzz/smtp_reply - what a hostile server answers. */
#include <stdlib.h>

#include "smtp/ehlo.h"
#include "smtp/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0)
        return 0;
    const bool accept_bare_lf = bytes[0] & 1;
    struct span input = span_of(bytes + 1, length - 1);
    struct arena arena;
    struct smtp_reply reply;
    size_t consumed = 0;
    arena_init(&arena, 1 << 18, 0);
    const enum parse_result result =
        smtp_reply_parse(input, accept_bare_lf, &arena, &reply, &consumed);
    if (input.length < 512) {
        struct smtp_reply trickled;
        size_t trickled_bytes = 0;
        enum parse_result again = PARSE_NEED_MORE;
        for (size_t i = 0; i <= input.length && again == PARSE_NEED_MORE; i++)
            again = smtp_reply_parse(span_first(input, i), accept_bare_lf, &arena, &trickled,
                                     &trickled_bytes);
        if (again != result || consumed != trickled_bytes)
            abort();
    }
    size_t line_bytes;
    const bool is_continued = smtp_reply_is_continued(input, &line_bytes);
    if (line_bytes > input.length || (is_continued && line_bytes < 5) ||
        (smtp_reply_is_noise(input, &line_bytes) && (is_continued || result == PARSE_OK)))
        abort();
    if (result == PARSE_OK) {
        struct smtp_extensions extensions;
        struct buffer output;
        const struct outcome outcome = smtp_reply_outcome(&reply);
        smtp_extensions_parse(&reply, &extensions);
        buffer_init(&output, &arena, SMTP_REPLY_READ_MAX_BYTES);
        smtp_reply_append(&output, outcome.reply_code, &outcome.status, outcome.reason);
        if (!buffer_ok(&output) || output.length > SMTP_REPLY_LINE_MAX_BYTES)
            abort();
    }
    arena_destroy(&arena);
    return 0;
}
