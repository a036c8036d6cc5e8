/* tls/ciphers - the cipher list of TLS 1.2 and older, made of a grade and of what is left out.
 * Interface: tls_cipher_list_append(), tls_cipher_words_check(). Pure.
 * Callers: tls/context, tls/check, the fuzzer. */
#ifndef TLS_CIPHERS_H
#define TLS_CIPHERS_H

#include "base/buffer.h"

enum tls_grade {
    TLS_GRADE_HIGH,
    TLS_GRADE_MEDIUM,
    TLS_GRADE_LOW,
    TLS_GRADE_EXPORT,
    TLS_GRADE_NULL,
    TLS_GRADE_COUNT
};
#define TLS_GRADE_NAMES "high|medium|low|export|null"

MUST_USE bool tls_grade_find(struct span name, enum tls_grade *grade);

/* Words that OpenSSL takes in a cipher list; exclusions have no ! + - @ before them, since each
 * gets its ! here. False, and *bad_word is the first that is none. */
MUST_USE bool tls_cipher_words_check(struct span words, bool is_exclusion, struct span *bad_word);

/* The grade's list, which is OpenSSL's text, and behind it "!" and each word of exclusions. */
void tls_cipher_list_append(struct buffer *output, struct span list);
void tls_cipher_exclusions_append(struct buffer *output, struct span exclusions);

#endif
