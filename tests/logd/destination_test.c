/* tests/logd/destination - a file, a pipe that nobody reads, and a syslog socket that goes away. */
#include "../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../logd/destination.h"
#include "system/clock.h"

static const struct log_source source = {SPAN_LITERAL("posthouse/smtpd"), 7};
static const struct log_source own_source = {SPAN_LITERAL("posthouse/logd"), 1};

struct fixture {
    struct loop *loop;
    struct log_formatter formatter;
    struct log_destination destination;
    char directory[64];
    char path[128];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void)snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/logd-test-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    (void)snprintf(fixture->path, sizeof(fixture->path), "%s/log", fixture->directory);
    fixture->loop = loop_create();
    log_formatter_init(&fixture->formatter, LOG_FORMAT_TEXT, 2, SPAN("h"));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    log_destination_release(&fixture->destination);
    loop_destroy(&fixture->loop);
    (void)unlink(fixture->path);
    (void)rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, const char *socket_path, int descriptor)
{
    assert_true(log_destination_init(&fixture->destination, fixture->loop, &fixture->formatter,
                                     &own_source, socket_path, descriptor));
}

static void put(struct fixture *fixture, struct span text)
{
    const struct log_record record = {LOG_LEVEL_INFO, 0, text};
    log_destination_put(&fixture->destination, &source, &record);
}

static void stop_loop(void *context)
{
    loop_stop(((struct fixture *)context)->loop);
}

/* Long enough for a retry. */
static void run_for(struct fixture *fixture, int64_t time_ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, fixture->loop, stop_loop, fixture);
    loop_timer_set(&timer, clock_deadline_after(time_ms));
    loop_run(fixture->loop);
    loop_timer_release(&timer);
}

static void test_file(void **state)
{
    struct fixture *fixture = *state;
    char text[512];
    start(fixture, NULL, open(fixture->path, O_RDWR | O_CREAT | O_APPEND, 0600));
    put(fixture, SPAN("one"));
    put(fixture, SPAN("two"));
    run_for(fixture, 1);
    const ssize_t length = pread(fixture->destination.descriptor, text, sizeof(text), 0);
    assert_span_is("file", span_of(text, (size_t)length),
                   "Jan  1 00:00:00 h posthouse/smtpd[7]: one\n"
                   "Jan  1 00:00:00 h posthouse/smtpd[7]: two\n");
    assert_int_equal(fixture->destination.pending.length, 0);
}

/* Lines wait, then drop, and the count is told; no line is torn. */
static void test_slow_pipe(void **state)
{
    struct fixture *fixture = *state;
    enum { LINES = 3000 };
    static uint8_t text[3000];
    static char input[8 << 20];
    int ends[2];
    size_t length = 0, line_count = 0;
    uint64_t dropped_count;
    memset(text, 'x', sizeof(text));
    assert_int_equal(pipe(ends), 0);
    start(fixture, NULL, ends[1]);
    for (int i = 0; i < LINES; i++)
        put(fixture, span_of(text, sizeof(text)));
    dropped_count = fixture->destination.dropped_count;
    assert_true(dropped_count > 0 && dropped_count < LINES);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 2000 && line_count + dropped_count < LINES + 1; i++) {
        ssize_t count;
        fixture->destination.is_retrying = false; /* as if the timer had fired */
        log_destination_flush(&fixture->destination);
        while ((count = read(ends[0], input + length, sizeof(input) - length)) > 0)
            length += (size_t)count;
        line_count = 0;
        for (size_t j = 0; j < length; j++)
            line_count += input[j] == '\n';
    }
    assert_int_equal(line_count, LINES - dropped_count + 1);
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "posthouse/logd[1]: warning: log.dropped: lines=%llu ",
                   (unsigned long long)dropped_count);
    const struct span all = span_of(input, length);
    assert_true(span_find(all, span_from_string(expected)) < length);
    (void)close(ends[0]);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    const int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    return listener;
}

static void assert_datagram(int listener, const char *expected)
{
    char text[512];
    const ssize_t length = recv(listener, text, sizeof(text), MSG_DONTWAIT);
    assert_true(length >= 0);
    assert_span_is("datagram", span_of(text, (size_t)length), expected);
}

static void test_syslog_restarts(void **state)
{
    struct fixture *fixture = *state;
    char text[16];
    int listener;
    log_formatter_init(&fixture->formatter, LOG_FORMAT_SYSLOG, 2, SPAN("h"));
    start(fixture, fixture->path, -1);
    put(fixture, SPAN("before it is there"));
    run_for(fixture, 1);
    listener = listen_at(fixture->path);
    run_for(fixture, 400);
    assert_datagram(listener, "<22>Jan  1 00:00:00 posthouse/smtpd[7]: before it is there");
    put(fixture, SPAN("while it is there"));
    run_for(fixture, 1);
    assert_datagram(listener, "<22>Jan  1 00:00:00 posthouse/smtpd[7]: while it is there");
    (void)close(listener);
    (void)unlink(fixture->path);
    listener = listen_at(fixture->path);
    put(fixture, SPAN("to the next one"));
    run_for(fixture, 1);
    assert_datagram(listener, "<22>Jan  1 00:00:00 posthouse/smtpd[7]: to the next one");
    assert_true(recv(listener, text, sizeof(text), MSG_DONTWAIT) < 0);
    (void)close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_pipe, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_syslog_restarts, set_up, tear_down),
    };
    (void)setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
