/* tests/lib/queuefile/envelope - encoding, decoding whole and in steps, and what is refused. */
#include "samples.h"

static void test_round_trip(void **state)
{
    (void)state;
    struct buffer bytes;
    struct arena arena;
    struct queue_envelope envelope;
    buffer_init(&bytes, NULL, 4096);
    arena_init(&arena, 4096, 0);
    sample_envelope_bytes(&bytes);
    assert_int_equal(queue_envelope_decode(buffer_span(&bytes), 2, &arena, &envelope), PARSE_OK);
    assert_int_equal(envelope.arrival_us, 1790000000123456);
    assert_int_equal(envelope.origin, QUEUE_ORIGIN_SMTP);
    assert_span_is("reverse-path", envelope.reverse_path, "a@example.org");
    assert_int_equal(envelope.facts.size_bytes, 2048);
    assert_int_equal(envelope.facts.header_bytes, 300);
    assert_int_equal(envelope.facts.longest_line_bytes, 78);
    assert_int_equal(envelope.facts.received_count, 1);
    assert_int_equal(envelope.facts.flags, QUEUE_FACT_8BIT_BODY);
    assert_int_equal(envelope.flags, QUEUE_FLAG_BODY_8BITMIME | QUEUE_FLAG_LOCAL_CLIENT);
    assert_span_is("envid", envelope.envid, "QQ314159");
    assert_int_equal(envelope.ret, QUEUE_RETURN_HEADERS);
    assert_span_is("client name", envelope.client_name, "mail.example.org");
    assert_span_is("client address", envelope.client_address, "192.0.2.7");
    assert_int_equal(envelope.client_port, 40000);
    assert_span_is("helo", envelope.helo, "mail.example.org");
    assert_span_is("protocol", envelope.protocol, "ESMTP");
    assert_span_is("ident", envelope.ident, "4Qk7vBz1Tf");
    assert_span_is("method", envelope.sasl_method, "PLAIN");
    assert_span_is("user", envelope.sasl_username, "bob");
    assert_span_is("AUTH", envelope.sasl_sender, "bob@example.org");
    assert_int_equal(envelope.release_us, 1795312111000000);
    assert_span_is("request", envelope.release_request, "until;2026-11-22T01:48:31Z");
    assert_int_equal(envelope.deliver_by_us, 1795312115000000);
    assert_int_equal(envelope.deliver_by, QUEUE_DELIVER_BY_RETURN);
    assert_int_equal(envelope.traces_deliver_by, 1);
    assert_int_equal(envelope.priority, 12);
    assert_span_is("filter", envelope.filter, "scan:[127.0.0.1]:10025");
    assert_span_is("verp", envelope.verp_delimiters, "+=");
    assert_int_equal(envelope.recipient_count, 2);
    assert_span_is("first", envelope.recipients[0].forward_path, "b@example.net");
    assert_true(span_is_empty(envelope.recipients[0].orcpt));
    assert_int_equal(envelope.recipients[0].notify, QUEUE_NOTIFY_FAILURE);
    assert_span_is("orcpt", envelope.recipients[1].orcpt, "rfc822;sales@example.com");
    assert_span_is("original", envelope.recipients[1].original_recipient, "sales@example.com");
    assert_int_equal(queue_envelope_decode(buffer_span(&bytes), 1, &arena, &envelope),
                     PARSE_TOO_LONG);
    arena_destroy(&arena);
    arena_init(&arena, 8, 0);
    assert_int_equal(queue_envelope_decode(buffer_span(&bytes), 2, &arena, &envelope),
                     PARSE_TOO_LONG);
    arena_destroy(&arena);
    buffer_release(&bytes);
}

/* Whole or in steps, at every length: the same answer, and never more than is there. */
static void test_every_prefix(void **state)
{
    (void)state;
    struct buffer bytes;
    struct arena arena;
    buffer_init(&bytes, NULL, 4096);
    arena_init(&arena, 4096, 0);
    sample_envelope_bytes(&bytes);
    size_t whole_count = 0, previous = 0;
    for (size_t length = 0; length <= bytes.length; length++) {
        struct queue_envelope envelope;
        struct queue_recipient recipient;
        struct span rest = span_first(buffer_span(&bytes), length);
        size_t steps = 0;
        enum parse_result stepwise = queue_envelope_next_header(&rest, &envelope);
        while (stepwise == PARSE_OK && rest.length > 0)
            if ((stepwise = queue_envelope_next_recipient(&rest, &recipient)) == PARSE_OK)
                steps++;
        if (stepwise == PARSE_OK && steps == 0)
            stepwise = PARSE_NEED_MORE;
        const enum parse_result whole =
            queue_envelope_decode(span_first(buffer_span(&bytes), length), 9, &arena, &envelope);
        assert_int_equal(whole, stepwise);
        if (whole == PARSE_OK) {
            assert_int_equal(envelope.recipient_count, steps);
            assert_true(steps > previous);
            previous = steps;
            whole_count++;
        } else {
            assert_int_equal(whole, PARSE_NEED_MORE);
        }
        arena_reset(&arena);
    }
    assert_int_equal(whole_count, 2); /* after each of the two recipients */
    arena_destroy(&arena);
    buffer_release(&bytes);
}

