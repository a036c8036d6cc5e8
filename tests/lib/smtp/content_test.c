/* tests/lib/smtp/content - dot-stuffing both ways, content facts, header fields, Received. */
#include "../../test.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/compiler.h"
#include "smtp/content.h"
#include "smtp/data.h"
#include "smtp/date.h"
#include "smtp/header.h"
#include "smtp/received.h"

enum { TEST_BUFFER_BYTES = 1 << 16 };

/* Decodes input cut into pieces of step bytes; returns what follows the end, or -1. */
static ptrdiff_t decode_in_steps(struct span input, size_t step, struct buffer *content,
                                 struct smtp_data_decoder *decoder, unsigned repairs)
{
    smtp_data_decoder_init(decoder, repairs);
    buffer_reset(content);
    for (size_t at = 0; at < input.length; at += step) {
        struct span piece = span_between(input, at, at + step);
        for (;;) {
            struct span decoded;
            const enum smtp_data_event event = smtp_data_decoder_next(decoder, &piece, &decoded);
            if (event == SMTP_DATA_END)
                return (ptrdiff_t)(piece.length + span_after(input, at + step).length);
            if (event == SMTP_DATA_NEED_MORE)
                break;
            buffer_append_span(content, decoded);
        }
        assert_int_equal(piece.length, 0);
    }
    return -1;
}

static void test_decoder(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input;
        struct span content;
        ptrdiff_t after; /* bytes after the end, or -1: no end */
        bool bare_cr, bare_lf, nul;
    } rows[] = {
        {"empty", SPAN_LITERAL(".\r\n"), SPAN_LITERAL(""), 0, 0, 0, 0},
        {"plain", SPAN_LITERAL("a\r\nb\r\n.\r\nQUIT\r\n"), SPAN_LITERAL("a\r\nb\r\n"), 6, 0, 0, 0},
        {"stuffed", SPAN_LITERAL("..a\r\n...\r\n.b\r\n.\r\n"), SPAN_LITERAL(".a\r\n..\r\nb\r\n"), 0,
         0, 0, 0},
        {"dots within", SPAN_LITERAL("a.b.\r\n.\r\n"), SPAN_LITERAL("a.b.\r\n"), 0, 0, 0, 0},
        {"no end yet", SPAN_LITERAL("a\r\n."), SPAN_LITERAL("a\r\n"), -1, 0, 0, 0},
        {"half an end", SPAN_LITERAL("a\r\n.\r"), SPAN_LITERAL("a\r\n"), -1, 0, 0, 0},
        {"LF dot LF", SPAN_LITERAL("a\n.\nb\r\n.\r\n"), SPAN_LITERAL("a\n.\nb\r\n"), 0, 0, 1, 0},
        {"LF dot CR LF", SPAN_LITERAL("a\n.\r\nb\r\n.\r\n"), SPAN_LITERAL("a\n.\r\nb\r\n"), 0, 0, 1,
         0},
        {"CR LF dot LF", SPAN_LITERAL("a\r\n.\nb\r\n.\r\n"), SPAN_LITERAL("a\r\n\nb\r\n"), 0, 0, 1,
         0},
        {"CR dot CR", SPAN_LITERAL("a\r.\rb\r\n.\r\n"), SPAN_LITERAL("a\r.\rb\r\n"), 0, 1, 0, 0},
        {"CR LF dot CR", SPAN_LITERAL("a\r\n.\rb\r\n.\r\n"), SPAN_LITERAL("a\r\n\rb\r\n"), 0, 1, 0,
         0},
        {"CR CR LF dot", SPAN_LITERAL("a\r\r\n.\r\n"), SPAN_LITERAL("a\r\r\n"), 0, 1, 0, 0},
        {"dot CR CR LF", SPAN_LITERAL("a\r\n.\r\r\n.\r\n"), SPAN_LITERAL("a\r\n\r\r\n"), 0, 1, 0,
         0},
        {"NUL", SPAN_LITERAL("a\0b\r\n.\r\n"), SPAN_LITERAL("a\0b\r\n"), 0, 0, 0, 1},
        {"NUL dot", SPAN_LITERAL("a\r\n\0.\r\n.\r\n"), SPAN_LITERAL("a\r\n\0.\r\n"), 0, 0, 0, 1},
        {"lone CR", SPAN_LITERAL("\r"), SPAN_LITERAL(""), -1, 0, 0, 0},
    };
    struct buffer content;
    buffer_init(&content, NULL, TEST_BUFFER_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t step = 1; step <= rows[i].input.length; step++) {
            struct smtp_data_decoder decoder;
            const ptrdiff_t after = decode_in_steps(rows[i].input, step, &content, &decoder, 0);
            if (after != rows[i].after)
                fail_msg("%s in steps of %zu: %td bytes after", rows[i].name, step, after);
            if (!span_equals(buffer_span(&content), rows[i].content))
                fail_msg("%s in steps of %zu: content", rows[i].name, step);
            if (decoder.has_bare_cr != rows[i].bare_cr || decoder.has_bare_lf != rows[i].bare_lf ||
                decoder.has_nul != rows[i].nul)
                fail_msg("%s in steps of %zu: %d %d %d", rows[i].name, step, decoder.has_bare_cr,
                         decoder.has_bare_lf, decoder.has_nul);
            assert_int_equal(smtp_data_decoder_is_clean(&decoder),
                             !rows[i].bare_cr && !rows[i].bare_lf && !rows[i].nul);
        }
    buffer_release(&content);
}

