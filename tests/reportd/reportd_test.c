/* tests/reportd/reportd - sessions counted, kept as lines, and written as a report. */
#include "../test.h"

#include <stdlib.h>
#include <zlib.h>

#include "../../reportd/document.h"

static const uint8_t seed[16];

#define POLICY "version: STSv1\nmode: testing\nmx: *.example.com\nmx: mx.example.net\nmax_age: 1\n"

static struct session_line session(const char *domain, enum tlsrpt_policy_type type,
                                   const char *policy, enum tlsrpt_result result,
                                   const char *reason)
{
    const bool has_failed = result != TLSRPT_SUCCESS;
    return (struct session_line){
        .day = 20779,
        .domain = span_from_string(domain),
        .count = 1,
        .policy_type = type,
        .policy_domain = span_from_string(domain),
        .policy = span_from_string(policy),
        .result = result,
        .sending_ip = has_failed ? SPAN("192.0.2.1") : span_empty(),
        .receiving_host = has_failed ? SPAN("mx.example.com") : span_empty(),
        .receiving_helo = span_empty(),
        .receiving_ip = has_failed ? SPAN("2001:db8::25") : span_empty(),
        .reason = span_from_string(reason),
    };
}

static struct counted_day *add(struct counters *counters, struct session_line line, bool is_saved)
{
    bool is_new;
    return counters_add(counters, &line, is_saved, &is_new);
}

static void test_counting(void **state)
{
    (void)state;
    struct counters counters;
    counters_init(&counters, seed);
    const struct session_line good = session("example.com", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, "");
    const struct session_line bad =
        session("Example.COM", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, "expired");
    struct counted_day *day = add(&counters, good, false);
    assert_non_null(day);
    assert_ptr_equal(day, add(&counters, good, false));
    assert_ptr_equal(day, add(&counters, bad, false));
    assert_int_equal(counters.unsaved.count, 2);
    assert_ptr_equal(day, counters_find(&counters, 20779, SPAN("EXAMPLE.com")));
    assert_null(counters_find(&counters, 20780, SPAN("example.com")));

    struct counted_kind *kind = counters_next(&counters, NULL);
    assert_int_equal(kind->count, 2);
    assert_int_equal(counters_line(kind, true).count, 2);
    counters_set_saved(&counters);
    (void)add(&counters, good, false);
    assert_int_equal(counters_line(kind, true).count, 1);
    assert_int_equal(counters_line(kind, false).count, 3);
    kind = counters_next(&counters, kind);
    assert_int_equal(kind->line.result, TLSRPT_CERTIFICATE_EXPIRED);
    assert_null(counters_next(&counters, kind));

    (void)add(&counters, session("other.test", TLSRPT_NO_POLICY_FOUND, "", TLSRPT_SUCCESS, ""),
              true);
    assert_int_equal(counters.unsaved.count, 1);
    kind = counters_next(&counters, kind);
    assert_span_is("domain", kind->policy->day->domain, "other.test");
    counters_drop(&counters, day);
    assert_int_equal(counters.unsaved.count, 0);
    counters_destroy(&counters);
    assert_int_equal(counters.size_bytes, 0);
}

static void test_places(void **state)
{
    (void)state;
    struct counters counters;
    char text[64];
    counters_init(&counters, seed);
    struct counted_day *day =
        add(&counters, session("example.com", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, ""), true);
    assert_false(counters_has_place(day, SPAN("https://a.test/")));
    for (int i = 0; i < COUNTERS_PLACES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "https://a.test/%d", i / 2);
        assert_true(counters_add_place(&counters, day, span_from_string(text)));
    }
    assert_int_equal(day->places.count, COUNTERS_PLACES_MAX / 2);
    assert_true(counters_has_place(day, SPAN("https://a.test/0")));
    assert_false(counters_has_place(day, SPAN("https://a.test/x")));
    for (int i = 0; i < COUNTERS_PLACES_MAX; i++) {
        (void)snprintf(text, sizeof(text), "https://b.test/%d", i);
        assert_true(counters_add_place(&counters, day, span_from_string(text)));
    }
    assert_int_equal(day->places.count, COUNTERS_PLACES_MAX);
    assert_true(counters_has_place(day, SPAN("https://a.test/x"))); /* no room: it gets none */
    counters_destroy(&counters);
    assert_int_equal(counters.size_bytes, 0);
}

