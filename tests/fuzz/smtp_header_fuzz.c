/* tests/fuzz/smtp_header - header fields, content facts and the Received field over hostile
 * bytes. */
#include <stdlib.h>

#include "smtp/content.h"
#include "smtp/header.h"
#include "smtp/received.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Whatever a client says, Received stays one field of two or three lines. */
static void check_received(struct span text)
{
    struct buffer output;
    struct smtp_header_field field;
    buffer_init(&output, NULL, 1 << 16);
    const struct smtp_received received = {.helo = text,
                                           .client_name = text,
                                           .client_address = text,
                                           .server_name = SPAN_LITERAL("mx.example"),
                                           .software = SPAN_LITERAL("Posthouse"),
                                           .protocol = SPAN_LITERAL("ESMTP"),
                                           .queue_id = SPAN_LITERAL("id"),
                                           .recipient = text,
                                           .unix_time_s = (int64_t)text.length};
    smtp_received_append(&output, &received);
    struct span rest = buffer_span(&output);
    if (!smtp_header_next(&rest, &field) || rest.length)
        abort();
    buffer_release(&output);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span content = span_of(bytes, length);
    struct smtp_content_facts facts;
    smtp_content_facts_init(&facts);
    smtp_content_facts_add(&facts, content);
    smtp_content_facts_finish(&facts);
    struct span rest = span_first(content, (size_t)facts.header_bytes);
    struct smtp_header_field field;
    struct buffer line;
    buffer_init(&line, NULL, 1 << 20);
    while (smtp_header_next(&rest, &field)) {
        if (field.name.length == 0 || field.whole.length < field.name.length + 1)
            abort();
        buffer_reset(&line);
        smtp_header_unfold(field.value, &line);
    }
    buffer_release(&line);
    if (smtp_header_count(content, SPAN("Received")) > length)
        abort();
    if (length < 1024)
        check_received(content);
    return 0;
}