/* LF for CRLF, and a space for CR: the end of the content is the same. */
static void test_repairs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input;
        struct span content;
        ptrdiff_t after;
        bool bare_cr, bare_lf;
    } rows[] = {
        {"plain", SPAN_LITERAL("a\r\n..b\r\n.\r\nQ"), SPAN_LITERAL("a\r\n.b\r\n"), 1, 0, 0},
        {"LF", SPAN_LITERAL("a\nb\n\nc\r\n.\r\n"), SPAN_LITERAL("a\r\nb\r\n\r\nc\r\n"), 0, 0, 1},
        {"LF first", SPAN_LITERAL("\na\r\n.\r\n"), SPAN_LITERAL("\r\na\r\n"), 0, 0, 1},
        {"LF dot LF", SPAN_LITERAL("a\n.\nb\r\n.\r\n"), SPAN_LITERAL("a\r\n.\r\nb\r\n"), 0, 0, 1},
        {"LF dot CR LF", SPAN_LITERAL("a\n.\r\nb\r\n.\r\n"), SPAN_LITERAL("a\r\n.\r\nb\r\n"), 0, 0,
         1},
        {"CR LF dot LF", SPAN_LITERAL("a\r\n.\nb\r\n.\r\n"), SPAN_LITERAL("a\r\n.\r\nb\r\n"), 0, 0,
         1},
        {"dot LF first", SPAN_LITERAL(".\nb\r\n.\r\n"), SPAN_LITERAL(".\r\nb\r\n"), 0, 0, 1},
        {"LF dot dot", SPAN_LITERAL("a\n..b\n...\r\n.\r\n"), SPAN_LITERAL("a\r\n.b\r\n..\r\n"), 0,
         0, 1},
        {"no end after LF", SPAN_LITERAL("a\n.\n"), SPAN_LITERAL("a\r\n.\r\n"), -1, 0, 1},
        {"CR", SPAN_LITERAL("a\rb\r\r\n.\r\n"), SPAN_LITERAL("a b \r\n"), 0, 1, 0},
        {"CR dot CR", SPAN_LITERAL("a\r.\rb\r\n.\r\n"), SPAN_LITERAL("a . b\r\n"), 0, 1, 0},
        {"CR LF dot CR", SPAN_LITERAL("a\r\n.\rb\r\n.\r\n"), SPAN_LITERAL("a\r\n b\r\n"), 0, 1, 0},
        {"LF CR", SPAN_LITERAL("a\n\rb\r\n.\r\n"), SPAN_LITERAL("a\r\n b\r\n"), 0, 1, 1},
    };
    struct buffer content;
    buffer_init(&content, NULL, TEST_BUFFER_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t step = 1; step <= rows[i].input.length; step++) {
            struct smtp_data_decoder decoder;
            const ptrdiff_t after = decode_in_steps(rows[i].input, step, &content, &decoder,
                                                    SMTP_DATA_REPAIR_LF | SMTP_DATA_REPAIR_CR);
            if (after != rows[i].after || !span_equals(buffer_span(&content), rows[i].content) ||
                decoder.has_bare_cr != rows[i].bare_cr || decoder.has_bare_lf != rows[i].bare_lf)
                fail_msg("%s in steps of %zu: %td bytes after \"%.*s\"", rows[i].name, step, after,
                         SPAN_PRINTF(buffer_span(&content)));
            assert_true(smtp_data_decoder_is_clean(&decoder));
        }
    buffer_release(&content);
}

