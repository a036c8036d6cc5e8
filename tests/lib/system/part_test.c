/* tests/lib/system/part - a part answers over its channel, sees that its other side is gone, and
 * has random bytes of its own. */
#include "../../test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/file.h"
#include "system/part.h"
#include "system/random.h"

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

static void send_random(void *context, int descriptor)
{
    uint8_t bytes[16];
    (void)context;
    random_bytes(bytes, sizeof(bytes));
    _exit(write(descriptor, bytes, sizeof(bytes)) == sizeof(bytes) ? EXIT_SUCCESS : 2);
}

/* Keys, salts and nonces of processes that were forked from one are not the same. */
static void test_random_is_its_own(void **state)
{
    uint8_t bytes[3][16];
    int status;
    (void)state;
    random_bytes(bytes[0], sizeof(bytes[0])); /* whatever is fetched ahead is there now */
    for (int i = 0; i < 2; i++) {
        const int descriptor = part_fork(send_random, NULL);
        assert_int_equal(read(descriptor, bytes[i], sizeof(bytes[i])), sizeof(bytes[i]));
        file_close(descriptor);
        assert_true(wait(&status) > 0);
    }
    random_bytes(bytes[2], sizeof(bytes[2]));
    assert_memory_not_equal(bytes[0], bytes[1], sizeof(bytes[0]));
    assert_memory_not_equal(bytes[0], bytes[2], sizeof(bytes[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life),
                                       cmocka_unit_test(test_random_is_its_own)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
