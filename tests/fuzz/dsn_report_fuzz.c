/* tests/fuzz/dsn_report - texts from other servers and senders in a report, separated by LF: none
 * of them gets a line that begins as it likes, and every line is one. */
#include "base/ascii.h"
#include "dsn/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { REPORT_MAX_BYTES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct span rest = span_of(bytes, length), texts[6];
    struct buffer out;
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        (void)span_split_once(rest, '\n', &texts[i], &rest);
    const struct dsn_recipient recipient = {
        .final_recipient = span_first(texts[0], 400),
        .original_recipient = span_first(texts[1], 400),
        .orcpt = texts[2],
        .remote_mta = span_first(texts[3], 400),
        .reason = span_first(texts[4], 4000),
        .diagnostic = length % 2 ? texts[4] : span_empty(),
        .status = {5, 0, 0},
    };
    const struct dsn_template template = {SPAN("us-ascii"), SPAN("c"), SPAN("d"), SPAN("e"),
                                          SPAN("Words.\n")};
    const struct dsn_report report = {
        .template = &template,
        .to = SPAN("a@example.org"),
        .origin = SPAN("example.org"),
        .boundary = SPAN("boundary"),
        .envid = texts[5],
        .kind = length % 3 == 0 ? DSN_DELAY : DSN_FAILURE,
        .recipients = &recipient,
        .recipient_count = 1,
    };
    buffer_init(&out, NULL, REPORT_MAX_BYTES);
    dsn_append_notice(&report, &out);
    ASSERT(buffer_ok(&out));
    ASSERT(dsn_is_8bit(&report) || ascii_is_all_ascii(buffer_span(&out)));
    size_t part_count = 0;
    for (rest = buffer_span(&out); rest.length > 0;) {
        const size_t end = span_find_byte(rest, '\n');
        ASSERT(end < rest.length && end > 0 && end < 1000 && rest.bytes[end - 1] == '\r');
        ASSERT(span_find_byte(rest, '\r') == end - 1);
        if (span_starts_with(rest, SPAN("--boundary")))
            part_count++;
        rest = span_after(rest, end + 1);
    }
    ASSERT(part_count == 3);
    buffer_release(&out);
    return 0;
}