static void test_encoder(void **state)
{
    (void)state;
    static const struct {
        const char *content, *wire;
    } rows[] = {
        {"", ".\r\n"},
        {"a\r\n", "a\r\n.\r\n"},
        {"a", "a\r\n.\r\n"},
        {".", "..\r\n.\r\n"},
        {".\r\n", "..\r\n.\r\n"},
        {"..\r\n.a\r\nb.\r\n", "...\r\n..a\r\nb.\r\n.\r\n"},
        {"a\n.b\r\n", "a\n.b\r\n.\r\n"},
        {"a\r", "a\r\r\n.\r\n"},
    };
    struct buffer wire;
    buffer_init(&wire, NULL, TEST_BUFFER_BYTES);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span content = span_from_string(rows[i].content);
        for (size_t step = 1; step <= content.length + 1; step++) {
            struct smtp_data_encoder encoder;
            smtp_data_encoder_init(&encoder);
            buffer_reset(&wire);
            for (size_t at = 0; at < content.length; at += step) {
                struct span input = span_between(content, at, at + step), piece;
                while (smtp_data_encoder_next(&encoder, &input, &piece))
                    buffer_append_span(&wire, piece);
            }
            buffer_append_span(&wire, smtp_data_encoder_end(&encoder));
            assert_span_is(rows[i].content, buffer_span(&wire), rows[i].wire);
        }
    }
    buffer_release(&wire);
}

static void test_facts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span content;
        uint64_t header_bytes, longest_line;
        bool separator;
        int high; /* 1: in the header, 2: in the body */
        bool dot, nul;
    } rows[] = {
        {"usual", SPAN_LITERAL("A: b\r\nC: d\r\n\r\nbody\r\n"), 12, 4, 1, 0, 0, 0},
        {"folded", SPAN_LITERAL("A: b\r\n c\r\n\td\r\n\r\n"), 14, 4, 1, 0, 0, 0},
        {"space before colon", SPAN_LITERAL("A \t: b\r\n\r\n"), 8, 6, 1, 0, 0, 0},
        {"header only", SPAN_LITERAL("A: b\r\n"), 6, 4, 0, 0, 0, 0},
        {"nothing", SPAN_LITERAL(""), 0, 0, 0, 0, 0, 0},
        {"empty line first", SPAN_LITERAL("\r\nbody\r\n"), 0, 4, 1, 0, 0, 0},
        {"no header", SPAN_LITERAL("hello world\r\nA: b\r\n\r\n"), 0, 11, 0, 0, 0, 0},
        {"then no header", SPAN_LITERAL("A: b\r\nhello world\r\n"), 6, 11, 0, 0, 0, 0},
        {"name without colon", SPAN_LITERAL("A: b\r\nhello\r\n"), 6, 5, 0, 0, 0, 0},
        {"white space first", SPAN_LITERAL(" A: b\r\n"), 0, 5, 0, 0, 0, 0},
        {"colon first", SPAN_LITERAL("A: b\r\n: c\r\n"), 6, 4, 0, 0, 0, 0},
        {"8-bit name", SPAN_LITERAL("A: b\r\nB\xc3: c\r\n"), 6, 5, 0, 2, 0, 0},
        {"8-bit value", SPAN_LITERAL("A: \xff\r\n\r\n"), 6, 4, 1, 1, 0, 0},
        {"8-bit in a long line", SPAN_LITERAL("A: b\r\n\r\n0123456789abcdef\x80\r\n"), 6, 17, 1, 2,
         0, 0},
        {"8-bit in both", SPAN_LITERAL("A: \x80\r\n\r\nx\xff\r\n"), 6, 4, 1, 3, 0, 0},
        {"dot", SPAN_LITERAL("A: b\r\n\r\na.\r\n.b\r\n"), 6, 4, 1, 0, 1, 0},
        {"dot first", SPAN_LITERAL(".\r\n"), 0, 1, 0, 0, 1, 0},
        {"NUL", SPAN_LITERAL("A: b\r\n\r\na\0\r\n"), 6, 4, 1, 0, 0, 1},
        {"last line open", SPAN_LITERAL("A: b\r\n\r\nlonger"), 6, 6, 1, 0, 0, 0},
        {"name at the end", SPAN_LITERAL("A: b\r\nLonger"), 6, 6, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t step = 1; step <= rows[i].content.length + 1; step++) {
            struct smtp_content_facts facts;
            smtp_content_facts_init(&facts);
            for (size_t at = 0; at < rows[i].content.length; at += step)
                smtp_content_facts_add(&facts, span_between(rows[i].content, at, at + step));
            smtp_content_facts_finish(&facts);
            if (facts.size_bytes != rows[i].content.length ||
                facts.header_bytes != rows[i].header_bytes ||
                facts.longest_line_bytes != rows[i].longest_line ||
                facts.has_separator != rows[i].separator ||
                (facts.has_8bit_header ? 1 : 0) + (facts.has_8bit_body ? 2 : 0) != rows[i].high ||
                facts.has_leading_dot != rows[i].dot || facts.has_nul != rows[i].nul)
                fail_msg("%s in steps of %zu: header %llu line %llu separator %d 8-bit %d dot %d "
                         "NUL %d",
                         rows[i].name, step, (unsigned long long)facts.header_bytes,
                         (unsigned long long)facts.longest_line_bytes, facts.has_separator,
                         facts.has_8bit_header + 2 * facts.has_8bit_body, facts.has_leading_dot,
                         facts.has_nul);
        }
}

