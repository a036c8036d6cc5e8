/* tests/logd/order - lines that come late stand where they belong. */
#include "../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../logd/order.h"

static struct loop *loop;
static struct log_destination destination;
static struct log_order order;
static char path[] = "/tmp/posthouse-order-XXXXXX";

static void put(const char *tag, uint64_t time_us, const char *text)
{
    const struct log_source source = {span_from_string(tag), 7};
    const struct log_record record = {LOG_LEVEL_INFO, time_us, span_from_string(text)};
    log_order_put(&order, &source, &record);
}

static void test_sorted_by_time(void **state)
{
    (void)state;
    static const struct log_source own = {SPAN_LITERAL("posthouse/logd"), 1};
    struct log_formatter formatter;
    static char written[4096];
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    loop = loop_create();
    assert_non_null(loop);
    log_formatter_init(&formatter, LOG_FORMAT_TEXT, 2, SPAN("host"));
    assert_true(log_destination_init(&destination, loop, &formatter, &own, NULL,
                                     fcntl(descriptor, F_DUPFD_CLOEXEC, 0)));
    log_order_init(&order, loop, &destination);
    put("posthouse/virtual", 3000000, "third");
    put("posthouse/virtual", 4000000, "fourth");
    put("posthouse/qmgr", 1000000, "first");
    put("posthouse/qmgr", 3000000, "third, too");
    put("posthouse/smtpd", 2000000, "second");
    log_order_flush(&order);
    log_destination_flush(&destination);
    assert_true(pread(descriptor, written, sizeof(written) - 1, 0) > 0);
    const char *const expected[] = {"qmgr[7]: first", "smtpd[7]: second", "virtual[7]: third\n",
                                    "qmgr[7]: third, too", "virtual[7]: fourth"};
    const char *at = written;
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        const char *found = strstr(at, expected[i]);
        if (!found)
            fail_msg("\"%s\" is missing or out of order in:\n%s", expected[i], written);
        at = found;
    }
    log_order_release(&order);
    log_destination_release(&destination);
    loop_destroy(&loop);
    (void)close(descriptor);
    (void)unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sorted_by_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
