/* local/earlier - see earlier.h. */
#include "earlier.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"

enum { COMPARE_BYTES = 1024 };

/* The name of the first entry with that base. False: none, or errno is set. */
static bool find_entry(int directory, struct span base, char name[MAILDIR_NAME_MAX_BYTES + 1])
{
    bool is_found = false;
    const int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        const int saved_errno = errno;
        file_close(copy);
        errno = saved_errno;
        return false;
    }
    for (const struct dirent *entry; !is_found && (errno = 0, entry = readdir(stream));) {
        const size_t length = strlen(entry->d_name);
        if (length <= MAILDIR_NAME_MAX_BYTES &&
            maildir_name_has_base(span_of(entry->d_name, length), base)) {
            memcpy(name, entry->d_name, length + 1);
            is_found = true;
        }
    }
    const int saved_errno = is_found ? 0 : errno;
    (void)closedir(stream);
    errno = saved_errno;
    return is_found;
}

static bool have_same_bytes(int left, int right, uint64_t size_bytes)
{
    uint8_t left_bytes[COMPARE_BYTES], right_bytes[COMPARE_BYTES];
    for (uint64_t done = 0; done < size_bytes;) {
        const uint64_t rest = size_bytes - done;
        const size_t count = rest < COMPARE_BYTES ? (size_t)rest : COMPARE_BYTES;
        if (file_pread_all(left, left_bytes, count, done) != 0 ||
            file_pread_all(right, right_bytes, count, done) != 0 ||
            memcmp(left_bytes, right_bytes, count) != 0)
            return false;
        done += count;
    }
    return true;
}

/* Opens the entry and says whether it is to stay. -1: it cannot be read, or is no file. */
static int open_if_whole(int directory, const char *name, uint64_t size_bytes, int ours,
                         bool *is_whole)
{
    struct stat status;
    const int theirs = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (theirs < 0)
        return -1;
    if (fstat(theirs, &status) != 0 || !S_ISREG(status.st_mode)) {
        file_close(theirs);
        errno = EEXIST;
        return -1;
    }
    const uint64_t their_size = (uint64_t)status.st_size;
    *is_whole = their_size > size_bytes ||
                (their_size == size_bytes && have_same_bytes(ours, theirs, size_bytes));
    return theirs;
}

static enum earlier_result resolve_in(int directory, struct span base,
                                      const struct maildir *mailbox, const char *tmp_name,
                                      uint64_t size_bytes, struct maildir_file *file)
{
    char name[MAILDIR_NAME_MAX_BYTES + 1];
    bool is_whole = false;
    if (!find_entry(directory, base, name))
        return errno ? EARLIER_FAILED : EARLIER_ABSENT;
    const int theirs = open_if_whole(directory, name, size_bytes, file->descriptor, &is_whole);
    if (theirs < 0)
        return errno == ENOENT ? EARLIER_ABSENT : EARLIER_FAILED; /* its owner was quicker */
    if (is_whole) {
        /* It may not have been flushed when the earlier attempt was cut short: it will be now. */
        file_close(file->descriptor);
        file->descriptor = theirs;
    } else {
        file_close(theirs);
        if (renameat(mailbox->tmp, tmp_name, directory, name) != 0)
            return EARLIER_FAILED;
    }
    file->name[0] = '\0';
    if (directory == mailbox->new)
        memcpy(file->name, name, sizeof(name));
    return is_whole ? EARLIER_KEPT : EARLIER_REPLACED;
}

enum earlier_result earlier_resolve(const struct maildir *mailbox, bool is_confined,
                                    struct span base, const char *tmp_name, uint64_t size_bytes,
                                    struct maildir_file *file)
{
    char name[sizeof(file->name)];
    memcpy(name, file->name, sizeof(name));
    /* cur/ after new/: a message that moves meanwhile goes that way, and is not missed. */
    enum earlier_result result =
        resolve_in(mailbox->new, base, mailbox, tmp_name, size_bytes, file);
    if (result != EARLIER_ABSENT)
        return result;
    const int cur = maildir_open_part(mailbox, "cur", is_confined);
    if (cur < 0)
        return EARLIER_FAILED;
    result = resolve_in(cur, base, mailbox, tmp_name, size_bytes, file);
    if ((result == EARLIER_KEPT || result == EARLIER_REPLACED) && mailbox->needs_directory_sync &&
        fsync(cur) != 0)
        result = EARLIER_FAILED;
    file_close(cur);
    return result;
}
