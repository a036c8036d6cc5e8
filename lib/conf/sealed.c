/* conf/sealed - settings as a sealed memory file, and reading such files. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/instance.h"
#include "conf/private.h"

bool conf_read_descriptor(int fd, size_t limit_bytes, struct arena *arena, struct span *text)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
        return false;
    }
    if ((uint64_t)status.st_size > limit_bytes) {
        errno = EFBIG;
        return false;
    }
    const size_t size = (size_t)status.st_size;
    uint8_t *bytes = arena_alloc(arena, size ? size : 1);
    if (!bytes) {
        errno = ENOMEM;
        return false;
    }
    size_t length = 0;
    while (length < size) {
        const ssize_t count = pread(fd, bytes + length, size - length, (off_t)length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return false;
        if (count == 0)
            break; /* it shrank meanwhile */
        length += (size_t)count;
    }
    *text = span_of(bytes, length);
    return true;
}

int conf_seal(struct span text, const char *name)
{
    const int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    while (text.length > 0) {
        const ssize_t count = write(fd, text.bytes, text.length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            goto failed;
        text = span_after(text, (size_t)count);
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        goto failed;
    return fd;
failed:;
    const int saved_errno = errno;
    (void)close(fd); /* nothing was in it that matters */
    errno = saved_errno;
    return -1;
}
