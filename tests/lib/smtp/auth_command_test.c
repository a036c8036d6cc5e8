/* tests/lib/smtp/auth_command - AUTH and responses, whole and byte by byte. */
#include "../../test.h"

#include "smtp/auth_command.h"

enum { RESPONSE_MAX_BYTES = 64 };

static void test_commands(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *argument;
        enum smtp_auth_result result;
        const char *mechanism;
        const char *response; /* NULL: there is none */
    } rows[] = {
        {"no response", "LOGIN", SMTP_AUTH_OK, "LOGIN", NULL},
        {"a response", "PLAIN AGEAYg==", SMTP_AUTH_OK, "PLAIN", "?a?b"},
        {"an empty response", "EXTERNAL =", SMTP_AUTH_OK, "EXTERNAL", ""},
        {"lower case", "scram-sha-256 bg==", SMTP_AUTH_OK, "scram-sha-256", "n"},
        {"spaces between", "PLAIN   AGEAYg==", SMTP_AUTH_OK, "PLAIN", "?a?b"},
        {"nothing", "", SMTP_AUTH_BAD_SYNTAX, NULL, NULL},
        {"a third word", "PLAIN AGEAYg== x", SMTP_AUTH_BAD_SYNTAX, NULL, NULL},
        {"no mechanism", "PL!IN", SMTP_AUTH_BAD_SYNTAX, NULL, NULL},
        {"a long mechanism", "A23456789012345678901", SMTP_AUTH_BAD_SYNTAX, NULL, NULL},
        {"padding in the middle", "PLAIN AA==BB==", SMTP_AUTH_BAD_BASE64, NULL, NULL},
        {"padding at the beginning", "PLAIN =AAA", SMTP_AUTH_BAD_BASE64, NULL, NULL},
        {"no base64", "PLAIN *", SMTP_AUTH_BAD_BASE64, NULL, NULL},
        {"too long",
         "PLAIN "
         "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhY"
         "WFh",
         SMTP_AUTH_BAD_BASE64, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct smtp_auth_command command;
        struct buffer response;
        buffer_init(&response, NULL, RESPONSE_MAX_BYTES);
        const enum smtp_auth_result result =
            smtp_auth_parse(span_from_string(rows[i].argument), &command, &response);
        if (result != rows[i].result)
            fail_msg("%s: %d", rows[i].name, (int)result);
        if (result == SMTP_AUTH_OK) {
            assert_span_is(rows[i].name, command.mechanism, rows[i].mechanism);
            assert_int_equal(command.has_response, rows[i].response != NULL);
            for (size_t byte = 0; byte < response.length; byte++)
                if (response.bytes[byte] == 0)
                    response.bytes[byte] = '?';
            assert_span_is(rows[i].name, buffer_span(&response),
                           rows[i].response ? rows[i].response : "");
        }
        buffer_release(&response);
    }
}

static void test_responses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *input;
        enum smtp_auth_result result;
        size_t consumed_bytes;
        const char *response;
    } rows[] = {
        {"a response", "Ym9i\r\nMAIL", SMTP_AUTH_OK, 6, "bob"},
        {"an empty response", "\r\n", SMTP_AUTH_OK, 2, ""},
        {"given up", "*\r\n", SMTP_AUTH_CANCELLED, 3, ""},
        {"a space", "Ym9i \r\n", SMTP_AUTH_BAD_BASE64, 7, ""},
        {"no base64", "bob!\r\n", SMTP_AUTH_BAD_BASE64, 6, ""},
        {"an equals sign alone", "=\r\n", SMTP_AUTH_BAD_BASE64, 3, ""},
        {"a bare LF", "Ym9i\n", SMTP_AUTH_BAD_BASE64, 5, ""},
        {"only a LF", "\n", SMTP_AUTH_BAD_BASE64, 1, ""},
        {"not all of it", "Ym9i\r", SMTP_AUTH_NEED_MORE, 0, ""},
        {"as long as may be", "YWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n", SMTP_AUTH_OK, 30,
         "aaaaaaaaaaaaaaaaaaaaa"},
        {"too long", "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n", SMTP_AUTH_TOO_LONG, 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span input = span_from_string(rows[i].input);
        for (size_t known = 0; known <= input.length; known++) {
            struct buffer response;
            size_t consumed = 0;
            buffer_init(&response, NULL, RESPONSE_MAX_BYTES);
            const enum smtp_auth_result result =
                smtp_auth_response_parse(span_first(input, known), 30, false, &response, &consumed);
            const bool is_whole = known >= rows[i].consumed_bytes &&
                                  (rows[i].result != SMTP_AUTH_TOO_LONG || known >= 30);
            if (result != (is_whole ? rows[i].result : SMTP_AUTH_NEED_MORE))
                fail_msg("%s, %zu bytes: %d", rows[i].name, known, (int)result);
            if (result == rows[i].result)
                assert_int_equal(consumed, rows[i].consumed_bytes);
            if (result == SMTP_AUTH_OK)
                assert_span_is(rows[i].name, buffer_span(&response), rows[i].response);
            buffer_release(&response);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_responses),
    };
    return cmocka_run_group_tests_name("smtp/auth_command", tests, NULL, NULL);
}
