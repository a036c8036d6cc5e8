/* tests/lib/system/watchdog - who hangs ends, and who works on does not. */
#include "../../test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/watchdog.h"

enum { LONG_MS = 3600 * 1000 };

static struct watchdog watchdog;

/* How a process ends that does this under the watchdog's eye. */
static int exit_code_of(void (*work)(void), int64_t limit_ms)
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (!watchdog_start(&watchdog, limit_ms))
            _exit(99);
        work();
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void hang(void)
{
    watchdog_set(&watchdog, true);
    for (;;)
        (void)pause();
}

static void hang_at_the_second_time(void)
{
    watchdog_set(&watchdog, true);
    watchdog_set(&watchdog, false);
    hang();
}

static void work_on(void)
{
    for (int i = 0; i < 10000; i++) {
        watchdog_set(&watchdog, true);
        watchdog_set(&watchdog, false);
    }
}

/* The thread waits for what has ended by now, and minds only what is being done. */
static void rest(void)
{
    watchdog_set(&watchdog, true);
    watchdog_set(&watchdog, false);
    (void)sleep(2);
}

static void test_ends(void **state)
{
    static const struct {
        const char *name;
        void (*work)(void);
        int64_t limit_ms;
        int exit_code;
    } rows[] = {
        {"a hanging piece of work", hang, 1, EXIT_FAILURE},
        {"the second one hangs", hang_at_the_second_time, 1, EXIT_FAILURE},
        {"many short ones", work_on, LONG_MS, EXIT_SUCCESS},
        {"nothing to do for long", rest, 1, EXIT_SUCCESS},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const int code = exit_code_of(rows[i].work, rows[i].limit_ms);
        if (code != rows[i].exit_code)
            fail_msg("%s: exit code %d", rows[i].name, code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
