/* tests/fuzz/tlsrpt_line - a line of reportd's journal: what is taken can be written, and read
 * again as the same. */
#include "../../reportd/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct session_line line, again;
    struct buffer policy, policy_again, text;
    buffer_init(&policy, NULL, LINE_POLICY_MAX_BYTES);
    buffer_init(&policy_again, NULL, LINE_POLICY_MAX_BYTES);
    buffer_init(&text, NULL, 2 * LINE_POLICY_MAX_BYTES);
    if (session_line_parse(span_of(bytes, length), &policy, &line) == PARSE_OK) {
        session_line_append(&line, &text);
        ASSERT(buffer_ok(&text));
        ASSERT(session_line_parse(span_first(buffer_span(&text), text.length - 1), &policy_again,
                                  &again) == PARSE_OK);
        ASSERT(line.kind == again.kind && line.day == again.day &&
               span_equals(line.domain, again.domain) && span_equals(line.uri, again.uri));
        if (line.kind == LINE_SESSIONS)
            ASSERT(line.count == again.count && line.result == again.result &&
                   line.policy_type == again.policy_type &&
                   span_equals(line.policy, again.policy) &&
                   span_equals(line.policy_domain, again.policy_domain) &&
                   span_equals(line.reason, again.reason) &&
                   span_equals(line.receiving_helo, again.receiving_helo));
    }
    buffer_release(&policy);
    buffer_release(&policy_again);
    buffer_release(&text);
    return 0;
}