static void test_batches(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct buffer whole, batch;
    struct arena arena;
    struct queue_envelope envelope = {.origin = QUEUE_ORIGIN_BOUNCE};
    buffer_init(&whole, NULL, 1 << 20);
    buffer_init(&batch, NULL, 1 << 16);
    arena_init(&arena, 1 << 20, 0);
    queue_envelope_encode_header(&envelope, &batch);
    for (int i = 0; i < COUNT; i++) {
        char path[32];
        const int length = snprintf(path, sizeof(path), "user%d@example.org", i);
        const struct queue_recipient recipient = {.forward_path = span_of(path, (size_t)length)};
        queue_envelope_append_recipient(&recipient, &batch);
        if (batch.length > 1000 || i == COUNT - 1) {
            assert_true(buffer_ok(&batch));
            buffer_append_span(&whole, buffer_span(&batch));
            buffer_reset(&batch);
        }
    }
    assert_int_equal(queue_envelope_decode(buffer_span(&whole), COUNT, &arena, &envelope),
                     PARSE_OK);
    assert_int_equal(envelope.recipient_count, COUNT);
    assert_span_is("last", envelope.recipients[COUNT - 1].forward_path, "user2999@example.org");
    assert_true(span_is_empty(envelope.reverse_path));
    arena_destroy(&arena);
    buffer_release(&whole);
    buffer_release(&batch);
}

#define HEADER_OF(length)                                                                          \
    "\x01\x00" length "\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01"                               \
    "\x02\x00\x01\x00"                                                                             \
    "\x03\x00\x00"                                                                                 \
    "\x04\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00"                                                 \
    "\x05\x00\x04\x00\x00\x00\x00"                                                                 \
    "\x06\x00\x04\x00\x00\x00\x00"                                                                 \
    "\x07\x00\x04\x00\x00\x00\x00"                                                                 \
    "\x08\x00\x04\x00\x00\x00"
#define MINIMAL_HEADER HEADER_OF("\x39")
#define RECIPIENT_A                                                                                \
    "\x02\x00\x04\x01\x00\x01"                                                                     \
    "a"

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span bytes;
        enum parse_result result;
    } rows[] = {
        {"good", SPAN_LITERAL(MINIMAL_HEADER "\x00" RECIPIENT_A), PARSE_OK},
        {"unknown fact", SPAN_LITERAL(MINIMAL_HEADER "\x80" RECIPIENT_A), PARSE_MALFORMED},
        {"no recipient", SPAN_LITERAL(MINIMAL_HEADER "\x00"), PARSE_NEED_MORE},
        {"delimiters", SPAN_LITERAL(HEADER_OF("\x3e") "\x00\x2a\x00\x02+=" RECIPIENT_A), PARSE_OK},
        {"a delimiter", SPAN_LITERAL(HEADER_OF("\x3d") "\x00\x2a\x00\x01+" RECIPIENT_A),
         PARSE_MALFORMED},
        {"three delimiters", SPAN_LITERAL(HEADER_OF("\x3f") "\x00\x2a\x00\x03+=+" RECIPIENT_A),
         PARSE_MALFORMED},
        {"recipient first", SPAN_LITERAL(RECIPIENT_A), PARSE_MALFORMED},
        {"two headers", SPAN_LITERAL(MINIMAL_HEADER "\x00" MINIMAL_HEADER "\x00"), PARSE_MALFORMED},
        {"unknown record", SPAN_LITERAL(MINIMAL_HEADER "\x00\x03\x00\x00"), PARSE_MALFORMED},
        {"header without anything", SPAN_LITERAL("\x01\x00\x00" RECIPIENT_A), PARSE_MALFORMED},
        {"empty forward-path", SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x03\x01\x00\x00"),
         PARSE_MALFORMED},
        {"no forward-path", SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x00"), PARSE_MALFORMED},
        {"repeated tag",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x08\x01\x00\x01"
                                     "a\x01\x00\x01"
                                     "b"),
         PARSE_MALFORMED},
        {"unknown tag",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x07\x01\x00\x01"
                                     "a\x63\x00\x00"),
         PARSE_MALFORMED},
        {"value longer than its record",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x04\x01\x00\x02"
                                     "a"),
         PARSE_MALFORMED},
        {"torn attribute",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x05\x01\x00\x01"
                                     "a\x02"),
         PARSE_MALFORMED},
        {"LF in a path",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x04\x01\x00\x01"
                                     "\n"),
         PARSE_MALFORMED},
        {"integer of another size",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x09\x01\x00\x01"
                                     "a\x04\x00\x02\x00\x01"),
         PARSE_MALFORMED},
        {"NEVER with others",
         SPAN_LITERAL(MINIMAL_HEADER "\x00\x02\x00\x08\x01\x00\x01"
                                     "a\x04\x00\x01\x03"),
         PARSE_MALFORMED},
    };
    struct arena arena;
    arena_init(&arena, 4096, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct queue_envelope envelope;
        if (queue_envelope_decode(rows[i].bytes, 10, &arena, &envelope) != rows[i].result)
            fail_msg("%s", rows[i].name);
        arena_reset(&arena);
    }
    arena_destroy(&arena);
}

static void test_encoder_refuses(void **state)
{
    (void)state;
    char long_path[QUEUE_TEXT_MAX_BYTES + 1];
    memset(long_path, 'x', sizeof(long_path));
    const struct queue_recipient rows[] = {
        {.notify = 0},
        {.forward_path = SPAN("a\r\nRCPT TO:<b>")},
        {.forward_path = SPAN("a\0b")},
        {.forward_path = span_of(long_path, sizeof(long_path))},
        {.forward_path = SPAN("a"), .notify = QUEUE_NOTIFY_ALL},
        {.forward_path = SPAN("a"), .notify = 1 << 5},
    };
    struct buffer out;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        buffer_init(&out, NULL, 4096);
        queue_envelope_append_recipient(&rows[i], &out);
        if (buffer_ok(&out))
            fail_msg("recipient row %zu was encoded", i);
        buffer_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),      cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_batches),         cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_encoder_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