/* What is past the limits is counted without its particulars, or not at all, but never kept. */
static void test_limits(void **state)
{
    (void)state;
    struct counters counters;
    char text[64];
    counters_init(&counters, seed);
    struct counted_day *day = NULL;
    for (int i = 0; i < COUNTERS_KINDS_MAX + 50; i++) {
        (void)snprintf(text, sizeof(text), "reason %d", i);
        day =
            add(&counters,
                session("example.com", TLSRPT_STS, POLICY, TLSRPT_VALIDATION_FAILURE, text), false);
    }
    const struct counted_policy *policy =
        LIST_ITEM(list_first(&day->policies), struct counted_policy, link);
    assert_true(policy->kinds.count <= COUNTERS_KINDS_MAX + 1);
    uint64_t count = 0;
    for (struct counted_kind *kind = NULL; (kind = counters_next(&counters, kind)) != NULL;)
        count += kind->count;
    assert_int_equal(count, COUNTERS_KINDS_MAX + 50);
    for (int i = 0; i < COUNTERS_POLICIES_MAX + 50; i++) {
        (void)snprintf(text, sizeof(text), "3 1 1 %d\n", i);
        (void)add(&counters, session("example.com", TLSRPT_TLSA, text, TLSRPT_SUCCESS, ""), false);
    }
    assert_int_equal(day->policies.count, COUNTERS_POLICIES_MAX);
    assert_int_equal(counters.dropped_count, 51);
    counters_destroy(&counters);
}

/* Records may change with each session: that takes no memory without end either. */
static void test_room(void **state)
{
    (void)state;
    static char text[LINE_POLICY_MAX_BYTES];
    struct counters counters;
    char domain[64];
    memset(text, 'x', sizeof(text) - 1);
    counters_init(&counters, seed);
    (void)add(&counters, session("early.test", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, ""), true);
    for (unsigned i = 0; counters.size_bytes < COUNTERS_BYTES_MAX; i++) {
        (void)snprintf(domain, sizeof(domain), "d%u.test", i);
        (void)add(&counters, session(domain, TLSRPT_TLSA, text, TLSRPT_SUCCESS, ""), true);
    }
    const size_t size_bytes = counters.size_bytes;
    struct counted_day *day =
        add(&counters, session("early.test", TLSRPT_TLSA, text, TLSRPT_SUCCESS, ""), true);
    assert_int_equal(day->policies.count, 1);
    assert_int_equal(counters.size_bytes, size_bytes);
    assert_int_equal(counters.dropped_count, 1);
    (void)add(&counters, session("early.test", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, ""), true);
    assert_int_equal(counters.dropped_count, 1);
    counters_destroy(&counters);
    assert_int_equal(counters.size_bytes, 0);
}

