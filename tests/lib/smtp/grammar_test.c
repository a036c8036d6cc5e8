/* tests/lib/smtp/grammar - commands, parameters, replies, EHLO answers, whole and by the byte. */
#include "../../test.h"

#include <stdlib.h>

#include "base/compiler.h"
#include "smtp/command.h"
#include "smtp/data.h"
#include "smtp/ehlo.h"
#include "smtp/parameter.h"
#include "smtp/reply.h"

enum { TEST_ARENA_BYTES = 1 << 20, TEST_LINE_BYTES = 32 };

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span input;
        enum parse_result result;
        enum smtp_verb verb;
        const char *argument;
        size_t consumed;
    } rows[] = {
        {"plain", SPAN_LITERAL("QUIT\r\n"), PARSE_OK, SMTP_VERB_QUIT, "", 6},
        {"any case", SPAN_LITERAL("mAiL FROM:<>\r\nX"), PARSE_OK, SMTP_VERB_MAIL, "FROM:<>", 14},
        {"spaces", SPAN_LITERAL("  NOOP  a b  \r\n"), PARSE_OK, SMTP_VERB_NOOP, "a b", 15},
        {"unknown", SPAN_LITERAL("GET / HTTP\r\n"), PARSE_OK, SMTP_VERB_UNKNOWN, "/ HTTP", 12},
        {"empty", SPAN_LITERAL("\r\n"), PARSE_OK, SMTP_VERB_UNKNOWN, "", 2},
        {"only spaces", SPAN_LITERAL("   \r\n"), PARSE_OK, SMTP_VERB_UNKNOWN, "", 5},
        {"no verb begins another", SPAN_LITERAL("MAILX\r\n"), PARSE_OK, SMTP_VERB_UNKNOWN, "", 7},
        {"bare LF", SPAN_LITERAL("QUIT\n"), PARSE_MALFORMED, 0, 0, 0},
        {"bare CR", SPAN_LITERAL("QU\rIT\r\n"), PARSE_MALFORMED, 0, 0, 0},
        {"CR CR LF", SPAN_LITERAL("QUIT\r\r\n"), PARSE_MALFORMED, 0, 0, 0},
        {"NUL", SPAN_LITERAL("QU\0IT\r\n"), PARSE_MALFORMED, 0, 0, 0},
        {"incomplete", SPAN_LITERAL("QUIT"), PARSE_NEED_MORE, 0, 0, 0},
        {"half a line end", SPAN_LITERAL("QUIT\r"), PARSE_NEED_MORE, 0, 0, 0},
        {"nothing", SPAN_LITERAL(""), PARSE_NEED_MORE, 0, 0, 0},
        {"longest", SPAN_LITERAL("NOOP 6789012345678901234567890\r\n"), PARSE_OK, SMTP_VERB_NOOP,
         "6789012345678901234567890", 32},
        {"too long", SPAN_LITERAL("NOOP 67890123456789012345678901\r\n"), PARSE_TOO_LONG, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_command command = {SMTP_VERB_COUNT, span_empty(), span_empty(), false};
        size_t consumed = 99;
        const enum parse_result result =
            smtp_command_parse(rows[i].input, TEST_LINE_BYTES, false, &command, &consumed);
        if (result != rows[i].result)
            fail_msg("%s: result %d", rows[i].name, result);
        if (result == PARSE_OK) {
            assert_int_equal(command.verb, rows[i].verb);
            assert_span_is(rows[i].name, command.argument, rows[i].argument);
            assert_int_equal(consumed, rows[i].consumed);
        } else {
            assert_int_equal(command.verb, SMTP_VERB_COUNT);
            assert_int_equal(consumed, 99);
        }
        /* By the byte: more is needed until the answer is there. */
        enum parse_result trickled = PARSE_NEED_MORE;
        for (size_t length = 0; length <= rows[i].input.length && trickled == PARSE_NEED_MORE;
             length++)
            trickled = smtp_command_parse(span_first(rows[i].input, length), TEST_LINE_BYTES, false,
                                          &command, &consumed);
        if (trickled != rows[i].result)
            fail_msg("%s: trickled %d", rows[i].name, trickled);
    }
    for (int verb = SMTP_VERB_UNKNOWN + 1; verb < SMTP_VERB_COUNT; verb++)
        assert_int_equal(
            smtp_verb_from_name(span_from_string(smtp_verb_name((enum smtp_verb)verb))), verb);
}

