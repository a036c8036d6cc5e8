/* tests/lib/dns/records - records survive the way through a channel, or do not arrive at all. */
#include "../../test.h"

#include "dns/records.h"
#include "ipc/codec.h"

enum { ARENA_BYTES = 1 << 20, BUFFER_BYTES = 1 << 17 };

static struct arena arena;
static struct buffer packed;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    buffer_init(&packed, NULL, BUFFER_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_release(&packed);
    arena_destroy(&arena);
    return 0;
}

static struct dns_record records[] = {
    {.type = DNS_TYPE_A, .target = SPAN_LITERAL(""), .data = SPAN_LITERAL("\x7f\0\0\1")},
    {.type = DNS_TYPE_AAAA, .target = SPAN_LITERAL(""), .data = SPAN_LITERAL("0123456789abcdef")},
    {.type = DNS_TYPE_MX,
     .priority = 65535,
     .target = SPAN_LITERAL("mx.example"),
     .data = SPAN_LITERAL("")},
    {.type = DNS_TYPE_TXT, .target = SPAN_LITERAL(""), .data = SPAN_LITERAL("v=spf1\0-all")},
    {.type = DNS_TYPE_PTR, .target = SPAN_LITERAL("host.example"), .data = SPAN_LITERAL("")},
    {.type = DNS_TYPE_CNAME, .target = SPAN_LITERAL("."), .data = SPAN_LITERAL("")},
    {.type = DNS_TYPE_SRV,
     .priority = 1,
     .weight = 2,
     .port = 3,
     .target = SPAN_LITERAL("srv.example"),
     .data = SPAN_LITERAL("")},
    {.type = DNS_TYPE_TLSA,
     .target = SPAN_LITERAL(""),
     .data = SPAN_LITERAL("digest"),
     .tlsa_usage = 3,
     .tlsa_selector = 1,
     .tlsa_matching_type = 255},
    {.type = DNS_TYPE_SOA, .target = SPAN_LITERAL(""), .data = SPAN_LITERAL("")},
};

static void test_round_trip(void **state)
{
    (void)state;
    const struct dns_answer answer = {.records = records, .record_count = ARRAY_LENGTH(records)};
    struct dns_answer copy = {0};
    assert_true(dns_records_pack(&answer, &packed));
    assert_int_equal(dns_records_unpack(buffer_span(&packed), &arena, &copy), PARSE_OK);
    assert_int_equal(copy.record_count, ARRAY_LENGTH(records));
    for (size_t i = 0; i < ARRAY_LENGTH(records); i++) {
        const struct dns_record *left = &records[i], *right = &copy.records[i];
        if (left->type != right->type || left->priority != right->priority ||
            left->weight != right->weight || left->port != right->port ||
            left->tlsa_usage != right->tlsa_usage || left->tlsa_selector != right->tlsa_selector ||
            left->tlsa_matching_type != right->tlsa_matching_type ||
            !span_equals(left->target, right->target) || !span_equals(left->data, right->data))
            fail_msg("%s differs", dns_type_name(left->type));
    }
}

/* Cut off, it is either refused or holds fewer records, whole ones. */
static void test_prefixes(void **state)
{
    (void)state;
    const struct dns_answer answer = {.records = records, .record_count = ARRAY_LENGTH(records)};
    struct dns_answer copy = {0};
    size_t whole_count = 0;
    assert_true(dns_records_pack(&answer, &packed));
    for (size_t length = 0; length < packed.length; length++)
        if (dns_records_unpack(span_of(packed.bytes, length), &arena, &copy) == PARSE_OK) {
            assert_int_equal(copy.record_count, whole_count);
            whole_count++;
        }
    assert_int_equal(whole_count, ARRAY_LENGTH(records));
}

static void test_wrong_lengths(void **state)
{
    (void)state;
    static const struct ipc_dns_record wrong[] = {
        {.type = DNS_TYPE_A, .data = SPAN_LITERAL("123")},
        {.type = DNS_TYPE_AAAA, .data = SPAN_LITERAL("1234")},
        {.type = DNS_TYPE_SRV, .data = SPAN_LITERAL("12345")},
        {.type = DNS_TYPE_TLSA, .data = SPAN_LITERAL("12")},
        {.type = 65536},
        {.type = DNS_TYPE_MX, .preference = 65536},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        struct dns_answer answer;
        buffer_reset(&packed);
        ipc_records_append(IPC_DNS_RECORD, &wrong[i], &packed);
        assert_int_equal(dns_records_unpack(buffer_span(&packed), &arena, &answer),
                         PARSE_MALFORMED);
    }
}

static void test_limits(void **state)
{
    (void)state;
    static uint8_t text[9000];
    static struct dns_record many[DNS_ANSWER_MAX_RECORDS + 1];
    struct dns_record large = {
        .type = DNS_TYPE_TXT, .target = span_empty(), .data = span_of(text, sizeof(text))};
    struct dns_answer answer = {.records = &large, .record_count = 1};
    assert_false(dns_records_pack(&answer, &packed)); /* longer than the schema allows */

    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] =
            (struct dns_record){.type = DNS_TYPE_A, .target = span_empty(), .data = SPAN("1234")};
    answer = (struct dns_answer){.records = many, .record_count = ARRAY_LENGTH(many)};
    buffer_reset(&packed);
    assert_true(dns_records_pack(&answer, &packed));
    assert_int_equal(dns_records_unpack(buffer_span(&packed), &arena, &answer), PARSE_TOO_LONG);

    for (size_t i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] = (struct dns_record){
            .type = DNS_TYPE_TXT, .target = span_empty(), .data = span_of(text, 200)};
    answer = (struct dns_answer){.records = many, .record_count = DNS_ANSWER_MAX_RECORDS};
    buffer_reset(&packed);
    assert_false(dns_records_pack(&answer, &packed)); /* all of it is too much */

    struct arena small;
    arena_init(&small, 64, 0);
    answer.record_count = 3;
    buffer_reset(&packed);
    assert_true(dns_records_pack(&answer, &packed));
    assert_int_equal(dns_records_unpack(buffer_span(&packed), &small, &answer), PARSE_TOO_LONG);
    arena_destroy(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_prefixes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_lengths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
