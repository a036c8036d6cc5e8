/* tests/lib/dnswire/answer - answers classified, followed, timed, cut off. */
#include "../../test.h"

#include <stdlib.h>

#include "base/number.h"
#include "dnswire/answer.h"
#include "message.h"

enum {
    RESOLVER = 0x8180,  /* response, recursion desired and available */
    AUTHORITY = 0x8500, /* response, authoritative */
    LAME = 0x8100,      /* response, neither */
    AUTHENTIC = 0x0020,
    TRUNCATED = 0x0200,
    CODE_SERVER = 2,
    CODE_NO_NAME = 3,
    SECTION_TEST_RECORDS = 1100,
    ARENA_BYTES = 1 << 20
};

/* "priority target", "target", address or text of each record, separated by ';'. */
static struct span describe(const struct dns_answer *answer, struct arena *arena)
{
    struct buffer text;
    buffer_init(&text, arena, 65536);
    for (size_t i = 0; i < answer->record_count; i++) {
        const struct dns_record *record = &answer->records[i];
        if (i > 0)
            buffer_append_byte(&text, ';');
        if (record->type == DNS_TYPE_MX || record->type == DNS_TYPE_SRV)
            buffer_append_format(&text, "%u ", record->priority);
        if (record->type == DNS_TYPE_SRV)
            buffer_append_format(&text, "%u %u ", record->weight, record->port);
        if (record->type == DNS_TYPE_TLSA)
            buffer_append_format(&text, "%u %u %u ", record->tlsa_usage, record->tlsa_selector,
                                 record->tlsa_matching_type);
        if (record->type == DNS_TYPE_A || record->type == DNS_TYPE_AAAA)
            for (size_t j = 0; j < record->data.length; j++)
                buffer_append_format(&text, "%02x", record->data.bytes[j]);
        else
            buffer_append_span(&text, record->data);
        buffer_append_span(&text, record->target);
    }
    return buffer_span(&text);
}

static void parse_bytes(const struct test_message *row, struct span bytes, struct arena *arena,
                        struct dns_answer *answer)
{
    struct dns_question question = {.type = row->type};
    assert_int_equal(dns_name_from_text(span_from_string(row->question), &question.name), PARSE_OK);
    /* An exact copy, so that AddressSanitizer sees a read past the end. */
    uint8_t *copy = malloc(bytes.length ? bytes.length : 1);
    assert_non_null(copy);
    if (bytes.length)
        memcpy(copy, bytes.bytes, bytes.length);
    dns_answer_parse(span_of(copy, bytes.length), &question, arena, answer);
    free(copy);
}

struct row {
    const char *name;
    struct test_message message;
    enum dns_status status;
    enum dns_failure failure;
    uint32_t ttl;
    const char *canonical_name;
    const char *records;
};
#define RECORDS(...)                                                                               \
    (const struct test_record[])                                                                   \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            0, NULL, 0, 0, NULL                                                                    \
        }                                                                                          \
    }
#define ALIAS(owner, target)                                                                       \
    {                                                                                              \
        IN_ANSWER, owner, DNS_TYPE_CNAME, 60, target                                               \
    }