/* Where an LF is as good as CRLF. */
static void test_bare_lf(void **state)
{
    (void)state;
    static const struct {
        struct span input;
        enum parse_result result;
        size_t consumed;
        bool has_bare_lf;
    } rows[] = {
        {SPAN_LITERAL("NOOP x\nQUIT\r\n"), PARSE_OK, 7, true},
        {SPAN_LITERAL("NOOP x\r\n"), PARSE_OK, 8, false},
        {SPAN_LITERAL("NOOP x\r"), PARSE_NEED_MORE, 0, false},
        {SPAN_LITERAL("NOOP\rx\n"), PARSE_MALFORMED, 0, false},
        {SPAN_LITERAL("NO\0P\n"), PARSE_MALFORMED, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t length = 0; length <= rows[i].input.length; length++) {
            struct smtp_command command;
            size_t consumed = 0;
            const enum parse_result result = smtp_command_parse(
                span_first(rows[i].input, length), TEST_LINE_BYTES, true, &command, &consumed);
            if (result == PARSE_NEED_MORE && length < rows[i].input.length)
                continue;
            assert_int_equal(result, rows[i].result);
            assert_int_equal(consumed, rows[i].consumed);
            if (result == PARSE_OK)
                assert_int_equal(command.has_bare_lf, rows[i].has_bare_lf);
            if (result == PARSE_OK)
                assert_span_is("name", command.name, "NOOP");
        }
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        const char *argument;
        enum parse_result result;
        uint64_t size_bytes;
        bool is_last;
    } rows[] = {
        {"10", PARSE_OK, 10, false},
        {"0 LAST", PARSE_OK, 0, true},
        {"007  last", PARSE_OK, 7, true},
        {"9223372036854775807", PARSE_OK, INT64_MAX, false},
        {"9223372036854775808", PARSE_TOO_LONG, 0, false},
        {"99999999999999999999999 LAST", PARSE_TOO_LONG, 0, false},
        {"", PARSE_MALFORMED, 0, false},
        {"LAST", PARSE_MALFORMED, 0, false},
        {"-1", PARSE_MALFORMED, 0, false},
        {"+1", PARSE_MALFORMED, 0, false},
        {"0x10", PARSE_MALFORMED, 0, false},
        {"10LAST", PARSE_MALFORMED, 0, false},
        {"10 LASTING", PARSE_MALFORMED, 0, false},
        {"10 20", PARSE_MALFORMED, 0, false},
        {"10 LAST LAST", PARSE_MALFORMED, 0, false},
        {"10\tLAST", PARSE_MALFORMED, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_chunk chunk = {4711, true};
        const enum parse_result result =
            smtp_chunk_parse(span_from_string(rows[i].argument), &chunk);
        if (result != rows[i].result ||
            chunk.size_bytes != (result == PARSE_OK ? rows[i].size_bytes : 4711) ||
            chunk.is_last != (result == PARSE_OK ? rows[i].is_last : true))
            fail_msg("\"%s\": result %d", rows[i].argument, result);
    }
}

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum smtp_parameter_command command;
        uint16_t refusal_code; /* 0: accepted */
        bool has_size;
        uint64_t size_bytes;
        enum smtp_body body;
        const char *word;
    } rows[] = {
        {"", SMTP_PARAMETER_MAIL, 0, false, 0, SMTP_BODY_UNSPECIFIED, 0},
        {"SIZE=1000", SMTP_PARAMETER_MAIL, 0, true, 1000, SMTP_BODY_UNSPECIFIED, 0},
        {"size=0  body=8bitmime", SMTP_PARAMETER_MAIL, 0, true, 0, SMTP_BODY_8BITMIME, 0},
        {"BODY=7BIT", SMTP_PARAMETER_MAIL, 0, false, 0, SMTP_BODY_7BIT, 0},
        {"BODY=9BIT", SMTP_PARAMETER_MAIL, 501, false, 0, 0, ""},
        {"SIZE=", SMTP_PARAMETER_MAIL, 501, false, 0, 0, ""},
        {"SIZE=-1", SMTP_PARAMETER_MAIL, 501, false, 0, 0, ""},
        {"SIZE=99999999999999999999", SMTP_PARAMETER_MAIL, 552, false, 0, 0, ""},
        {"SIZE=1 SIZE=2", SMTP_PARAMETER_MAIL, 501, false, 0, 0, "SIZE"},
        {"SIZE=1", SMTP_PARAMETER_RCPT, 555, false, 0, 0, "SIZE=1"},
        {"X-THING=y", SMTP_PARAMETER_MAIL, 555, false, 0, 0, "X-THING=y"},
        {"SIZES=1", SMTP_PARAMETER_MAIL, 555, false, 0, 0, "SIZES=1"},
        {"=", SMTP_PARAMETER_RCPT, 555, false, 0, 0, "="},
        {"XVERP", SMTP_PARAMETER_MAIL, 0, false, 0, SMTP_BODY_UNSPECIFIED, 0},
        {"XVERP=+=", SMTP_PARAMETER_MAIL, 0, false, 0, SMTP_BODY_UNSPECIFIED, 0},
        {"XVERP=+= XVERP", SMTP_PARAMETER_MAIL, 501, false, 0, 0, "XVERP"},
        {"XVERP", SMTP_PARAMETER_RCPT, 555, false, 0, 0, "XVERP"},
        {"XVERPX", SMTP_PARAMETER_MAIL, 555, false, 0, 0, "XVERPX"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_parameters parameters;
        struct outcome refusal;
        struct span word;
        const enum parse_result result = smtp_parameters_parse(
            span_from_string(rows[i].text), rows[i].command, &parameters, &refusal, &word);
        if ((result == PARSE_OK) != (rows[i].refusal_code == 0))
            fail_msg("%s: result %d", rows[i].text, result);
        if (result == PARSE_OK) {
            assert_int_equal(parameters.has_size, rows[i].has_size);
            assert_int_equal(parameters.size_bytes, rows[i].size_bytes);
            assert_int_equal(parameters.body, rows[i].body);
        } else {
            assert_int_equal(refusal.reply_code, rows[i].refusal_code);
            assert_int_equal(refusal.kind, OUTCOME_PERMANENT);
            assert_span_is(rows[i].text, word, rows[i].word);
        }
    }
}

