/* tests/harness/clock - a clock that a test can set, for LD_PRELOAD: the system's plus an offset of
 * seconds, which stands in the first eight bytes of the file $TEST_CLOCK. The file is mapped before
 * the daemon closes itself in, so no system call is needed later. Clocks that nobody can set go on
 * as they do. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset_s;

__attribute__((constructor)) static void map_offset(void)
{
    const char *path = getenv("TEST_CLOCK");
    const int descriptor = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = descriptor < 0 ? MAP_FAILED
                                : mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, descriptor, 0);
    if (page != MAP_FAILED)
        offset_s = page;
    if (descriptor >= 0)
        (void)close(descriptor);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    const long result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && clock == CLOCK_REALTIME && offset_s)
        now->tv_sec += *offset_s;
    return (int)result;
}

time_t time(time_t *result)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec precise;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &precise);
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return 0;
}
