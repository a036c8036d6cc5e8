/* tests/lib/queuefile/samples - one message of two recipients, as a queue file holds it. */
#ifndef TESTS_QUEUEFILE_SAMPLES_H
#define TESTS_QUEUEFILE_SAMPLES_H

#include "../../test.h"

#include "queuefile/envelope.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"
#include "queuefile/state.h"

static const uint8_t sample_key[QUEUE_KEY_BYTES] = {1, 2, 3, 4, 5};
#define SAMPLE_ID "1RpQ0P0000z00000000000000000"

static inline void sample_envelope_bytes(struct buffer *out)
{
    const struct queue_envelope envelope = {
        .arrival_us = 1790000000123456,
        .origin = QUEUE_ORIGIN_SMTP,
        .reverse_path = SPAN("a@example.org"),
        .facts = {2048, 300, 78, 1, QUEUE_FACT_8BIT_BODY},
        .flags = QUEUE_FLAG_BODY_8BITMIME | QUEUE_FLAG_LOCAL_CLIENT,
        .envid = SPAN("QQ314159"),
        .ret = QUEUE_RETURN_HEADERS,
        .client_name = SPAN("mail.example.org"),
        .client_address = SPAN("192.0.2.7"),
        .client_port = 40000,
        .helo = SPAN("mail.example.org"),
        .protocol = SPAN("ESMTP"),
        .ident = SPAN("4Qk7vBz1Tf"),
        .forward_of = SPAN("4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L0"),
        .forward_index = 3,
        .report_of = SPAN("4YcWkm0ZqTz1B2C3D4F5G6H7J8K9L1"),
        .report_kind = 2,
        .report_recipients = SPAN("0-49,52"),
        .sasl_method = SPAN("PLAIN"),
        .sasl_username = SPAN("bob"),
        .sasl_sender = SPAN("bob@example.org"),
        .release_us = 1795312111000000,
        .release_request = SPAN("until;2026-11-22T01:48:31Z"),
        .deliver_by_us = 1795312115000000,
        .deliver_by = QUEUE_DELIVER_BY_RETURN,
        .traces_deliver_by = 1,
        .priority = 12,
        .filter = SPAN("scan:[127.0.0.1]:10025"),
        .verp_delimiters = SPAN("+="),
    };
    const struct queue_recipient recipients[] = {
        {.forward_path = SPAN("b@example.net"), .notify = QUEUE_NOTIFY_FAILURE},
        {.forward_path = SPAN("c@example.net"),
         .original_recipient = SPAN("sales@example.com"),
         .orcpt = SPAN("rfc822;sales@example.com"),
         .notify = QUEUE_NOTIFY_NEVER},
    };
    queue_envelope_encode_header(&envelope, out);
    for (size_t i = 0; i < ARRAY_LENGTH(recipients); i++)
        queue_envelope_append_recipient(&recipients[i], out);
    assert_true(buffer_ok(out));
}

/* Body first in the file, header first in the content. */
static inline void sample_preamble(struct queue_preamble *preamble, size_t envelope_length)
{
    *preamble = (struct queue_preamble){.extent_count = 0};
    const struct queue_extent header = {QUEUE_FILE_CONTENT_OFFSET + 1748, 300, {0xaa}};
    const struct queue_extent body = {QUEUE_FILE_CONTENT_OFFSET, 1748, {0xbb}};
    assert_true(queue_preamble_add_extent(preamble, &header));
    assert_true(queue_preamble_add_extent(preamble, &body));
    assert_true(
        queue_preamble_place(preamble, QUEUE_FILE_CONTENT_OFFSET + 2048, envelope_length, 2));
}

#endif