static void test_lines(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "S\t20779\texample.com\t1\tsts\tcertificate-expired\texample.com\t192.0.2.1\t"
        "mx.example.com\t\t2001:db8::25\thas expired?\tversion: STSv1;mode: testing;"
        "mx: *.example.com;mx: mx.example.net;max_age: 1;\n",
        "S\t20779\texample.com\t1\tno-policy-found\tsuccess\texample.com\t\t\t\t\t\t\n",
        "D\t20779\texample.com\t\n",
        "U\t20779\texample.com\tmailto:a@example.com?subject=x\t\n",
    };
    const struct session_line lines[] = {
        session("example.com", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, "has expired\n"),
        session("example.com", TLSRPT_NO_POLICY_FOUND, "", TLSRPT_SUCCESS, ""),
        {.kind = LINE_DONE, .day = 20779, .domain = SPAN("example.com")},
        {.kind = LINE_PLACE,
         .day = 20779,
         .domain = SPAN("example.com"),
         .uri = SPAN("mailto:a@example.com?subject=x")},
    };
    struct buffer text, policy;
    struct session_line line;
    buffer_init(&text, NULL, 4096);
    buffer_init(&policy, NULL, LINE_POLICY_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        buffer_reset(&text);
        session_line_append(&lines[i], &text);
        assert_span_is("line", buffer_span(&text), texts[i]);
        const struct span whole = span_first(buffer_span(&text), text.length - 1);
        assert_int_equal(session_line_parse(whole, &policy, &line), PARSE_OK);
        assert_int_equal(line.kind, lines[i].kind);
        assert_true(lines[i].kind != LINE_PLACE || span_equals(line.uri, lines[i].uri));
        assert_int_equal(line.result, lines[i].result);
        assert_true(span_equals(line.policy,
                                lines[i].kind == LINE_SESSIONS ? lines[i].policy : span_empty()));
        for (size_t length = 0; length < whole.length; length++) {
            uint8_t *copy = malloc(length ? length : 1);
            assert_non_null(copy);
            memcpy(copy, whole.bytes, length);
            if (session_line_parse(span_of(copy, length), &policy, &line) == PARSE_OK)
                assert_span_is("domain", line.domain, "example.com");
            free(copy);
        }
    }
    buffer_release(&text);
    buffer_release(&policy);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "S",
        "X\t20779\texample.com\t",
        "D\t20779\t\t",
        "D\t20779\texample.com\tmore",
        "D\tx\texample.com\t",
        "D\t99999999\texample.com\t",
        "S\t1\ta.test\t0\tsts\tsuccess\ta.test\t\t\t\t\t\t",
        "S\t1\ta.test\t1\tspf\tsuccess\ta.test\t\t\t\t\t\t",
        "S\t1\ta.test\t1\tsts\tgood\ta.test\t\t\t\t\t\t",
        "S\t1\ta.test\t1\tsts\tsuccess\t\t\t\t\t\t\t",
        "S\t1\ta.test\t1\tsts\tsuccess\ta.test\t\t\t\t\t",
        "S\t1\ta.test\t1\tsts\tsuccess\ta.test\t\t\t\t\t\tx\ty",
    };
    struct buffer policy;
    struct session_line line;
    buffer_init(&policy, NULL, LINE_POLICY_MAX_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        if (session_line_parse(span_from_string(texts[i]), &policy, &line) == PARSE_OK)
            fail_msg("accepted: %s", texts[i]);
    buffer_release(&policy);
}

static const struct document_head head = {
    .organization = SPAN_LITERAL("Posthouse \"Test\""),
    .contact = SPAN_LITERAL("postmaster@sender.example"),
    .submitter = SPAN_LITERAL("sender.example"),
    .report_id = SPAN_LITERAL("20261122.example.com@mx.sender.example"),
    .domain = SPAN_LITERAL("example.com"),
    .day = 20779,
};

static struct counted_day *fill(struct counters *counters)
{
    struct counted_day *day = NULL;
    for (int i = 0; i < 5; i++)
        day = add(counters, session("example.com", TLSRPT_STS, POLICY, TLSRPT_SUCCESS, ""), false);
    for (int i = 0; i < 2; i++)
        (void)add(counters,
                  session("example.com", TLSRPT_STS, POLICY, TLSRPT_CERTIFICATE_EXPIRED, "old"),
                  false);
    (void)add(counters,
              session("example.com", TLSRPT_TLSA, "3 1 1 AB\n3 1 1 CD", TLSRPT_SUCCESS, ""), false);
    (void)add(counters,
              session("example.com", TLSRPT_NO_POLICY_FOUND, "", TLSRPT_STARTTLS_NOT_SUPPORTED, ""),
              false);
    return day;
}

