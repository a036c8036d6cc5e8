/* tests/lib/system/part - a part answers over its channel, and sees that its other side is gone. */
#include "../../test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/file.h"
#include "system/part.h"

/* Adds its context to each byte until there are no more. */
static void run(void *context, int descriptor)
{
    unsigned char byte;
    while (read(descriptor, &byte, 1) == 1) {
        byte = (unsigned char)(byte + *(const int *)context);
        if (write(descriptor, &byte, 1) != 1)
            _exit(2);
    }
    _exit(EXIT_SUCCESS);
}

static void test_life(void **state)
{
    int context = 1, status = -1;
    unsigned char byte = 'a';
    (void)state;
    const int descriptor = part_fork(run, &context);
    assert_true(descriptor >= 0);
    context = 100; /* the part has its own */
    assert_int_equal(write(descriptor, &byte, 1), 1);
    assert_int_equal(read(descriptor, &byte, 1), 1);
    assert_int_equal(byte, 'b');
    file_close(descriptor);
    assert_true(wait(&status) > 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
