/* tests/fuzz/tls_settings - lists of protocols, ciphers and options from hostile bytes: what is
 * taken is something, and what is complained of stands in the text. */
#include <stdlib.h>

#include "tls/ciphers.h"
#include "tls/options.h"
#include "tls/protocols.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_word(struct span text, struct span word)
{
    if (word.length &&
        (word.bytes < text.bytes || word.bytes + word.length > text.bytes + text.length))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span text = span_of(bytes, length);
    struct span bad_word = span_empty();
    unsigned protocols = 0;
    uint64_t bits = 0;
    if (tls_protocols_parse(text, &protocols, &bad_word) == PARSE_OK) {
        if (protocols == 0 || (protocols & ~(unsigned)TLS_PROTOCOLS_ALL))
            abort();
    } else {
        check_word(text, bad_word);
    }
    for (unsigned kind = 0; kind < 2; kind++)
        if (tls_options_parse(text, (enum tls_option_kind)kind, &bits, &bad_word) != PARSE_OK)
            check_word(text, bad_word);
    struct buffer list;
    buffer_init(&list, NULL, 4096);
    if (tls_cipher_words_check(text, true, &bad_word)) {
        tls_cipher_exclusions_append(&list, text);
        if (buffer_ok(&list) && !tls_cipher_words_check(buffer_span(&list), false, &bad_word))
            abort(); /* with its marks each is still a word */
    } else {
        check_word(text, bad_word);
    }
    buffer_release(&list);
    return 0;
}