static const struct row rows[] = {
    {"two MX",
     {"example.org", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_ANSWER, "example.org", DNS_TYPE_MX, 300, "10 mx1.example.org"},
              {IN_ANSWER, "example.org", DNS_TYPE_MX, 200, "20 mx2.example.org"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     200,
     "example.org",
     "10 mx1.example.org;20 mx2.example.org"},
    {"null MX",
     {"example.org", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_ANSWER, "example.org", DNS_TYPE_MX, 300, "0 ."})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     300,
     "example.org",
     "0 ."},
    {"A in another case of owner",
     {"EXAMPLE.org", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "example.ORG", DNS_TYPE_A, 5, "192.0.2.1"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "example.org",
     "c0000201"},
    {"AAAA",
     {"a.example", DNS_TYPE_AAAA, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_AAAA, 5, "2001:db8::1"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "a.example",
     "20010db8000000000000000000000001"},
    {"TXT strings are joined",
     {"a.example", DNS_TYPE_TXT, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_TXT, 5, "v=spf1 |-all"},
              {IN_ANSWER, "a.example", DNS_TYPE_TXT, 5, "#00"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "a.example",
     "v=spf1 -all;"},
    {"PTR behind an alias (RFC 2317)",
     {"1.2.0.192.in-addr.arpa", DNS_TYPE_PTR, RESOLVER,
      RECORDS(ALIAS("1.2.0.192.in-addr.arpa", "1.0/25.2.0.192.in-addr.arpa"),
              {IN_ANSWER, "1.0/25.2.0.192.in-addr.arpa", DNS_TYPE_PTR, 600, "mail.example"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     60,
     "1.0/25.2.0.192.in-addr.arpa",
     "mail.example"},
    {"SRV",
     {"_imap._tcp.example", DNS_TYPE_SRV, RESOLVER,
      RECORDS({IN_ANSWER, "_imap._tcp.example", DNS_TYPE_SRV, 5, "1 2 143 imap.example"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "_imap._tcp.example",
     "1 2 143 imap.example"},
    {"TLSA",
     {"_25._tcp.mx.example", DNS_TYPE_TLSA, RESOLVER | AUTHENTIC,
      RECORDS({IN_ANSWER, "_25._tcp.mx.example", DNS_TYPE_TLSA, 5, "#0301014142"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "_25._tcp.mx.example",
     "3 1 1 AB"},
    {"CNAME asked for is not followed",
     {"a.example", DNS_TYPE_CNAME, RESOLVER,
      RECORDS(ALIAS("a.example", "b.example"), ALIAS("b.example", "c.example"))},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     60,
     "a.example",
     "b.example"},
    {"SOA",
     {"example", DNS_TYPE_SOA, RESOLVER, RECORDS({IN_ANSWER, "example", DNS_TYPE_SOA, 5, "9"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     5,
     "example",
     ""},
    {"chain out of order",
     {"a.example", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "c.example", DNS_TYPE_A, 90, "192.0.2.1"},
              ALIAS("b.example", "c.example"), ALIAS("a.example", "b.example"))},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     60,
     "c.example",
     "c0000201"},
    {"records of others are left out",
     {"a.example", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "evil.example", DNS_TYPE_A, 90, "192.0.2.66"},
              {IN_ANSWER, "a.example", DNS_TYPE_A, 90, "192.0.2.1"},
              {IN_ANSWER, "a.example", 46, 30, "#00"},
              {IN_ADDITIONAL, "a.example", DNS_TYPE_A, 90, "192.0.2.67"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     90,
     "a.example",
     "c0000201"},
    {"no data, SOA's minimum is less",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_AUTHORITY, "example", DNS_TYPE_SOA, 3600, "900"})},
     DNS_NO_DATA,
     DNS_FAILURE_NONE,
     900,
     "a.example",
     ""},
    {"no data, SOA's TTL is less",
     {"a.example", DNS_TYPE_MX, AUTHORITY,
      RECORDS({IN_AUTHORITY, "example", DNS_TYPE_SOA, 70, "900"},
              {IN_AUTHORITY, "example", DNS_TYPE_NS, 70, "ns.example"})},
     DNS_NO_DATA,
     DNS_FAILURE_NONE,
     70,
     "a.example",
     ""},
    {"no data without SOA is not remembered",
     {"a.example", DNS_TYPE_MX, RESOLVER, NULL},
     DNS_NO_DATA,
     DNS_FAILURE_NONE,
     0,
     "a.example",
     ""},
    {"no data behind an alias",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS(ALIAS("a.example", "b.example"),
              {IN_AUTHORITY, "example", DNS_TYPE_SOA, 3600, "900"})},
     DNS_NO_DATA,
     DNS_FAILURE_NONE,
     60,
     "b.example",
     ""},
    {"no such name",
     {"a.example", DNS_TYPE_MX, RESOLVER | CODE_NO_NAME,
      RECORDS({IN_AUTHORITY, "example", DNS_TYPE_SOA, 3600, "900"})},
     DNS_NO_SUCH_NAME,
     DNS_FAILURE_NONE,
     900,
     "a.example",
     ""},
    {"no such name behind an alias",
     {"a.example", DNS_TYPE_MX, RESOLVER | CODE_NO_NAME,
      RECORDS(ALIAS("a.example", "b.example"),
              {IN_AUTHORITY, "example", DNS_TYPE_SOA, 3600, "900"})},
     DNS_NO_SUCH_NAME,
     DNS_FAILURE_NONE,
     60,
     "b.example",
     ""},
    {"no such name, yet here it is",
     {"a.example", DNS_TYPE_A, RESOLVER | CODE_NO_NAME,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_A, 90, "192.0.2.1"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"server failure",
     {"a.example", DNS_TYPE_MX, RESOLVER | CODE_SERVER, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_SERVER,
     0,
     "",
     ""},
    {"refused",
     {"a.example", DNS_TYPE_MX, LAME | 5, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_REFUSED,
     0,
     "",
     ""},
    {"format error",
     {"a.example", DNS_TYPE_MX, LAME | 1, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_FORMAT,
     0,
     "",
     ""},
    {"an operation unknown to the server",
     {"a.example", DNS_TYPE_MX, LAME | 4, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_OTHER_CODE,
     0,
     "",
     ""},
    {"extended code in OPT",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_ADDITIONAL, ".", DNS_TYPE_OPT, 0x01000000, "#"})},
     DNS_TEMPORARY,
     DNS_FAILURE_OTHER_CODE,
     0,
     "",
     ""},
    {"truncated",
     {"a.example", DNS_TYPE_A, RESOLVER | TRUNCATED,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_A, 90, "192.0.2.1"})},
     DNS_TEMPORARY,
     DNS_FAILURE_TRUNCATED,
     0,
     "",
     ""},
    {"a question, not an answer",
     {"a.example", DNS_TYPE_A, 0x0100, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_MISMATCH,
     0,
     "",
     ""},
    {"referral",
     {"a.example", DNS_TYPE_MX, LAME,
      RECORDS({IN_AUTHORITY, "example", DNS_TYPE_NS, 70, "ns.example"})},
     DNS_TEMPORARY,
     DNS_FAILURE_REFERRAL,
     0,
     "",
     ""},
    {"nothing from a server in charge of nothing",
     {"a.example", DNS_TYPE_MX, LAME, NULL},
     DNS_TEMPORARY,
     DNS_FAILURE_REFERRAL,
     0,
     "",
     ""},
    {"a chain that leaves the zone",
     {"a.example", DNS_TYPE_MX, AUTHORITY, RECORDS(ALIAS("a.example", "b.elsewhere"))},
     DNS_TEMPORARY,
     DNS_FAILURE_REFERRAL,
     0,
     "",
     ""},
    {"aliases in a circle",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS(ALIAS("a.example", "b.example"), ALIAS("b.example", "a.example"))},
     DNS_TEMPORARY,
     DNS_FAILURE_CHAIN,
     0,
     "",
     ""},
    {"alias of itself",
     {"a.example", DNS_TYPE_MX, RESOLVER, RECORDS(ALIAS("a.example", "a.example"))},
     DNS_TEMPORARY,
     DNS_FAILURE_CHAIN,
     0,
     "",
     ""},
    {"A of three bytes",
     {"a.example", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_A, 90, "#c00002"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"MX without exchange",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_MX, 90, "#000a"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"MX with a tail",
     {"a.example", DNS_TYPE_MX, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_MX, 90, "#000a01620000"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"TXT without string",
     {"a.example", DNS_TYPE_TXT, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_TXT, 90, "#"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"TXT string past its record",
     {"a.example", DNS_TYPE_TXT, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_TXT, 90, "#0341"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"SOA cut short",
     {"a.example", DNS_TYPE_TXT, RESOLVER,
      RECORDS({IN_AUTHORITY, "a.example", DNS_TYPE_SOA, 90, "#0000"})},
     DNS_TEMPORARY,
     DNS_FAILURE_MALFORMED,
     0,
     "",
     ""},
    {"TTL with the top bit (RFC 2181)",
     {"a.example", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_A, 0x80000001, "192.0.2.1"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     0,
     "a.example",
     "c0000201"},
    {"TTL of years",
     {"a.example", DNS_TYPE_A, RESOLVER,
      RECORDS({IN_ANSWER, "a.example", DNS_TYPE_A, 0x7fffffff, "192.0.2.1"})},
     DNS_FOUND,
     DNS_FAILURE_NONE,
     DNS_TTL_MAX_S,
     "a.example",
     "c0000201"},
};

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        struct arena arena;
        struct buffer message;
        struct dns_answer answer;
        arena_init(&arena, ARENA_BYTES, 0);
        buffer_init(&message, NULL, 65535);
        test_message_build(&row->message, &message);
        parse_bytes(&row->message, buffer_span(&message), &arena, &answer);
        if (answer.status != row->status || answer.failure != row->failure ||
            answer.ttl_s != row->ttl)
            fail_msg("%s: status %d, failure %s, TTL %u", row->name, (int)answer.status,
                     dns_failure_name(answer.failure), (unsigned)answer.ttl_s);
        assert_span_is(row->name, answer.canonical_name, row->canonical_name);
        assert_span_is(row->name, describe(&answer, &arena), row->records);
        assert_int_equal(answer.is_authenticated, (row->message.flags & AUTHENTIC) != 0);

        /* What a longer datagram carries behind the message changes nothing. */
        struct dns_answer longer;
        buffer_append_string(&message, "tail");
        parse_bytes(&row->message, buffer_span(&message), &arena, &longer);
        assert_int_equal(longer.status, row->status);
        buffer_release(&message);
        arena_destroy(&arena);
    }
}

/* Cut off anywhere, an answer never says that something is there or absent. */
static void test_every_prefix_is_temporary(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer message;
        buffer_init(&message, NULL, 65535);
        test_message_build(&rows[i].message, &message);
        for (size_t length = 0; length < message.length; length++) {
            struct arena arena;
            struct dns_answer answer;
            arena_init(&arena, ARENA_BYTES, 0);
            parse_bytes(&rows[i].message, span_of(message.bytes, length), &arena, &answer);
            if (answer.status != DNS_TEMPORARY)
                fail_msg("%s: certain after %zu bytes", rows[i].name, length);
            arena_destroy(&arena);
        }
        buffer_release(&message);
    }
}

static void test_mismatches(void **state)
{
    (void)state;
    static const struct test_record records[] = {
        {IN_ANSWER, "a.example", DNS_TYPE_A, 90, "192.0.2.1"}, {0, NULL, 0, 0, NULL}};
    static const struct test_message sent = {"a.example", DNS_TYPE_A, RESOLVER, records};
    static const struct test_message asked[] = {{"b.example", DNS_TYPE_A, RESOLVER, records},
                                                {"a.example", DNS_TYPE_MX, RESOLVER, records}};
    struct buffer message;
    struct arena arena;
    struct dns_answer answer;
    buffer_init(&message, NULL, 65535);
    arena_init(&arena, ARENA_BYTES, 0);
    test_message_build(&sent, &message);
    for (size_t i = 0; i < ARRAY_LENGTH(asked); i++) {
        parse_bytes(&asked[i], buffer_span(&message), &arena, &answer);
        assert_int_equal(answer.failure, DNS_FAILURE_MISMATCH);
    }
    /* Another class, no question at all, and a bare header that did not understand. */
    message.bytes[DNS_HEADER_BYTES + 14] = 3;
    parse_bytes(&sent, buffer_span(&message), &arena, &answer);
    assert_int_equal(answer.failure, DNS_FAILURE_MISMATCH);
    static const uint8_t bare[12] = {0, 0, 0x80, 0x01};
    parse_bytes(&sent, span_of(bare, sizeof(bare)), &arena, &answer);
    assert_int_equal(answer.failure, DNS_FAILURE_FORMAT);
    static const uint8_t empty[12] = {0, 0, 0x80, 0x80};
    parse_bytes(&sent, span_of(empty, sizeof(empty)), &arena, &answer);
    assert_int_equal(answer.failure, DNS_FAILURE_MISMATCH);
    buffer_release(&message);
    arena_destroy(&arena);
}

/* Limits: records, section size, arena. */
static void test_limits(void **state)
{
    (void)state;
    static struct test_record records[SECTION_TEST_RECORDS + 1];
    const struct test_message row = {"a.example", DNS_TYPE_A, RESOLVER, records};
    static const struct {
        size_t count;
        size_t arena_bytes;
        enum dns_failure failure;
    } limits[] = {{DNS_ANSWER_MAX_RECORDS, ARENA_BYTES, DNS_FAILURE_NONE},
                  {DNS_ANSWER_MAX_RECORDS + 1, ARENA_BYTES, DNS_FAILURE_TOO_MUCH},
                  {SECTION_TEST_RECORDS, ARENA_BYTES, DNS_FAILURE_TOO_MUCH},
                  {3, 8, DNS_FAILURE_RESOURCES},
                  {3, 3 * sizeof(struct dns_record) + 16, DNS_FAILURE_RESOURCES}};
    for (size_t i = 0; i < ARRAY_LENGTH(limits); i++) {
        struct buffer message;
        struct arena arena;
        struct dns_answer answer;
        memset(records, 0, sizeof(records));
        for (size_t j = 0; j < limits[i].count; j++)
            records[j] = (struct test_record){IN_ANSWER, "a.example", DNS_TYPE_A, 90, "192.0.2.1"};
        arena_init(&arena, limits[i].arena_bytes, 0);
        buffer_init(&message, NULL, 65535);
        test_message_build(&row, &message);
        parse_bytes(&row, buffer_span(&message), &arena, &answer);
        if (answer.failure != limits[i].failure)
            fail_msg("limit %zu: %s", i, dns_failure_name(answer.failure));
        buffer_release(&message);
        arena_destroy(&arena);
    }
}

static void test_reasons(void **state)
{
    (void)state;
    struct dns_answer answer = {.status = DNS_NO_SUCH_NAME};
    assert_string_equal(dns_answer_reason(&answer), "Host not found");
    answer.status = DNS_NO_DATA;
    assert_string_equal(dns_answer_reason(&answer),
                        "Host found but no data record of requested type");
    answer = dns_answer_failed(DNS_FAILURE_TIMEOUT);
    assert_string_equal(dns_answer_reason(&answer), "Host not found, try again");
    assert_string_equal(dns_failure_name(answer.failure), "timeout");
    for (enum dns_failure failure = DNS_FAILURE_NONE; failure < DNS_FAILURE_COUNT; failure++)
        assert_int_equal(dns_failure_from_name(span_from_string(dns_failure_name(failure))),
                         failure);
    assert_int_equal(dns_failure_from_name(SPAN("bad luck")), DNS_FAILURE_NONE);
    answer = dns_answer_failed(DNS_FAILURE_MALFORMED);
    assert_string_equal(dns_answer_reason(&answer), "Malformed or unexpected name server reply");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),    cmocka_unit_test(test_every_prefix_is_temporary),
        cmocka_unit_test(test_mismatches), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
