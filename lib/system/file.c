/* system/file - see file.h. */
#include "system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

int file_pwrite_all(int descriptor, const void *bytes, size_t length, uint64_t offset)
{
    struct iovec piece;
    /* The vector is not written through; iovec has no const form. */
    piece.iov_base = (void *)(uintptr_t)bytes;
    piece.iov_len = length;
    return file_pwritev_all(descriptor, &piece, 1, offset);
}

int file_pwritev_all(int descriptor, struct iovec *pieces, int piece_count, uint64_t offset)
{
    while (piece_count > 0) {
        if (pieces->iov_len == 0) {
            pieces++;
            piece_count--;
            continue;
        }
        const ssize_t count = pwritev(descriptor, pieces, piece_count, (off_t)offset);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            if (count == 0)
                errno = ENOSPC;
            return -1;
        }
        offset += (uint64_t)count;
        size_t left = (size_t)count;
        while (piece_count > 0 && left >= pieces->iov_len) {
            left -= pieces->iov_len;
            pieces++;
            piece_count--;
        }
        if (piece_count > 0) {
            pieces->iov_base = (uint8_t *)pieces->iov_base + left;
            pieces->iov_len -= left;
        }
    }
    return 0;
}

ssize_t file_pread_upto(int descriptor, void *bytes, size_t length, uint64_t offset)
{
    size_t done = 0;
    while (done < length) {
        const ssize_t count =
            pread(descriptor, (uint8_t *)bytes + done, length - done, (off_t)(offset + done));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

int file_pread_all(int descriptor, void *bytes, size_t length, uint64_t offset)
{
    const ssize_t count = file_pread_upto(descriptor, bytes, length, offset);
    if (count >= 0 && (size_t)count < length) {
        errno = EIO;
        return -1;
    }
    return count < 0 ? -1 : 0;
}

int file_read_whole(int directory, const char *path, size_t maximum_bytes, struct arena *arena,
                    struct span *contents)
{
    const int descriptor = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat facts;
    int result = -1;
    if (descriptor < 0)
        return -1;
    if (fstat(descriptor, &facts) != 0)
        goto done;
    if (facts.st_size < 0 || (uintmax_t)facts.st_size > maximum_bytes) {
        errno = EFBIG;
        goto done;
    }
    uint8_t *bytes = arena_alloc(arena, (size_t)facts.st_size);
    if (!bytes) {
        errno = ENOMEM;
        goto done;
    }
    const ssize_t count = file_pread_upto(descriptor, bytes, (size_t)facts.st_size, 0);
    if (count < 0)
        goto done;
    *contents = span_of(bytes, (size_t)count);
    result = 0;
done:
    file_close(descriptor);
    return result;
}

int file_rename(int from_directory, const char *from, int to_directory, const char *to)
{
    int result = renameat(from_directory, from, to_directory, to);
    if (result == 0 || errno != EINTR)
        return result;
    do
        result = renameat(from_directory, from, to_directory, to);
    while (result != 0 && errno == EINTR);
    if (result == 0 || errno != ENOENT)
        return result;
    struct stat facts;
    return fstatat(to_directory, to, &facts, AT_SYMLINK_NOFOLLOW);
}

int file_set_nonblocking(int descriptor)
{
    const int flags = fcntl(descriptor, F_GETFL);
    return flags < 0 ? -1 : fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int file_set_close_on_exec(int descriptor, int is_closed)
{
    return fcntl(descriptor, F_SETFD, is_closed ? FD_CLOEXEC : 0);
}

size_t file_descriptor_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

void file_close(int descriptor)
{
    const int saved = errno;
    if (descriptor >= 0)
        (void)close(descriptor); /* the descriptor is gone whatever close says */
    errno = saved;
}