static const char expected_json[] =
    "{\"organization-name\":\"Posthouse \\\"Test\\\"\",\"date-range\":{"
    "\"start-datetime\":\"2026-11-22T00:00:00Z\",\"end-datetime\":\"2026-11-22T23:59:59Z\"},"
    "\"contact-info\":\"postmaster@sender.example\","
    "\"report-id\":\"20261122.example.com@mx.sender.example\",\"policies\":["
    "{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: testing\","
    "\"mx: *.example.com\",\"mx: mx.example.net\",\"max_age: 1\"],"
    "\"policy-domain\":\"example.com\",\"mx-host\":[\"*.example.com\",\"mx.example.net\"]},"
    "\"summary\":{\"total-successful-session-count\":5,\"total-failure-session-count\":2},"
    "\"failure-details\":[{\"result-type\":\"certificate-expired\","
    "\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example.com\","
    "\"receiving-ip\":\"2001:db8::25\",\"failed-session-count\":2,"
    "\"failure-reason-code\":\"old\"}]},"
    "{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 AB\",\"3 1 1 CD\"],"
    "\"policy-domain\":\"example.com\"},"
    "\"summary\":{\"total-successful-session-count\":1,\"total-failure-session-count\":0}},"
    "{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.com\"},"
    "\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":1},"
    "\"failure-details\":[{\"result-type\":\"starttls-not-supported\","
    "\"sending-mta-ip\":\"192.0.2.1\",\"receiving-mx-hostname\":\"mx.example.com\","
    "\"receiving-ip\":\"2001:db8::25\",\"failed-session-count\":1}]}]}\n";

static void test_document(void **state)
{
    (void)state;
    struct counters counters;
    struct buffer json, compressed, name;
    static char back[8192];
    counters_init(&counters, seed);
    buffer_init(&json, NULL, DOCUMENT_MAX_BYTES);
    buffer_init(&compressed, NULL, DOCUMENT_MAX_BYTES);
    buffer_init(&name, NULL, 1024);
    document_append_json(&head, fill(&counters), &json);
    assert_true(buffer_ok(&json));
    assert_span_is("json", buffer_span(&json), expected_json);

    document_append_compressed(buffer_span(&json), &compressed);
    assert_true(buffer_ok(&compressed) && compressed.length < json.length);
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = compressed.bytes;
    stream.avail_in = (uInt)compressed.length;
    stream.next_out = (Bytef *)back;
    stream.avail_out = sizeof(back) - 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    back[stream.total_out] = '\0';
    assert_string_equal(back, expected_json);
    assert_int_equal(inflateEnd(&stream), Z_OK);

    document_append_file_name(&head, &name);
    assert_span_is("file name", buffer_span(&name),
                   "sender.example!example.com!1795305600!1795391999.json.gz");
    buffer_release(&json);
    buffer_release(&compressed);
    buffer_release(&name);
    counters_destroy(&counters);
}

static void test_message(void **state)
{
    (void)state;
    struct buffer text;
    buffer_init(&text, NULL, 8192);
    document_append_fields(&head, SPAN("b"), &text);
    buffer_append_string(&text, "\r\n");
    document_append_body(&head, SPAN("b"),
                         SPAN("0123456789012345678901234567890123456789"
                              "0123456789012345678901234567890123456789"),
                         &text);
    assert_true(buffer_ok(&text));
    assert_span_is(
        "message", buffer_span(&text),
        "Subject: Report Domain: example.com\r\n Submitter: sender.example\r\n"
        " Report-ID: <20261122.example.com@mx.sender.example>\r\n"
        "TLS-Report-Domain: example.com\r\nTLS-Report-Submitter: sender.example\r\n"
        "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"b\"\r\n\r\n"
        "This is a message in MIME format.\r\n\r\n--b\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is a report on TLS sessions with the mail servers of example.com\r\n"
        "on 2026-11-22 (UTC), from sender.example.\r\n\r\n--b\r\n"
        "Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n"
        " filename=\"sender.example!example.com!1795305600!1795391999.json.gz\"\r\n\r\n"
        "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2\r\n"
        "Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODk=\r\n\r\n--b--\r\n");
    buffer_release(&text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting), cmocka_unit_test(test_places),
        cmocka_unit_test(test_limits),   cmocka_unit_test(test_room),
        cmocka_unit_test(test_lines),    cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_document), cmocka_unit_test(test_message)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
