/* system/part - see part.h. */
#include "system/part.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "system/file.h"

int part_fork(void (*run)(void *context, int descriptor), void *context)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const pid_t child = fork();
    if (child == 0) {
        file_close(ends[0]); /* or the part would not see that we are gone */
        run(context, ends[1]);
        _exit(EXIT_FAILURE);
    }
    const int error = errno;
    file_close(ends[1]);
    if (child < 0) {
        file_close(ends[0]);
        errno = error;
        return -1;
    }
    return ends[0];
}
