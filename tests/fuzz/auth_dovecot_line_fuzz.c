/* tests/fuzz/auth_dovecot_line - lines of Dovecot's authentication protocol: what is read is within
 * the input, what is written is read again as it was. */
#include "../../authd/dovecot_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void write_again(const struct dovecot_line *line)
{
    struct arena arena;
    struct buffer text;
    struct dovecot_line again;
    size_t consumed;
    arena_init(&arena, 1 << 20, 0);
    buffer_init(&text, &arena, 1 << 17);
    buffer_append_string(&text, "X");
    for (size_t i = 0; i < line->count; i++) {
        const struct span word = dovecot_unescape(line->words[i], &arena);
        ASSERT(word.bytes && word.length <= line->words[i].length);
        dovecot_append_word(&text, word);
    }
    buffer_append_byte(&text, '\n');
    if (buffer_ok(&text) && text.length <= DOVECOT_LINE_MAX_BYTES &&
        line->count < DOVECOT_WORDS_MAX) {
        ASSERT(dovecot_line_parse(buffer_span(&text), &again, &consumed) == PARSE_OK);
        ASSERT(again.count == line->count + 1 && consumed == text.length);
        for (size_t i = 0; i < line->count; i++)
            ASSERT(span_equals(dovecot_unescape(again.words[i + 1], &arena),
                               dovecot_unescape(line->words[i], &arena)));
    }
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length), value;
    static struct dovecot_line line;
    size_t consumed;
    while (dovecot_line_parse(rest, &line, &consumed) == PARSE_OK) {
        ASSERT(consumed > 0 && consumed <= rest.length && line.count > 0);
        if (dovecot_line_find(&line, 1, "resp", &value))
            ASSERT(value.length <= consumed);
        write_again(&line);
        dovecot_line_end_behind(&line, 1, "resp"); /* nothing could be put behind it */
        ASSERT(line.count > 0 && (!dovecot_line_find(&line, 1, "resp", &value) ||
                                  span_ends_with(line.words[line.count - 1], value)));
        rest = span_after(rest, consumed);
    }
    return 0;
}
