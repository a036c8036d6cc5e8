/* tests/lib/queuefile/preamble - layout, MAC, and that no changed bit passes. */
#include "samples.h"

struct sample {
    struct queue_key key;
    struct buffer envelope;
    struct queue_preamble preamble;
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
};

static void sample_make(struct sample *sample)
{
    assert_true(queue_key_init(&sample->key, sample_key));
    buffer_init(&sample->envelope, NULL, 4096);
    sample_envelope_bytes(&sample->envelope);
    sample_preamble(&sample->preamble, sample->envelope.length);
    assert_true(queue_preamble_encode(&sample->preamble, SPAN(SAMPLE_ID),
                                      buffer_span(&sample->envelope), &sample->key,
                                      sample->sector));
}

static void sample_free(struct sample *sample)
{
    buffer_release(&sample->envelope);
    queue_key_destroy(&sample->key);
}

/* What qmgr does at every open. */
static enum queue_file_result check(struct sample *sample, struct span queue_id)
{
    struct queue_preamble preamble;
    const struct span sector = span_of(sample->sector, sizeof(sample->sector));
    const enum queue_file_result result = queue_preamble_decode(sector, &preamble);
    if (result != QUEUE_FILE_OK)
        return result;
    return queue_preamble_verify(sector, queue_id, buffer_span(&sample->envelope), &sample->key);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct sample sample;
    struct queue_preamble decoded;
    sample_make(&sample);
    assert_int_equal(check(&sample, SPAN(SAMPLE_ID)), QUEUE_FILE_OK);
    assert_int_equal(queue_preamble_decode(span_of(sample.sector, sizeof(sample.sector)), &decoded),
                     QUEUE_FILE_OK);
    assert_int_equal(decoded.extent_count, 2);
    assert_int_equal(decoded.extents[0].offset, 512 + 1748);
    assert_int_equal(decoded.extents[1].length, 1748);
    assert_int_equal(decoded.extents[1].digest[0], 0xbb);
    assert_int_equal(decoded.content_size, 2048);
    assert_int_equal(decoded.envelope_offset, 512 + 2048);
    assert_int_equal(decoded.envelope_length, sample.envelope.length);
    assert_int_equal(decoded.state_offset % 512, 0);
    assert_int_equal(decoded.recipient_count, 2);
    assert_int_equal(queue_state_status_offset(&decoded, 1), decoded.state_offset + 1);
    assert_int_equal(queue_state_journal_offset(&decoded), decoded.state_offset + 2);
    sample_free(&sample);
}

static void test_every_flipped_bit_is_seen(void **state)
{
    (void)state;
    struct sample sample;
    sample_make(&sample);
    for (size_t bit = 0; bit < 8 * sizeof(sample.sector); bit++) {
        sample.sector[bit / 8] ^= (uint8_t)(1U << bit % 8);
        const enum queue_file_result result = check(&sample, SPAN(SAMPLE_ID));
        if (result == QUEUE_FILE_OK || result == QUEUE_FILE_ABSENT)
            fail_msg("bit %zu of the preamble: %s", bit, queue_file_result_name(result));
        sample.sector[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sample.envelope.length; bit++) {
        sample.envelope.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(check(&sample, SPAN(SAMPLE_ID)), QUEUE_FILE_WRONG_MAC);
        sample.envelope.bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(check(&sample, SPAN(SAMPLE_ID)), QUEUE_FILE_OK);
    sample_free(&sample);
}

static void test_results_are_told_apart(void **state)
{
    (void)state;
    struct sample sample;
    struct queue_preamble preamble;
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES] = {0};
    sample_make(&sample);
    assert_int_equal(check(&sample, SPAN("1RpQ0P0000z00000000000000001")), QUEUE_FILE_WRONG_MAC);
    assert_int_equal(check(&sample, SPAN("")), QUEUE_FILE_WRONG_MAC);
    assert_int_equal(queue_preamble_decode(span_of(sector, sizeof(sector)), &preamble),
                     QUEUE_FILE_ABSENT);
    for (size_t length = 0; length < sizeof(sector); length++)
        assert_int_equal(queue_preamble_decode(span_of(sample.sector, length), &preamble),
                         QUEUE_FILE_ABSENT);
    sector[300] = 1;
    assert_int_equal(queue_preamble_decode(span_of(sector, sizeof(sector)), &preamble),
                     QUEUE_FILE_MALFORMED);
    sample.sector[9] = 2;
    assert_int_equal(check(&sample, SPAN(SAMPLE_ID)), QUEUE_FILE_UNKNOWN_VERSION);
    sample.sector[9] = QUEUE_FILE_VERSION;
    struct queue_key other;
    uint8_t other_bytes[QUEUE_KEY_BYTES] = {9};
    assert_true(queue_key_init(&other, other_bytes));
    assert_int_equal(queue_preamble_verify(span_of(sample.sector, sizeof(sample.sector)),
                                           SPAN(SAMPLE_ID), buffer_span(&sample.envelope), &other),
                     QUEUE_FILE_UNKNOWN_KEY);
    queue_key_destroy(&other);
    sample_free(&sample);
}

/* Intake names the extents; qmgr signs none that cannot be. */
static void test_impossible_extents(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t offset, length;
    } rows[] = {
        {"in the preamble", 0, 10},       {"half in the preamble", 511, 10},
        {"into the envelope", 512, 2049}, {"behind the envelope", 4096, 1},
        {"overflowing", 512, UINT64_MAX}, {"at the end of all numbers", UINT64_MAX, 1},
    };
    struct sample sample;
    uint8_t sector[QUEUE_FILE_PREAMBLE_BYTES];
    sample_make(&sample);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct queue_preamble preamble = {.extent_count = 0};
        const struct queue_extent extent = {rows[i].offset, rows[i].length, {0}};
        if (queue_preamble_add_extent(&preamble, &extent) &&
            queue_preamble_place(&preamble, 512 + 2048, sample.envelope.length, 2) &&
            queue_preamble_encode(&preamble, SPAN(SAMPLE_ID), buffer_span(&sample.envelope),
                                  &sample.key, sector))
            fail_msg("an extent %s was accepted", rows[i].name);
    }
    struct queue_preamble full = sample.preamble;
    const struct queue_extent empty = {512, 0, {0}};
    while (full.extent_count < QUEUE_EXTENT_MAX)
        assert_true(queue_preamble_add_extent(&full, &empty));
    assert_false(queue_preamble_add_extent(&full, &empty));
    assert_true(queue_preamble_encode(&full, SPAN(SAMPLE_ID), buffer_span(&sample.envelope),
                                      &sample.key, sector));
    full.content_size++;
    assert_false(queue_preamble_encode(&full, SPAN(SAMPLE_ID), buffer_span(&sample.envelope),
                                       &sample.key, sector));
    sample_free(&sample);
}