/* Handed on as it came: what it means, and whether it may be, the session says. */
static void test_verp(void **state)
{
    static const struct {
        const char *text, *verp;
    } rows[] = {
        {"SIZE=1", ""},
        {"XVERP", "XVERP"},
        {"SIZE=1 xverp BODY=7BIT", "xverp"},
        {"XVERP=", "XVERP="},
        {"XVERP=+= SIZE=1", "XVERP=+="},
        {"XVERP===", "XVERP==="},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_parameters parameters;
        struct outcome refusal;
        struct span word;
        assert_int_equal(smtp_parameters_parse(span_from_string(rows[i].text), SMTP_PARAMETER_MAIL,
                                               &parameters, &refusal, &word),
                         PARSE_OK);
        assert_span_is(rows[i].text, parameters.verp, rows[i].verp);
    }
}

static void test_submission_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *refusal; /* NULL: it is taken */
        enum smtp_hold hold;
        int64_t hold_time_s;
        enum smtp_by_mode by_mode;
        int64_t by_time_s;
        bool has_by_trace;
        int priority;
        const char *auth;
    } rows[] = {
        {"HOLDFOR=1", NULL, SMTP_HOLD_FOR, 1, 0, 0, false, 0, ""},
        {"holdfor=999999999", NULL, SMTP_HOLD_FOR, 999999999, 0, 0, false, 0, ""},
        {"HOLDFOR=1000000000", "Bad HOLDFOR parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDFOR=0", "Bad HOLDFOR parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDFOR=01", "Bad HOLDFOR parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDFOR=", "Bad HOLDFOR parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDFOR=-5", "Bad HOLDFOR parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDUNTIL=2026-11-22T01:48:31Z", NULL, SMTP_HOLD_UNTIL, 1795312111, 0, 0, false, 0, ""},
        {"HOLDUNTIL=2026-11-22", "Bad HOLDUNTIL parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"HOLDFOR=5 HOLDUNTIL=2026-11-22T01:48:31Z", "HOLDFOR and HOLDUNTIL exclude each other", 0,
         0, 0, 0, false, 0, ""},
        {"HOLDFOR=5 HOLDFOR=6", "Repeated option: ", 0, 0, 0, 0, false, 0, ""},
        {"BY=120;R", NULL, 0, 0, SMTP_BY_RETURN, 120, false, 0, ""},
        {"by=+120;rt", NULL, 0, 0, SMTP_BY_RETURN, 120, true, 0, ""},
        {"BY=-120;NT", NULL, 0, 0, SMTP_BY_NOTIFY, -120, true, 0, ""},
        {"BY=0;N", NULL, 0, 0, SMTP_BY_NOTIFY, 0, false, 0, ""},
        {"BY=0;R", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=-1;R", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=1234567890;N", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=5", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=5;", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=;N", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=5;X", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=5;NX", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=5;NTT", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"BY=--5;N", "Bad BY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"MT-PRIORITY=9", NULL, 0, 0, 0, 0, false, 9, ""},
        {"MT-PRIORITY=-9", NULL, 0, 0, 0, 0, false, -9, ""},
        {"MT-PRIORITY=0", NULL, 0, 0, 0, 0, false, 0, ""},
        {"MT-PRIORITY=-0", "Bad MT-PRIORITY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"MT-PRIORITY=10", "Bad MT-PRIORITY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"MT-PRIORITY=+1", "Bad MT-PRIORITY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"MT-PRIORITY=", "Bad MT-PRIORITY parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"AUTH=<>", NULL, 0, 0, 0, 0, false, 0, "<>"},
        {"AUTH=e+3Dmc2@example.com", NULL, 0, 0, 0, 0, false, 0, "e+3Dmc2@example.com"},
        {"AUTH=", "Bad AUTH parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"AUTH=a+2", "Bad AUTH parameter syntax", 0, 0, 0, 0, false, 0, ""},
        {"AUTH=a+0Ab", "Bad AUTH parameter syntax", 0, 0, 0, 0, false, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_parameters parameters;
        struct outcome refusal;
        struct span word;
        const enum parse_result result = smtp_parameters_parse(
            span_from_string(rows[i].text), SMTP_PARAMETER_MAIL, &parameters, &refusal, &word);
        if ((result == PARSE_OK) != !rows[i].refusal)
            fail_msg("%s: %d", rows[i].text, (int)result);
        if (rows[i].refusal) {
            assert_span_is(rows[i].text, refusal.reason, rows[i].refusal);
            assert_int_equal(refusal.reply_code, 501);
            continue;
        }
        assert_int_equal(parameters.hold, rows[i].hold);
        assert_int_equal(parameters.hold_time_s, rows[i].hold_time_s);
        assert_int_equal(parameters.by_mode, rows[i].by_mode);
        assert_int_equal(parameters.by_time_s, rows[i].by_time_s);
        assert_int_equal(parameters.has_by_trace, rows[i].has_by_trace);
        assert_int_equal(parameters.priority, rows[i].priority);
        assert_span_is(rows[i].text, parameters.auth, rows[i].auth);
    }
}

static void test_dsn_parameters(void **state)
{
    (void)state;
    char envid[SMTP_ENVID_MAX_BYTES + 8] = "ENVID=";
    char orcpt[SMTP_ORCPT_MAX_BYTES + 14] = "ORCPT=rfc822;";
    memset(envid + 6, 'e', SMTP_ENVID_MAX_BYTES + 1);
    memset(orcpt + 13, 'o', SMTP_ORCPT_MAX_BYTES - 7 + 1);
    const struct {
        const char *text;
        enum smtp_parameter_command command;
        const char *refusal; /* NULL: accepted */
        enum smtp_return ret;
        unsigned notify;
        const char *envid, *orcpt;
    } rows[] = {
        {"RET=FULL", SMTP_PARAMETER_MAIL, NULL, SMTP_RETURN_FULL, 0, "", ""},
        {"ret=hdrs envid=a+20b", SMTP_PARAMETER_MAIL, NULL, SMTP_RETURN_HEADERS, 0, "a+20b", ""},
        {"RET=BODY", SMTP_PARAMETER_MAIL, "Bad RET parameter syntax", 0, 0, "", ""},
        {"RET=FULL", SMTP_PARAMETER_RCPT, "Unsupported option: ", 0, 0, "", ""},
        {"ENVID=", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=a=b", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=a+2", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=a+", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=+2b", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=+0A", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"ENVID=+2B", SMTP_PARAMETER_MAIL, NULL, 0, 0, "+2B", ""},
        {"ENVID=\xc3\xa4", SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {envid, SMTP_PARAMETER_MAIL, "Bad ENVID parameter syntax", 0, 0, "", ""},
        {"NOTIFY=NEVER", SMTP_PARAMETER_RCPT, NULL, 0, SMTP_NOTIFY_NEVER, "", ""},
        {"notify=success,Failure,DELAY", SMTP_PARAMETER_RCPT, NULL, 0,
         SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY, "", ""},
        {"NOTIFY=NEVER,DELAY", SMTP_PARAMETER_RCPT, "Error: Bad NOTIFY parameter syntax", 0, 0, "",
         ""},
        {"NOTIFY=", SMTP_PARAMETER_RCPT, "Error: Bad NOTIFY parameter syntax", 0, 0, "", ""},
        {"NOTIFY=SUCCESS,", SMTP_PARAMETER_RCPT, "Error: Bad NOTIFY parameter syntax", 0, 0, "",
         ""},
        {"NOTIFY=OFTEN", SMTP_PARAMETER_RCPT, "Error: Bad NOTIFY parameter syntax", 0, 0, "", ""},
        {"NOTIFY=NEVER", SMTP_PARAMETER_MAIL, "Unsupported option: ", 0, 0, "", ""},
        {"NOTIFY=DELAY NOTIFY=DELAY", SMTP_PARAMETER_RCPT, "Repeated option: ", 0, 0, "", ""},
        {"ORCPT=rfc822;a+2Bb@c", SMTP_PARAMETER_RCPT, NULL, 0, 0, "", "rfc822;a+2Bb@c"},
        {"ORCPT=utf-8;\\x{E4}@c", SMTP_PARAMETER_RCPT, NULL, 0, 0, "", "utf-8;\\x{E4}@c"},
        {"ORCPT=utf-8;\xc3\xa4@c", SMTP_PARAMETER_RCPT, NULL, 0, 0, "", "utf-8;\xc3\xa4@c"},
        {"ORCPT=utf-8;\xc3@c", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "",
         ""},
        {"ORCPT=rfc822;\xc3\xa4@c", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0,
         "", ""},
        {"ORCPT=rfc822", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "", ""},
        {"ORCPT=;a@b", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "", ""},
        {"ORCPT=rfc822;", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "", ""},
        {"ORCPT=rfc+822;a@b", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "",
         ""},
        {"ORCPT=rfc822;a+0D+0Ab", SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0,
         "", ""},
        {orcpt, SMTP_PARAMETER_RCPT, "Error: Bad ORCPT parameter syntax", 0, 0, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_parameters parameters;
        struct outcome refusal;
        struct span word;
        const enum parse_result result = smtp_parameters_parse(
            span_from_string(rows[i].text), rows[i].command, &parameters, &refusal, &word);
        if ((result == PARSE_OK) != (rows[i].refusal == NULL))
            fail_msg("%s: result %d", rows[i].text, result);
        if (result != PARSE_OK) {
            assert_span_is(rows[i].text, refusal.reason, rows[i].refusal);
            continue;
        }
        assert_true(parameters.has_dsn);
        assert_int_equal(parameters.ret, rows[i].ret);
        assert_int_equal(parameters.notify, rows[i].notify);
        assert_span_is(rows[i].text, parameters.envid, rows[i].envid);
        assert_span_is(rows[i].text, parameters.orcpt, rows[i].orcpt);
    }
    envid[6 + SMTP_ENVID_MAX_BYTES] = 0;
    orcpt[6 + SMTP_ORCPT_MAX_BYTES] = 0;
    struct smtp_parameters longest;
    struct outcome refusal;
    struct span word;
    assert_int_equal(smtp_parameters_parse(span_from_string(envid), SMTP_PARAMETER_MAIL, &longest,
                                           &refusal, &word),
                     PARSE_OK);
    assert_int_equal(smtp_parameters_parse(span_from_string(orcpt), SMTP_PARAMETER_RCPT, &longest,
                                           &refusal, &word),
                     PARSE_OK);
}

static void test_replies_are_built(void **state)
{
    (void)state;
    struct buffer output;
    const struct enhanced_status status = {2, 1, 5};
    buffer_init(&output, NULL, 4096);
    smtp_reply_append(&output, 250, &status, SPAN("Ok"));
    smtp_reply_append(&output, 250, NULL, SPAN("host\nSIZE 1\nHELP"));
    smtp_reply_append(&output, 354, NULL, SPAN("a\rb\x7f"));
    smtp_reply_append(&output, 421, NULL, span_empty());
    assert_span_is("lines", buffer_span(&output),
                   "250 2.1.5 Ok\r\n250-host\r\n250-SIZE 1\r\n250 HELP\r\n354 a?b?\r\n421 \r\n");
    buffer_reset(&output);
    char text[2000];
    memset(text, 'x', sizeof(text));
    smtp_reply_append(&output, 250, &status, span_of(text, sizeof(text)));
    assert_int_equal(output.length, SMTP_REPLY_LINE_MAX_BYTES);
    assert_true(span_ends_with(buffer_span(&output), SPAN("x\r\n")));
    buffer_release(&output);
}

static void test_replies_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        bool bare_lf;
        enum parse_result result;
        uint16_t code;
        const char *status, *text;
        size_t consumed, lines;
    } rows[] = {
        {"250 2.1.5 Ok\r\n354 go", false, PARSE_OK, 250, "2.1.5", "Ok", 14, 1},
        {"250-host\r\n250-SIZE 1\r\n250 HELP\r\n", false, PARSE_OK, 250, "", "host SIZE 1 HELP", 32,
         3},
        {"550-5.1.1 no\r\n550 5.1.1 user\r\n", false, PARSE_OK, 550, "5.1.1", "no user", 30, 2},
        {"250\r\n", false, PARSE_OK, 250, "", "", 5, 1},
        {"250 \r\n", false, PARSE_OK, 250, "", "", 6, 1},
        {"250-\r\n250\r\n", false, PARSE_OK, 250, "", " ", 11, 2},
        {"250 2.0.0\r\n", false, PARSE_OK, 250, "2.0.0", "", 11, 1},
        {"250 2.0.0x\r\n", false, PARSE_OK, 250, "", "2.0.0x", 12, 1},
        {"220 a\x01z\r\n", false, PARSE_OK, 220, "", "a?z", 9, 1},
        {"250 Ok\n", true, PARSE_OK, 250, "", "Ok", 7, 1},
        {"250 Ok\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"250-a\r\n251 b\r\n", false, PARSE_OK, 251, "", "a b", 14, 2},
        {"550-5.1.1 no\r\n550 5.1.2 user\r\n", false, PARSE_OK, 550, "5.1.2", "no user", 30, 2},
        {"550-a\r\n250 b\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"150 a\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"600 a\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"25 a\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"2500 a\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"250_a\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"\r\n", false, PARSE_MALFORMED, 0, 0, 0, 0, 0},
        {"250 a", false, PARSE_NEED_MORE, 0, 0, 0, 0, 0},
        {"250-a\r\n", false, PARSE_NEED_MORE, 0, 0, 0, 0, 0},
        {"", false, PARSE_NEED_MORE, 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct smtp_reply reply;
        size_t consumed = 0;
        const struct span input = span_from_string(rows[i].input);
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        enum parse_result result =
            smtp_reply_parse(input, rows[i].bare_lf, &arena, &reply, &consumed);
        for (int pass = 0; pass < 2; pass++) {
            if (result != rows[i].result)
                fail_msg("\"%s\": result %d", rows[i].input, result);
            if (result == PARSE_OK) {
                char status[32] = "";
                if (reply.has_status)
                    (void)snprintf(status, sizeof(status), "%u.%u.%u", reply.status.class,
                                   reply.status.subject, reply.status.detail);
                assert_int_equal(reply.code, rows[i].code);
                assert_string_equal(status, rows[i].status);
                assert_span_is(rows[i].input, reply.text, rows[i].text);
                assert_int_equal(consumed, rows[i].consumed);
                assert_int_equal(reply.line_count, rows[i].lines);
            }
            result = PARSE_NEED_MORE;
            for (size_t length = 0; length <= input.length && result == PARSE_NEED_MORE; length++)
                result = smtp_reply_parse(span_first(input, length), rows[i].bare_lf, &arena,
                                          &reply, &consumed);
        }
        arena_destroy(&arena);
    }
}

static void test_lines_of_odd_replies(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        size_t line_bytes;
        bool is_continued, is_noise;
    } rows[] = {
        {"250-a\r\n", 7, true, false},
        {"250-\n", 5, true, false},
        {"250 a\r\n", 7, false, false},
        {"250\r\n", 5, false, false},
        {"250", 0, false, false},
        {"250-a", 0, false, false},
        {"hello\r\n250 b", 7, false, true},
        {"\r\n", 2, false, true},
        {"\n", 1, false, true},
        {"25\r\n", 4, false, true},
        {"", 0, false, false},
        {"hello", 0, false, false},
        {"600-a\r\n", 7, false, false},
        {"2500-a\r\n", 8, false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t line_bytes;
        const struct span input = span_from_string(rows[i].input);
        if (smtp_reply_is_continued(input, &line_bytes) != rows[i].is_continued ||
            line_bytes != rows[i].line_bytes)
            fail_msg("\"%s\": continued, or its length", rows[i].input);
        if (smtp_reply_is_noise(input, &line_bytes) != rows[i].is_noise ||
            line_bytes != rows[i].line_bytes)
            fail_msg("\"%s\": noise, or its length", rows[i].input);
    }
}

static void test_endless_reply(void **state)
{
    (void)state;
    struct arena arena;
    struct buffer input;
    struct smtp_reply reply;
    size_t consumed;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    buffer_init(&input, NULL, 2 * SMTP_REPLY_READ_MAX_BYTES);
    while (input.length < SMTP_REPLY_READ_MAX_BYTES)
        buffer_append_string(&input, "250-more\r\n");
    assert_int_equal(smtp_reply_parse(buffer_span(&input), false, &arena, &reply, &consumed),
                     PARSE_TOO_LONG);
    buffer_release(&input);
    arena_destroy(&arena);
}

static void test_outcome_of_reply(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        enum outcome_kind kind;
        uint16_t class, subject;
    } rows[] = {
        {"250 2.1.5 Ok\r\n", OUTCOME_OK, 2, 1},
        {"354 go\r\n", OUTCOME_OK, 2, 0},
        {"450 4.2.1 busy\r\n", OUTCOME_TEMPORARY, 4, 2},
        {"550 5.1.1 no\r\n", OUTCOME_PERMANENT, 5, 1},
        {"550 4.1.1 no\r\n", OUTCOME_PERMANENT, 5, 0},
        {"421 bye\r\n", OUTCOME_TEMPORARY, 4, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct smtp_reply reply;
        size_t consumed;
        arena_init(&arena, TEST_ARENA_BYTES, 0);
        assert_int_equal(
            smtp_reply_parse(span_from_string(rows[i].input), false, &arena, &reply, &consumed),
            PARSE_OK);
        const struct outcome outcome = smtp_reply_outcome(&reply);
        assert_int_equal(outcome.kind, rows[i].kind);
        assert_int_equal(outcome.status.class, rows[i].class);
        assert_int_equal(outcome.status.subject, rows[i].subject);
        arena_destroy(&arena);
    }
}

static void test_extensions(void **state)
{
    (void)state;
    struct arena arena;
    struct smtp_reply reply;
    struct smtp_extensions extensions;
    size_t consumed;
    arena_init(&arena, TEST_ARENA_BYTES, 0);
    assert_int_equal(
        smtp_reply_parse(
            SPAN("250-mx.example greets you\r\n250-pipelining\r\n250-SIZE 1000\r\n"
                 "250-AUTH PLAIN LOGIN\r\n250-AUTH=OLD\r\n250-XYZ\r\n250 8BITMIME\r\n"),
            false, &arena, &reply, &consumed),
        PARSE_OK);
    smtp_extensions_parse(&reply, &extensions);
    assert_span_is("name", extensions.server_name, "mx.example");
    assert_span_is("mechanisms", extensions.auth_mechanisms, "PLAIN LOGIN");
    assert_true(extensions.has_pipelining && extensions.has_size && extensions.has_8bitmime &&
                extensions.has_auth);
    assert_false(extensions.has_starttls || extensions.has_dsn || extensions.has_status_codes ||
                 extensions.has_smtputf8 || extensions.has_chunking);
    assert_int_equal(extensions.size_limit, 1000);
    assert_int_equal(
        smtp_reply_parse(SPAN("250-\r\n250-SIZE\r\n250-\r\n250 ENHANCEDSTATUSCODES\r\n"), false,
                         &arena, &reply, &consumed),
        PARSE_OK);
    smtp_extensions_parse(&reply, &extensions);
    assert_true(extensions.has_size && extensions.size_limit == 0 && extensions.has_status_codes);
    assert_span_is("no name", extensions.server_name, "");
    assert_int_equal(
        smtp_reply_parse(SPAN("250-mx\r\n250-XFORWARD name ADDR FUTURE SOURCE\r\n250-CHUNKING\r\n"
                              "250 LIMITS rcptmax=100 MAILMAX=1000000 RCPTDOMAINMAX=1 NEW=;\r\n"),
                         false, &arena, &reply, &consumed),
        PARSE_OK);
    smtp_extensions_parse(&reply, &extensions);
    assert_int_equal(extensions.xforward,
                     SMTP_XFORWARD_NAME | SMTP_XFORWARD_ADDR | SMTP_XFORWARD_SOURCE);
    assert_int_equal(extensions.limits.rcpt_max, 100);
    assert_int_equal(extensions.limits.mail_max, 0); /* seven digits */
    assert_int_equal(extensions.limits.rcpt_domain_max, 1);
    smtp_extensions_discard(&extensions, SPAN("limits"));
    smtp_extensions_discard(&extensions, SPAN("chunking"));
    smtp_extensions_discard(&extensions, SPAN("no-such-keyword"));
    assert_int_equal(extensions.limits.rcpt_max, 0);
    assert_false(extensions.has_chunking);
    assert_true(extensions.xforward != 0);
    arena_destroy(&arena);
}

static void test_orcpt_in_ascii(void **state)
{
    static const char *const rows[][2] = {
        {"rfc822;a@b", "rfc822;a@b"},
        {"utf-8;\xc3\xa4@c", "utf-8;\\x{E4}@c"},
        {"utf-8;\xe2\x82\xac\xf0\x9f\x93\xae@c", "utf-8;\\x{20AC}\\x{1F4EE}@c"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buffer output;
        buffer_init(&output, NULL, 1000);
        smtp_orcpt_append_ascii(span_from_string(rows[i][0]), &output);
        assert_true(span_equals(buffer_span(&output), span_from_string(rows[i][1])));
        buffer_release(&output);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orcpt_in_ascii),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_replies_are_built),
        cmocka_unit_test(test_replies_are_read),
        cmocka_unit_test(test_lines_of_odd_replies),
        cmocka_unit_test(test_endless_reply),
        cmocka_unit_test(test_outcome_of_reply),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_bare_lf),
        cmocka_unit_test(test_dsn_parameters),
        cmocka_unit_test(test_verp),
        cmocka_unit_test(test_submission_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
