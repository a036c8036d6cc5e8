/* tests/lib/queuefile/state - status bytes, the journal, and its torn tail. */
#include "samples.h"

static void append_samples(struct buffer *out)
{
    const struct queue_record rows[] = {
        {.kind = QUEUE_RECORD_ATTEMPT,
         .time_us = 1790000001000000,
         .first_recipient = 1,
         .recipient_count = 1,
         .has_outcome = true,
         .outcome = outcome_temporary(451, 4, 3, "try\nlater"),
         .remote = SPAN("mx.example.net[192.0.2.9]:25")},
        {.kind = QUEUE_RECORD_NEXT, .time_us = 2, .next_attempt_us = 77, .attempt_count = 3},
        {.kind = QUEUE_RECORD_HOLD, .time_us = 3, .text = SPAN("postsuper, uid 0")},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        queue_journal_append(&rows[i], out);
    assert_true(buffer_ok(out));
}

static void test_status(void **state)
{
    (void)state;
    struct buffer bytes;
    buffer_init(&bytes, NULL, 16);
    queue_state_append_initial(3, &bytes);
    assert_span_is("new", buffer_span(&bytes), "ppp");
    queue_state_append_initial(14, &bytes);
    assert_false(buffer_ok(&bytes));
    buffer_release(&bytes);
    assert_int_equal(queue_status_from_byte('d'), QUEUE_STATUS_DELIVERED);
    assert_int_equal(queue_status_from_byte('b'), QUEUE_STATUS_REPORTED);
    assert_int_equal(queue_status_from_byte(0), QUEUE_STATUS_PENDING);
    assert_int_equal(queue_status_from_byte('?'), QUEUE_STATUS_PENDING);
    assert_true(queue_status_is_done(QUEUE_STATUS_DELIVERED));
    assert_true(queue_status_is_done(QUEUE_STATUS_REPORTED));
    assert_false(queue_status_is_done(QUEUE_STATUS_FAILED));
    assert_false(queue_status_is_done(QUEUE_STATUS_PENDING));
}

static void test_journal(void **state)
{
    (void)state;
    struct buffer bytes;
    struct queue_record record;
    buffer_init(&bytes, NULL, 4096);
    append_samples(&bytes);
    struct span rest = buffer_span(&bytes);
    assert_true(queue_journal_next(&rest, &record));
    assert_int_equal(record.kind, QUEUE_RECORD_ATTEMPT);
    assert_int_equal(record.first_recipient, 1);
    assert_int_equal(record.recipient_count, 1);
    assert_true(record.has_outcome);
    assert_int_equal(record.outcome.kind, OUTCOME_TEMPORARY);
    assert_int_equal(record.outcome.reply_code, 451);
    assert_int_equal(record.outcome.status.class, 4);
    assert_int_equal(record.outcome.status.subject, 4);
    assert_int_equal(record.outcome.status.detail, 3);
    assert_span_is("reason", record.outcome.reason, "try?later");
    assert_span_is("remote", record.remote, "mx.example.net[192.0.2.9]:25");
    assert_true(queue_journal_next(&rest, &record));
    assert_int_equal(record.next_attempt_us, 77);
    assert_int_equal(record.attempt_count, 3);
    assert_false(record.has_outcome);
    assert_true(queue_journal_next(&rest, &record));
    assert_span_is("text", record.text, "postsuper, uid 0");
    assert_false(queue_journal_next(&rest, &record));
    assert_int_equal(rest.length, 0);
    buffer_release(&bytes);
}

static size_t count_records(struct span *rest)
{
    struct queue_record record;
    size_t count = 0;
    while (queue_journal_next(rest, &record))
        count++;
    return count;
}

/* Cut anywhere, the whole records before the cut are read and the rest is left. */
static void test_torn_tail(void **state)
{
    (void)state;
    struct buffer bytes;
    buffer_init(&bytes, NULL, 4096);
    append_samples(&bytes);
    size_t previous = 0;
    for (size_t length = 0; length <= bytes.length; length++) {
        struct span rest = span_first(buffer_span(&bytes), length);
        const size_t count = count_records(&rest);
        assert_true(count == previous || (count == previous + 1 && rest.length == 0));
        previous = count;
    }
    assert_int_equal(previous, 3);
    const size_t good = bytes.length;
    for (int i = 0; i < 100; i++)
        buffer_append_byte(&bytes, 0); /* what a lost write leaves in a longer file */
    struct span rest = buffer_span(&bytes);
    assert_int_equal(count_records(&rest), 3);
    assert_int_equal(bytes.length - rest.length, good);
    buffer_release(&bytes);
}

static void test_flipped_bits(void **state)
{
    (void)state;
    struct buffer bytes;
    buffer_init(&bytes, NULL, 4096);
    append_samples(&bytes);
    for (size_t bit = 0; bit < 8 * bytes.length; bit++) {
        bytes.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        struct span rest = buffer_span(&bytes);
        if (count_records(&rest) == 3)
            fail_msg("bit %zu of the journal", bit);
        bytes.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    buffer_release(&bytes);
}

static void test_long_texts_are_cut(void **state)
{
    (void)state;
    char text[3000];
    struct buffer bytes;
    struct queue_record record = {.kind = QUEUE_RECORD_DEFER,
                                  .remote = span_of(text, sizeof(text)),
                                  .text = span_of(text, sizeof(text)),
                                  .has_outcome = true};
    memset(text, 'x', sizeof(text));
    record.outcome = outcome_make(OUTCOME_PERMANENT, 5500, 1, 1, span_of(text, sizeof(text)));
    buffer_init(&bytes, NULL, 8192);
    queue_journal_append(&record, &bytes);
    struct span rest = buffer_span(&bytes);
    assert_true(queue_journal_next(&rest, &record));
    assert_int_equal(record.outcome.reason.length, QUEUE_RECORD_TEXT_MAX_BYTES);
    assert_int_equal(record.outcome.reply_code, 0);
    assert_int_equal(record.outcome.status.class, 5);
    buffer_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_journal),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