static void test_header_fields(void **state)
{
    (void)state;
    const struct span block =
        SPAN("Received: one\r\nSubject : a\r\n\tb \r\nreceived: two\r\nX:\r\nLast: z");
    struct span rest = block;
    struct smtp_header_field field;
    assert_true(smtp_header_next(&rest, &field));
    assert_span_is("name", field.name, "Received");
    assert_span_is("value", field.value, " one");
    assert_span_is("whole", field.whole, "Received: one\r\n");
    assert_true(smtp_header_next(&rest, &field));
    assert_span_is("spaced name", field.name, "Subject");
    assert_span_is("folded", field.value, " a\r\n\tb ");
    assert_int_equal(smtp_header_count(block, SPAN("RECEIVED")), 2);
    assert_true(smtp_header_find(block, SPAN("x"), &field));
    assert_span_is("empty", field.value, "");
    assert_true(smtp_header_find(block, SPAN("last"), &field));
    assert_span_is("open", field.value, " z");
    assert_false(smtp_header_find(block, SPAN("b"), &field));
    rest = SPAN("no field\r\n");
    assert_false(smtp_header_next(&rest, &field));
    rest = SPAN(": x\r\n");
    assert_false(smtp_header_next(&rest, &field));
    struct buffer line;
    buffer_init(&line, NULL, 100);
    smtp_header_unfold(SPAN(" a\r\n\tb \r\n  c \t"), &line);
    assert_span_is("unfolded", buffer_span(&line), "a\tb   c");
    buffer_reset(&line);
    smtp_header_unfold(SPAN(" \r\n <x@y>"), &line);
    assert_span_is("value on the second line", buffer_span(&line), "<x@y>");
    buffer_release(&line);
}

