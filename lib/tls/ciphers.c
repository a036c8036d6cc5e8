/* tls/ciphers - see ciphers.h. */
#include "tls/ciphers.h"

#include "base/ascii.h"

static const char separators[] = ", \t\r\n:";

bool tls_grade_find(struct span name, enum tls_grade *grade)
{
    struct span names = SPAN(TLS_GRADE_NAMES), word;
    for (unsigned i = 0; span_next_word(&names, "|", &word); i++)
        if (span_equals_ascii_nocase(name, word)) {
            *grade = (enum tls_grade)i;
            return true;
        }
    return false;
}

static bool is_word(struct span word, bool is_exclusion)
{
    size_t start = 0;
    if (!is_exclusion && word.length > 1 && span_byte_is_one_of(word, 0, "!+-@", 4))
        start = 1;
    for (size_t i = start; i < word.length; i++) {
        const uint8_t byte = word.bytes[i];
        const bool is_plain = ascii_is_alpha(byte) || ascii_is_digit(byte);
        if (!is_plain && (i == start || !span_byte_is_one_of(word, i, "_+-.=", 5)))
            return false;
    }
    return word.length > start;
}

bool tls_cipher_words_check(struct span words, bool is_exclusion, struct span *bad_word)
{
    struct span word;
    while (span_next_word(&words, separators, &word))
        if (!is_word(word, is_exclusion)) {
            *bad_word = word;
            return false;
        }
    return true;
}

void tls_cipher_list_append(struct buffer *output, struct span list)
{
    struct span word;
    while (span_next_word(&list, separators, &word)) {
        if (output->length)
            buffer_append_byte(output, ':');
        buffer_append_span(output, word);
    }
}

void tls_cipher_exclusions_append(struct buffer *output, struct span exclusions)
{
    struct span word;
    while (span_next_word(&exclusions, separators, &word)) {
        if (output->length)
            buffer_append_byte(output, ':');
        buffer_append_byte(output, '!');
        buffer_append_span(output, word);
    }
}
