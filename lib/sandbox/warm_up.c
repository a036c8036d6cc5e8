/* sandbox/warm_up - have the C library do early what it does late and by opening files.
 * Interface: sandbox_warm_up_common(). Each line stands for a death inside a sandbox. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/sandbox_private.h"

enum { BLOCK_COUNT = 64, BLOCK_BYTES = 32 * 1024 };

/* Without a number of its own glibc counts the processors in /sys when a ninth thread asks for
 * memory. Threads of ours write and flush, and seldom allocate. */
enum { HEAPS_MAX = 8 };

/* A heap beside the first one shrinks when much of it is given back, and glibc then asks
 * /proc/sys/vm/overcommit_memory, once, how. A thread that leaves loads the unwinder (libgcc_s). */
static void *warm_up_thread(void *unused)
{
    (void)unused;
    void *blocks[BLOCK_COUNT];
    for (size_t i = 0; i < BLOCK_COUNT; i++)
        blocks[i] = malloc(BLOCK_BYTES);
    for (size_t i = BLOCK_COUNT; i-- > 0;)
        free(blocks[i]);
    pthread_exit(NULL);
}

void sandbox_warm_up_common(void)
{
    /* With TZ set, localtime() reads the file once instead of looking at it every time. */
    if (!getenv("TZ"))
        (void)setenv("TZ", ":/etc/localtime", 0);
    tzset();
    const time_t now = time(NULL);
    struct tm broken_down;
    (void)localtime_r(&now, &broken_down);

    uint8_t random_byte;
    while (getrandom(&random_byte, 1, 0) < 0 && errno == EINTR)
        continue; /* waits here, not later, for a pool that is not yet filled */
    (void)sysconf(_SC_PHYS_PAGES);

    (void)mallopt(M_ARENA_MAX, HEAPS_MAX);
    pthread_t thread;
    if (pthread_create(&thread, NULL, warm_up_thread, NULL) == 0)
        (void)pthread_join(thread, NULL);
}
