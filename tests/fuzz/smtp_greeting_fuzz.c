/* tests/fuzz/smtp_greeting - the first reply of a server, and lists of words about it: as the
 * session reads them, from input cut at any place. */
#include "../../smtp/greeting_facts.h"

#include "base/arena.h"
#include "smtp/ehlo.h"

enum { ARENA_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only stars, blanks and the code's digits 2 and 0 are left of a hidden greeting. */
static bool looks_hidden(struct span lines)
{
    size_t star_count = 0, other_count = 0;
    for (size_t i = 0; i < lines.length; i++) {
        star_count += lines.bytes[i] == '*';
        other_count += lines.bytes[i] != '*' && lines.bytes[i] != '2' && lines.bytes[i] != '0' &&
                       !span_byte_is_one_of(lines, i, " \t\r\n", 4);
    }
    return star_count > 0 && other_count == 0;
}

static void check_words(struct span words, struct smtp_extensions *extensions)
{
    struct span rest = words, word;
    while (span_next_word(&rest, ", \t\r\n", &word)) {
        ASSERT(span_list_has(words, word));
        smtp_extensions_discard(extensions, word);
    }
    ASSERT(!span_list_has(words, span_empty()));
    ASSERT(!span_list_has(words, SPAN("two words")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct span input = span_of(data, size);
    struct arena arena;
    struct smtp_reply reply;
    struct smtp_extensions extensions = {0};
    size_t consumed;

    arena_init(&arena, ARENA_BYTES, 0);
    if (smtp_reply_parse(input, true, &arena, &reply, &consumed) == PARSE_OK) {
        const struct greeting_facts facts = greeting_facts_read(&reply);
        ASSERT(consumed <= size);
        ASSERT(facts.is_hidden == looks_hidden(reply.lines));
        ASSERT(!facts.is_hidden || !facts.says_esmtp);
        smtp_extensions_parse(&reply, &extensions);
        check_words(span_after(input, consumed), &extensions);
    }
    check_words(input, &extensions);
    arena_destroy(&arena);
    return 0;
}
