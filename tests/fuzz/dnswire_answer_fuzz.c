/* tests/fuzz/dnswire_answer - any message as the answer to the question that it repeats itself. */
#include "base/number.h"
#include "dnswire/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span message = span_of(bytes, length);
    struct dns_question question = {.type = DNS_TYPE_A};
    struct arena arena;
    struct dns_answer answer;
    size_t end;

    if (dns_name_parse(message, DNS_HEADER_BYTES, &question.name, &end) != PARSE_OK)
        ASSERT(dns_name_from_text(SPAN("a.example"), &question.name) == PARSE_OK);
    else if (length - end >= 2)
        question.type = number_get_uint16(bytes + end);
    arena_init(&arena, 1 << 20, 0);
    dns_answer_parse(message, &question, &arena, &answer);
    ASSERT((answer.status == DNS_TEMPORARY) == (answer.failure != DNS_FAILURE_NONE));
    ASSERT((answer.status == DNS_FOUND) == (answer.record_count > 0));
    arena_destroy(&arena);
    return 0;
}
