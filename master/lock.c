/* master/lock - see lock.h. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

/* Whoever may read a file may lock it against its writers: anybody could keep us from starting. */
enum { MODE_OWNER = 0600 };

int lock_take(int pid_directory, pid_t *holder)
{
    char text[32];
    *holder = 0;
    const int descriptor = openat(pid_directory, "master.pid",
                                  O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, MODE_OWNER);
    if (descriptor < 0 || fchmod(descriptor, MODE_OWNER) != 0) {
        file_close(descriptor);
        return -1;
    }
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_SETLK, &lock) != 0) {
        if ((errno == EAGAIN || errno == EACCES) && fcntl(descriptor, F_GETLK, &lock) == 0 &&
            lock.l_type != F_UNLCK)
            *holder = lock.l_pid;
        file_close(descriptor);
        return -1;
    }
    const int length = snprintf(text, sizeof(text), "%8d\n", (int)getpid());
    if (ftruncate(descriptor, 0) != 0 ||
        file_pwrite_all(descriptor, text, (size_t)length, 0) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

bool lock_is_held(int pid_directory)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int descriptor =
        openat(pid_directory, "master.pid", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
    const bool is_held =
        descriptor >= 0 && fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    file_close(descriptor);
    return is_held;
}
