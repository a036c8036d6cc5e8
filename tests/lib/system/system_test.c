/* tests/lib/system - tasks, timers, streams over a socket pair, the thread pool. */
#include "../../test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/pool.h"
#include "system/random.h"
#include "system/stream.h"
#include "system/task.h"

static struct loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = loop_create();
    return loop ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_destroy(&loop);
    return 0;
}

struct trace {
    char text[256];
    size_t length;
    int running;
};

static void note(struct trace *trace, char mark)
{
    if (trace->length + 1 < sizeof(trace->text))
        trace->text[trace->length++] = mark;
    trace->text[trace->length] = '\0';
}

static struct trace trace;
static struct task *sleeper;

static void yielding_body(void *argument)
{
    const char mark = *(const char *)argument;
    for (int i = 0; i < 3; i++) {
        note(&trace, mark);
        task_yield();
    }
    if (--trace.running == 0)
        loop_stop(loop);
}

static void test_yield_is_round_robin(void **state)
{
    (void)state;
    trace = (struct trace){.running = 2};
    char marks[] = "ab";
    assert_non_null(task_start(loop, "a", yielding_body, &marks[0]));
    assert_non_null(task_start(loop, "b", yielding_body, &marks[1]));
    loop_run(loop);
    assert_string_equal(trace.text, "ababab");
}

static void parking_body(void *argument)
{
    (void)argument;
    note(&trace, task_park(clock_deadline_after(5)) == TASK_TIMED_OUT ? 't' : 'x');
    note(&trace, task_park(CLOCK_NEVER) == TASK_WOKEN ? 'w' : 'x');
    note(&trace, task_park(CLOCK_NEVER) == TASK_CANCELLED ? 'c' : 'x');
    note(&trace, task_sleep(1000) == TASK_CANCELLED ? 'c' : 'x');
    loop_stop(loop);
}

static void waking_body(void *argument)
{
    (void)argument;
    (void)task_sleep(20);
    task_wake(sleeper);
    task_yield();
    task_yield();
    task_cancel(sleeper);
}

static void test_park_and_wake(void **state)
{
    (void)state;
    trace = (struct trace){.running = 1};
    sleeper = task_start(loop, "sleeper", parking_body, NULL);
    assert_non_null(task_start(loop, "waker", waking_body, NULL));
    loop_run(loop);
    assert_string_equal(trace.text, "twcc");
}

static void note_waiting(void *context)
{
    note(context, 'h');
}

static void telling_body(void *argument)
{
    (void)argument;
    task_yield(); /* nobody is told yet */
    task_before_waiting(note_waiting, &trace);
    note(&trace, '1');
    task_yield();
    note(&trace, '2');
    (void)task_sleep(1);
    note(&trace, '3');
    if (task_park(0) == TASK_TIMED_OUT) /* that is no waiting */
        loop_stop(loop);
}

static void test_told_before_waiting(void **state)
{
    (void)state;
    trace = (struct trace){.running = 1};
    assert_non_null(task_start(loop, "teller", telling_body, NULL));
    loop_run(loop);
    assert_string_equal(trace.text, "1h2h3");
}

static NOINLINE void deep(int depth)
{
    volatile char page[400];
    page[0] = (char)depth;
    if (depth)
        deep(depth - 1);
    else
        task_yield();
    page[1] = page[0];
}

static void deep_body(void *argument)
{
    (void)argument;
    deep(40);
    if (--trace.running == 0)
        loop_stop(loop);
}

static void test_many_tasks_reuse_stacks(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        trace = (struct trace){.running = 500};
        for (int i = 0; i < 500; i++)
            assert_non_null(task_start(loop, "deep", deep_body, NULL));
        loop_run(loop);
        assert_int_equal(trace.running, 0);
    }
}

/* ---- streams ---- */

static int ends[2];
static char received[4096];

static void echo_reader(void *argument)
{
    struct stream stream;
    size_t count = 0;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    enum stream_result result;
    while ((result = stream_read(&stream, clock_deadline_after(2000))) == STREAM_OK) {
        const struct span input = stream_input(&stream);
        memcpy(received + count, input.bytes, input.length);
        count += input.length;
        stream_consume(&stream, input.length);
        assert_null(stream.begin || stream.end ? "window not empty" : NULL);
    }
    received[count] = '\0';
    note(&trace, result == STREAM_END ? 'e' : 'x');
    stream_close(&stream);
    loop_stop(loop);
}

static void trickle_writer(void *argument)
{
    struct stream stream;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    for (const char *at = "trickled byte by byte"; *at; at++) {
        stream_write(&stream, span_of(at, 1));
        assert_int_equal(stream_flush(&stream, clock_deadline_after(1000)), STREAM_OK);
        task_yield();
    }
    stream_close(&stream);
}

