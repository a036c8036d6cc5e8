/* tests/qmgr/clog - one destination that fills the active set, which may be as small as one
 * message. */
#include "../test.h"

#include "qmgr/clog.h"

#define MORE_AT_ONCE                                                                               \
    "smtp_destination_concurrency_limit, the time-outs of smtp, or a transport of its own may "    \
    "help"
#define MORE_ROOM "a larger qmgr_message_active_limit, or shorter time-outs of smtp, may help"

static void test_texts(void **state)
{
    static const struct {
        size_t waiting, in_flight, total;
        const char *text; /* NULL: it is not this one that fills it */
    } rows[] = {
        {0, 0, 0, NULL},
        {0, 0, 1, NULL},
        {0, 0, 4, NULL},
        {0, 1, 1, "mail for a.test is using up 1 of 1 recipients in the active queue; " MORE_ROOM},
        {1, 0, 1,
         "mail for a.test is using up 1 of 1 recipients in the active queue; " MORE_AT_ONCE},
        {0, 1, 2, NULL},
        {1, 1, 2,
         "mail for a.test is using up 2 of 2 recipients in the active queue; " MORE_AT_ONCE},
        {1, 1, 3, NULL},
        {1, 2, 4, NULL},
        {3, 1, 5,
         "mail for a.test is using up 4 of 5 recipients in the active queue; " MORE_AT_ONCE},
        {4, 3, 9, NULL},
        {0, 10, 10,
         "mail for a.test is using up 10 of 10 recipients in the active queue; " MORE_ROOM},
        {7, 1, 10,
         "mail for a.test is using up 8 of 10 recipients in the active queue; " MORE_AT_ONCE},
        {15000, 20, 20000, NULL},
        {15980, 20, 20000,
         "mail for a.test is using up 16000 of 20000 recipients in the active "
         "queue; " MORE_AT_ONCE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct clog clog = {.destination = "a.test",
                                  .transport = "smtp",
                                  .waiting_count = rows[i].waiting,
                                  .in_flight_count = rows[i].in_flight,
                                  .total_count = rows[i].total,
                                  .limit = "qmgr_message_active_limit"};
        struct buffer text;
        buffer_init(&text, NULL, 1024);
        if (clog_is_one(&clog) != (rows[i].text != NULL))
            fail_msg("row %zu", i);
        clog_append_text(&clog, &text);
        assert_true(buffer_ok(&text));
        if (rows[i].text && !span_equals(buffer_span(&text), span_from_string(rows[i].text)))
            fail_msg("row %zu: %.*s", i, SPAN_PRINTF(buffer_span(&text)));
        buffer_release(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