static void test_dates(void **state)
{
    (void)state;
    static const struct {
        int64_t time;
        int offset;
        const char *zone, *text;
    } rows[] = {
        {0, 0, "", "Thu, 1 Jan 1970 00:00:00 +0000"},
        {951782400, 0, "UTC", "Tue, 29 Feb 2000 00:00:00 +0000 (UTC)"},
        {1795312111, 60, "CET", "Sun, 22 Nov 2026 02:48:31 +0100 (CET)"},
        {1795312111, -210, "", "Sat, 21 Nov 2026 22:18:31 -0330"},
        {1798761599, 0, "", "Thu, 31 Dec 2026 23:59:59 +0000"},
        {4107542400, 0, "", "Mon, 1 Mar 2100 00:00:00 +0000"},
        {-5, 0, "", "Thu, 1 Jan 1970 00:00:00 +0000"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output;
        buffer_init(&output, NULL, 200);
        smtp_date_append(&output, rows[i].time, rows[i].offset, span_from_string(rows[i].zone));
        assert_span_is(rows[i].text, buffer_span(&output), rows[i].text);
        buffer_release(&output);
    }
}

static void test_received(void **state)
{
    (void)state;
    struct buffer output;
    struct smtp_received received = {
        .helo = SPAN_LITERAL("me (evil)\r\nX: y"),
        .client_name = SPAN_LITERAL("client.example"),
        .client_address = SPAN_LITERAL("192.0.2.1"),
        .server_name = SPAN_LITERAL("mx.example"),
        .software = SPAN_LITERAL("Posthouse"),
        .protocol = SPAN_LITERAL("ESMTP"),
        .queue_id = SPAN_LITERAL("4Qk7v"),
        .recipient = SPAN_LITERAL("\"a b\"@mx.example"),
        .unix_time_s = 1795312111,
        .zone_name = SPAN_LITERAL("UTC"),
    };
    buffer_init(&output, NULL, 4096);
    smtp_received_append(&output, &received);
    assert_span_is("one recipient", buffer_span(&output),
                   "Received: from me??evil???X:?y (client.example [192.0.2.1])\r\n"
                   "\tby mx.example (Posthouse) with ESMTP id 4Qk7v\r\n"
                   "\tfor <\"a b\"@mx.example>; Sun, 22 Nov 2026 01:48:31 +0000 (UTC)\r\n");
    buffer_reset(&output);
    const struct smtp_received_tls tls = {
        .cipher_name = SPAN("TLS_AES_128_GCM_SHA256"),
        .group_name = SPAN("x25519"),
        .has_comments = true,
        .protocol = SPAN("TLSv1.3"),
        .cipher = SPAN("TLS_AES_128_GCM_SHA256"),
        .used_bits = 128,
        .algorithm_bits = 128,
        .certificate = SMTP_RECEIVED_SHOWN,
        .subject = SPAN("bob) \"\r\nX: y"),
        .issuer = SPAN("CA"),
    };
    received.tls = &tls;
    buffer_reset(&output);
    smtp_received_append(&output, &received);
    assert_true(span_find(buffer_span(&output),
                          SPAN("])\r\n\t(using TLSv1.3 with cipher TLS_AES_128_GCM_SHA256 (128/128 "
                               "bits))\r\n\t(Client CN \"bob? ???X: y\", Issuer \"CA\" (not "
                               "verified))\r\n\tby ")) < output.length);
    assert_true(span_find(buffer_span(&output),
                          SPAN("\r\n\ttls TLS_AES_128_GCM_SHA256 group x25519; ")) < output.length);
    received.tls = NULL;
    buffer_reset(&output);
    received.recipient = span_empty();
    received.helo = span_empty();
    smtp_received_append(&output, &received);
    assert_span_is("several", buffer_span(&output),
                   "Received: from client.example (client.example [192.0.2.1])\r\n"
                   "\tby mx.example (Posthouse) with ESMTP id 4Qk7v; "
                   "Sun, 22 Nov 2026 01:48:31 +0000 (UTC)\r\n");
    buffer_release(&output);
}

static void test_timestamps(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t unix_time_s; /* -1: it is none */
        bool is_normal;      /* is written like this, too */
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, true},           {"2000-02-29T12:00:00Z", 951825600, true},
        {"2000-03-01T00:00:00Z", 951868800, true},   {"2026-11-22T01:48:31Z", 1795312111, true},
        {"2100-03-01T00:00:00Z", 4107542400, true},  {"9999-12-31T23:59:59Z", 253402300799, true},
        {"2026-11-22t01:48:31z", 1795312111, false}, {"2026-11-22T01:48:31.25Z", 1795312111, false},
        {"2016-12-31T23:59:60Z", 1483228800, false}, {"2100-02-29T00:00:00Z", -1, false},
        {"2026-02-30T00:00:00Z", -1, false},         {"2026-13-01T00:00:00Z", -1, false},
        {"2026-00-01T00:00:00Z", -1, false},         {"2026-01-00T00:00:00Z", -1, false},
        {"1969-12-31T23:59:59Z", -1, false},         {"2026-11-22T24:00:00Z", -1, false},
        {"2026-11-22T01:60:00Z", -1, false},         {"2026-11-22T01:48:61Z", -1, false},
        {"2026-11-22T01:48:31", -1, false},          {"2026-11-22T01:48:31+00:00", -1, false},
        {"2026-11-22T01:48:31.Z", -1, false},        {"2026-11-22T01:48:31ZZ", -1, false},
        {"2026-11-22 01:48:31Z", -1, false},         {"2026/11/22T01:48:31Z", -1, false},
        {"26-11-22T01:48:31Z", -1, false},           {"", -1, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t unix_time_s = -1;
        struct buffer text;
        if ((smtp_timestamp_parse(span_from_string(rows[i].text), &unix_time_s) == PARSE_OK) !=
                (rows[i].unix_time_s >= 0) ||
            unix_time_s != rows[i].unix_time_s)
            fail_msg("%s: %lld", rows[i].text, (long long)unix_time_s);
        buffer_init(&text, NULL, 64);
        smtp_timestamp_append(&text, rows[i].unix_time_s);
        if (rows[i].is_normal)
            assert_span_is(rows[i].text, buffer_span(&text), rows[i].text);
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamps), cmocka_unit_test(test_decoder),
        cmocka_unit_test(test_repairs),    cmocka_unit_test(test_encoder),
        cmocka_unit_test(test_facts),      cmocka_unit_test(test_header_fields),
        cmocka_unit_test(test_dates),      cmocka_unit_test(test_received),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