static void test_stream_trickle(void **state)
{
    (void)state;
    trace = (struct trace){.running = 1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_non_null(task_start(loop, "reader", echo_reader, NULL));
    assert_non_null(task_start(loop, "writer", trickle_writer, NULL));
    loop_run(loop);
    assert_string_equal(received, "trickled byte by byte");
    assert_string_equal(trace.text, "e");
}

enum { BULK_BYTES = 3 * 1000 * 1000 };

static void bulk_writer(void *argument)
{
    struct stream stream;
    static uint8_t chunk[100000];
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    for (int i = 0; i < BULK_BYTES / 100000; i++) {
        stream_write(&stream, span_of(chunk, sizeof(chunk)));
        assert_int_equal(stream_flush(&stream, clock_deadline_after(5000)), STREAM_OK);
    }
    stream_close(&stream);
}

static void bulk_reader(void *argument)
{
    struct stream stream;
    size_t *count = argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    while (stream_read(&stream, clock_deadline_after(5000)) == STREAM_OK) {
        *count += stream_input(&stream).length;
        stream_consume(&stream, stream_input(&stream).length);
    }
    stream_close(&stream);
    loop_stop(loop);
}

static void test_stream_bulk(void **state)
{
    (void)state;
    size_t count = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_non_null(task_start(loop, "reader", bulk_reader, &count));
    assert_non_null(task_start(loop, "writer", bulk_writer, NULL));
    loop_run(loop);
    assert_int_equal(count, BULK_BYTES);
}

static void timeout_body(void *argument)
{
    struct stream stream;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    note(&trace, stream_read(&stream, clock_deadline_after(10)) == STREAM_TIMED_OUT ? 't' : 'x');
    uint8_t byte = 'y';
    assert_int_equal(write(ends[1], &byte, 1), 1);
    note(&trace, stream_read(&stream, clock_deadline_after(1000)) == STREAM_OK ? 'o' : 'x');
    (void)close(ends[1]);
    note(&trace, stream_read(&stream, clock_deadline_after(1000)) == STREAM_END ? 'e' : 'x');
    stream_write(&stream, SPAN("into the void"));
    note(&trace, stream_flush(&stream, clock_deadline_after(1000)) == STREAM_FAILED ? 'f' : 'x');
    stream_close(&stream);
    loop_stop(loop);
}

static void test_stream_results(void **state)
{
    (void)state;
    trace = (struct trace){.running = 1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_non_null(task_start(loop, "timeout", timeout_body, NULL));
    loop_run(loop);
    assert_string_equal(trace.text, "toef");
}

/* ---- the pool ---- */

static struct pool *pool;
static pthread_t loop_thread;

static void work_in_thread(void *argument)
{
    *(bool *)argument = !pthread_equal(pthread_self(), loop_thread);
}

static void pool_body(void *argument)
{
    bool was_elsewhere = false;
    (void)argument;
    pool_run(pool, work_in_thread, &was_elsewhere);
    if (was_elsewhere)
        note(&trace, 'p');
    if (--trace.running == 0)
        loop_stop(loop);
}

static void test_pool(void **state)
{
    (void)state;
    trace = (struct trace){.running = 100};
    loop_thread = pthread_self();
    pool = pool_create(loop, 4);
    assert_non_null(pool);
    for (int i = 0; i < 100; i++)
        assert_non_null(task_start(loop, "pool", pool_body, NULL));
    loop_run(loop);
    assert_int_equal(trace.length, 100);
    assert_int_equal(pool_pending_count(pool), 0);
    pool_destroy(&pool);
    assert_null(pool);
}

enum { BLOCKING_JOBS = 4, ROUNDS = 200 };
static pthread_barrier_t barrier;
static size_t left_count;

static void meet(void *argument)
{
    (void)argument;
    (void)pthread_barrier_wait(&barrier);
}

static void meet_body(void *argument)
{
    (void)argument;
    for (size_t i = 0; i < ROUNDS; i++)
        pool_run(pool, meet, NULL);
    if (--left_count == 0)
        loop_stop(loop);
}

/* Each job waits for all others: as many threads must be awake as there are jobs, every time. */
static void test_blocking_jobs_get_a_thread_each(void **state)
{
    (void)state;
    pool = pool_create(loop, BLOCKING_JOBS);
    assert_non_null(pool);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, BLOCKING_JOBS), 0);
    left_count = BLOCKING_JOBS;
    for (size_t i = 0; i < BLOCKING_JOBS; i++)
        assert_non_null(task_start(loop, "meet", meet_body, NULL));
    loop_run(loop);
    pool_destroy(&pool);
    (void)pthread_barrier_destroy(&barrier);
}

static void test_random(void **state)
{
    (void)state;
    uint8_t first[32], second[32];
    random_bytes(first, sizeof(first));
    random_bytes(second, sizeof(second));
    assert_memory_not_equal(first, second, sizeof(first));
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(7) < 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_yield_is_round_robin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_park_and_wake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_told_before_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_tasks_reuse_stacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_trickle, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_bulk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_results, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_blocking_jobs_get_a_thread_each, set_up, tear_down),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
