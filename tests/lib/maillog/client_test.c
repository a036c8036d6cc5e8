/* tests/lib/maillog/client - lines on their way to logd: in time, in order, and bounded. */
#include "../../test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "maillog/client.h"

enum { LINE_BYTES = 200 };

static struct loop *loop;
static struct maillog log_of_a_daemon;
static struct maillog_client client;
static int logd_end;

static int set_up(void **state)
{
    (void)state;
    int ends[2];
    loop = loop_create();
    if (!loop || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0)
        return -1;
    maillog_client_init(&client, loop, &log_of_a_daemon, SPAN("posthouse/test"));
    maillog_client_attach(&client, ends[0]);
    logd_end = ends[1];
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    maillog_client_detach(&client);
    buffer_release(&log_of_a_daemon.batch);
    close(logd_end);
    loop_destroy(&loop);
    return 0;
}

static void write_lines(size_t bytes)
{
    static const char text[LINE_BYTES] = "";
    for (size_t i = 0; i < bytes / LINE_BYTES; i++)
        maillog_text(&log_of_a_daemon, LOG_LEVEL_INFO, span_empty(), "%zu %*s", i, LINE_BYTES - 10,
                     text);
}

static size_t read_all(void)
{
    static uint8_t packet[1 << 17];
    size_t total = 0;
    ssize_t length;
    while ((length = recv(logd_end, packet, sizeof(packet), 0)) > 0)
        total += (size_t)length;
    return total;
}

/* One turn of the loop may write more than a channel holds: logd gets to work at once. */
static void test_much_in_one_turn(void **state)
{
    (void)state;
    write_lines(3 << 19);
    assert_true(read_all() > 0);
    assert_int_equal(log_of_a_daemon.dropped_count, 0);
}

/* With a logd that reads nothing lines are kept up to a bound, and counted from there on. */
static void test_nobody_reads(void **state)
{
    (void)state;
    write_lines(8 << 20);
    assert_true(log_of_a_daemon.dropped_count > 0);
    assert_true(log_of_a_daemon.batch.length <= 1 << 20);
    const uint64_t dropped = log_of_a_daemon.dropped_count;
    write_lines(LINE_BYTES * 10);
    assert_int_equal(log_of_a_daemon.dropped_count, dropped + 10);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_much_in_one_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nobody_reads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
