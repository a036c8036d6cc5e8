/* local/maildir_open - see maildir_open.h. */
#include "maildir_open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "quota.h"
#include "system/file.h"

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

enum maildir_path_result maildir_place_set_path(struct maildir_place *place, struct span path)
{
    while (path.length > 0 && path.bytes[0] == '/')
        path = span_after(path, 1);
    while (path.length > 0 && path.bytes[path.length - 1] == '/')
        path.length--;
    if (path.length > MAILDIR_PATH_MAX_BYTES)
        return MAILDIR_PATH_TOO_LONG;
    if (path.length == 0)
        return MAILDIR_PATH_REFUSED;
    for (size_t i = 0; i < path.length; i++)
        if (path.bytes[i] < ' ' || path.bytes[i] == 0x7f)
            return MAILDIR_PATH_REFUSED;
    struct span rest = path, component;
    for (bool has_more = true; has_more;) {
        has_more = span_split_once(rest, '/', &component, &rest);
        if (span_is_empty(component) || span_equals(component, SPAN(".")) ||
            span_equals(component, SPAN("..")))
            return MAILDIR_PATH_REFUSED;
    }
    memcpy(place->path, path.bytes, path.length);
    place->path[path.length] = '\0';
    return MAILDIR_PATH_OK;
}

/* O_PATH would do for most, but directories are also flushed and listed. */
static int open_directory(int base, const char *path, bool is_confined)
{
    const struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                                 .resolve =
                                     RESOLVE_NO_MAGICLINKS | (is_confined ? RESOLVE_BENEATH : 0)};
    return (int)syscall(SYS_openat2, base, path, &how, sizeof(how));
}

int maildir_open_part(const struct maildir *mailbox, const char *name, bool is_confined)
{
    return open_directory(mailbox->directory, name, is_confined);
}

/* Makes the directory where it is missing, and its name durable: a message's own flush would do
 * that on some file systems and not on others, and this happens once per mailbox. */
static int make_directory(int parent, const char *name)
{
    if (mkdirat(parent, name, 0700) != 0)
        return errno == EEXIST ? 0 : -1;
    return fsync(parent);
}

static int open_or_make(int parent, const char *name, bool is_confined)
{
    int directory = open_directory(parent, name, is_confined);
    if (directory < 0 && errno == ENOENT && make_directory(parent, name) == 0)
        directory = open_directory(parent, name, is_confined);
    return directory;
}

/* Step by step, each below the one before; only taken when opening the whole path failed. */
static int make_path(const struct maildir_place *place, const char *end)
{
    char component[MAILDIR_PATH_MAX_BYTES + 1];
    const char *rest = place->path;
    int directory = fcntl(place->base, F_DUPFD_CLOEXEC, 0);
    while (directory >= 0 && rest < end) {
        const char *slash = strchr(rest, '/');
        const size_t length = slash ? (size_t)(slash - rest) : strlen(rest);
        memcpy(component, rest, length);
        component[length] = '\0';
        const int next = open_or_make(directory, component, place->is_confined);
        file_close(directory);
        directory = next;
        rest += length + (slash ? 1 : 0);
    }
    return directory;
}

int maildir_open_parent(const struct maildir_place *place, const char **name)
{
    const char *slash = strrchr(place->path, '/');
    *name = slash ? slash + 1 : place->path;
    return make_path(place, *name);
}

/* On these, flushing a file makes durable all that was done to its names before: ext4 and xfs put
 * both into one log, btrfs logs the names with the file (measured by simulated power cuts). tmpfs
 * keeps nothing anyway. */
static bool flushes_names_with_files(long type)
{
    return type == EXT4_SUPER_MAGIC || type == XFS_SUPER_MAGIC || type == BTRFS_SUPER_MAGIC ||
           type == TMPFS_MAGIC;
}

static int check_directory(struct maildir *mailbox, const struct maildir_place *place)
{
    struct stat status;
    struct statfs space;
    if (fstat(mailbox->directory, &status) != 0 || fstatfs(mailbox->directory, &space) != 0)
        return -1;
    if (place->owner != MAILDIR_ANY_OWNER && status.st_uid != place->owner) {
        errno = EPERM;
        return -1;
    }
    mailbox->device = status.st_dev;
    mailbox->needs_directory_sync = !flushes_names_with_files((long)space.f_type);
    return 0;
}

static int open_parts(struct maildir *mailbox, bool is_confined)
{
    if ((mailbox->tmp = open_or_make(mailbox->directory, "tmp", is_confined)) < 0 ||
        (mailbox->new = open_or_make(mailbox->directory, "new", is_confined)) < 0)
        return -1;
    const int cur = open_or_make(mailbox->directory, "cur", is_confined);
    file_close(cur);
    if (cur < 0)
        return -1;
    mailbox->has_quota_file = quota_has_file(mailbox->directory);
    return 0;
}

int maildir_open(struct maildir *mailbox, const struct maildir_place *place)
{
    *mailbox = (struct maildir){.directory = -1, .tmp = -1, .new = -1};
    mailbox->directory = open_directory(place->base, place->path, place->is_confined);
    if (mailbox->directory < 0 && errno == ENOENT)
        mailbox->directory = make_path(place, place->path + strlen(place->path));
    if (mailbox->directory >= 0 && check_directory(mailbox, place) == 0 &&
        open_parts(mailbox, place->is_confined) == 0)
        return 0;
    const int saved_errno = errno;
    maildir_close(mailbox);
    errno = saved_errno;
    return -1;
}

void maildir_close(struct maildir *mailbox)
{
    file_close(mailbox->directory);
    file_close(mailbox->tmp);
    file_close(mailbox->new);
    mailbox->directory = mailbox->tmp = mailbox->new = -1;
}