static void test_extents_between_processes(void **state)
{
    (void)state;
    struct queue_preamble preamble;
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    struct buffer wire;
    size_t count = 0;
    sample_preamble(&preamble, 100);
    buffer_init(&wire, NULL, 1024);
    queue_extents_encode(preamble.extents, preamble.extent_count, &wire);
    assert_int_equal(queue_extents_decode(buffer_span(&wire), extents, &count), PARSE_OK);
    assert_int_equal(count, 2);
    assert_memory_equal(extents, preamble.extents, 2 * sizeof(extents[0]));
    for (size_t length = 1; length < wire.length; length++)
        assert_int_equal(
            queue_extents_decode(span_first(buffer_span(&wire), length), extents, &count),
            length == QUEUE_EXTENT_BYTES ? PARSE_OK : PARSE_NEED_MORE);
    for (size_t i = 0; i < 7; i++)
        queue_extents_encode(preamble.extents, 1, &wire);
    assert_int_equal(queue_extents_decode(buffer_span(&wire), extents, &count), PARSE_TOO_LONG);
    buffer_release(&wire);
}

/* FIPS 180-2 appendix B and RFC 4231 section 4.7 in part: a known text, and a context used again.
 */
static void test_digest(void **state)
{
    (void)state;
    static const uint8_t abc[4] = {0xba, 0x78, 0x16, 0xbf};
    struct digest digest;
    uint8_t first[DIGEST_BYTES], second[DIGEST_BYTES];
    assert_true(digest_init(&digest));
    digest_start(&digest);
    digest_update(&digest, SPAN("abc"));
    assert_true(digest_finish(&digest, first));
    assert_memory_equal(first, abc, sizeof(abc));
    digest_start(&digest);
    digest_update(&digest, SPAN("forgotten"));
    digest_start(&digest);
    digest_update(&digest, SPAN("a"));
    digest_update(&digest, SPAN(""));
    digest_update(&digest, SPAN("bc"));
    assert_true(digest_finish(&digest, second));
    assert_memory_equal(first, second, DIGEST_BYTES);
    digest_destroy(&digest);
}

static void test_mac(void **state)
{
    (void)state;
    /* Computed with Python's hmac module. */
    static const uint8_t expected[4] = {0xf4, 0x1a, 0x7c, 0x60};
    struct queue_key key;
    uint8_t first[DIGEST_BYTES], second[DIGEST_BYTES];
    const struct span whole = SPAN("Hi There"), parts[] = {SPAN("Hi "), SPAN("There")};
    assert_true(queue_key_init(&key, sample_key));
    assert_true(queue_key_mac(&key, &whole, 1, first));
    assert_memory_equal(first, expected, sizeof(expected));
    for (int i = 0; i < 3; i++) {
        assert_true(queue_key_mac(&key, parts, 2, second));
        assert_memory_equal(first, second, DIGEST_BYTES);
    }
    queue_key_destroy(&key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_every_flipped_bit_is_seen),
        cmocka_unit_test(test_results_are_told_apart),
        cmocka_unit_test(test_impossible_extents),
        cmocka_unit_test(test_extents_between_processes),
        cmocka_unit_test(test_digest),
        cmocka_unit_test(test_mac),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
