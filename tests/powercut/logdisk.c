/* tests/powercut/logdisk - a disk that remembers: serves one image file and logs what happens to
 * it.
 *
 * A FUSE mount with two files. "disk" is the image: a loop device stands on it, so every block
 * write, discard and flush of the file system above arrives here, is applied and is appended to the
 * log, in order. "mark" takes lines: each write to it becomes a record of the same log, so that a
 * workload can say "message X is acknowledged" at a known place between the disk's writes.
 *
 * Usage: logdisk IMAGE LOG MOUNTPOINT   (stays in the foreground; ends on SIGTERM or unmount)
 * Callers: tests/powercut/powercut.py, which also reads the log. */
#define FUSE_USE_VERSION 35
#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { INODE_DISK = 2, INODE_MARK = 3 };
enum { WRITE_MAX_BYTES = 1 << 20 };
/* Nothing but this program changes the files, so the kernel may believe what it knows for long. */
static const double ATTRIBUTE_TIMEOUT_S = 3600.0;

/* A record of the log: this header (host byte order), then the bytes of a write or of a mark. */
struct log_record {
    uint64_t type; /* one of enum log_type */
    uint64_t sequence;
    uint64_t time_ns;
    uint64_t offset;
    uint64_t length;
};
enum log_type {
    LOG_WRITE = 'W', /* bytes follow */
    LOG_ZERO = 'Z',  /* a discarded or zeroed range; nothing follows */
    LOG_FLUSH = 'F', /* what was written before is durable from here on */
    LOG_MARK = 'M',  /* a line of the workload follows */
    LOG_END = 'E',   /* the log is complete */
};

struct logdisk {
    int image_fd;
    int log_fd;
    uint64_t sequence;
    off_t size_bytes;
    bool has_failed; /* the log is no longer to be trusted: every later request fails */
    uint8_t *read_buffer;
};

/* at: the place to write to, or -1 to append. */
static bool write_fully(int fd, const void *data, size_t length, off_t at)
{
    const uint8_t *bytes = data;
    while (length > 0) {
        const ssize_t written = at < 0 ? write(fd, bytes, length) : pwrite(fd, bytes, length, at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return false;
        bytes += written;
        length -= (size_t)written;
        at = at < 0 ? at : at + written;
    }
    return true;
}

static bool log_append(struct logdisk *disk, enum log_type type, uint64_t offset, uint64_t length,
                       const void *bytes)
{
    struct timespec now = {0};
    if (disk->has_failed)
        return false;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    struct log_record record = {
        .type = (uint64_t)type,
        .sequence = disk->sequence++,
        .time_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
        .offset = offset,
        .length = length,
    };
    disk->has_failed = !write_fully(disk->log_fd, &record, sizeof record, -1) ||
                       (bytes && !write_fully(disk->log_fd, bytes, (size_t)length, -1));
    if (disk->has_failed)
        perror("logdisk: log");
    return !disk->has_failed;
}

static bool is_inside(const struct logdisk *disk, off_t offset, size_t length)
{
    return offset >= 0 && offset <= disk->size_bytes &&
           length <= (size_t)(disk->size_bytes - offset);
}

static bool attributes_of(const struct logdisk *disk, fuse_ino_t inode, struct stat *attributes)
{
    *attributes = (struct stat){.st_ino = inode, .st_nlink = 1, .st_blksize = 4096};
    switch (inode) {
    case FUSE_ROOT_ID:
        attributes->st_mode = S_IFDIR | 0755;
        attributes->st_nlink = 2;
        return true;
    case INODE_DISK:
        attributes->st_mode = S_IFREG | 0600;
        attributes->st_size = disk->size_bytes;
        return true;
    case INODE_MARK:
        attributes->st_mode = S_IFREG | 0622;
        return true;
    default:
        return false;
    }
}

static void on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    const struct logdisk *disk = fuse_req_userdata(request);
    struct fuse_entry_param entry = {.attr_timeout = ATTRIBUTE_TIMEOUT_S,
                                     .entry_timeout = ATTRIBUTE_TIMEOUT_S};
    if (parent == FUSE_ROOT_ID && strcmp(name, "disk") == 0)
        entry.ino = INODE_DISK;
    else if (parent == FUSE_ROOT_ID && strcmp(name, "mark") == 0)
        entry.ino = INODE_MARK;
    if (entry.ino == 0 || !attributes_of(disk, entry.ino, &entry.attr))
        (void)fuse_reply_err(request, ENOENT);
    else
        (void)fuse_reply_entry(request, &entry);
}

static void on_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct stat attributes;
    (void)file;
    if (attributes_of(fuse_req_userdata(request), inode, &attributes))
        (void)fuse_reply_attr(request, &attributes, ATTRIBUTE_TIMEOUT_S);
    else
        (void)fuse_reply_err(request, ENOENT);
}

/* Opening "mark" for writing truncates it in a shell; times are of no interest here either. */
static void on_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *attributes, int which,
                       struct fuse_file_info *file)
{
    (void)attributes;
    if (inode == INODE_DISK && (which & FUSE_SET_ATTR_SIZE))
        (void)fuse_reply_err(request, EPERM);
    else
        on_getattr(request, inode, file);
}

static void on_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    if (inode == INODE_MARK)
        file->direct_io = 1; /* one write of the workload is one mark */
    else
        file->keep_cache = 1;
    (void)fuse_reply_open(request, file);
}

static void on_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
                    struct fuse_file_info *file)
{
    const struct logdisk *disk = fuse_req_userdata(request);
    (void)file;
    if (inode != INODE_DISK) {
        (void)fuse_reply_buf(request, NULL, 0);
        return;
    }
    const size_t wanted = size < WRITE_MAX_BYTES ? size : WRITE_MAX_BYTES;
    const ssize_t got = pread(disk->image_fd, disk->read_buffer, wanted, offset);
    if (got < 0)
        (void)fuse_reply_err(request, errno);
    else
        (void)fuse_reply_buf(request, (const char *)disk->read_buffer, (size_t)got);
}

static void on_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t length,
                     off_t offset, struct fuse_file_info *file)
{
    struct logdisk *disk = fuse_req_userdata(request);
    const bool is_disk = inode == INODE_DISK;
    (void)file;
    if (is_disk && !is_inside(disk, offset, length)) {
        (void)fuse_reply_err(request, ENOSPC);
        return;
    }
    if (log_append(disk, is_disk ? LOG_WRITE : LOG_MARK, (uint64_t)offset, length, bytes) &&
        (!is_disk || write_fully(disk->image_fd, bytes, length, offset)))
        (void)fuse_reply_write(request, length);
    else
        (void)fuse_reply_err(request, EIO);
}

/* The loop device turns a discard and a "write zeroes" into this. */
static void on_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset, off_t length,
                         struct fuse_file_info *file)
{
    struct logdisk *disk = fuse_req_userdata(request);
    (void)file;
    if (inode != INODE_DISK || !(mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
        (void)fuse_reply_err(request, EOPNOTSUPP);
    else if (length <= 0 || !is_inside(disk, offset, (size_t)length))
        (void)fuse_reply_err(request, EINVAL);
    else if (log_append(disk, LOG_ZERO, (uint64_t)offset, (uint64_t)length, NULL) &&
             fallocate(disk->image_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                       length) == 0)
        (void)fuse_reply_err(request, 0);
    else
        (void)fuse_reply_err(request, EIO);
}

/* Requests are served one at a time, so whatever was answered before this stands before it in the
 * log: that is the promise of a flush, and no more than that. */
static void on_fsync(fuse_req_t request, fuse_ino_t inode, int is_data_only,
                     struct fuse_file_info *file)
{
    (void)is_data_only;
    (void)file;
    if (inode != INODE_DISK || log_append(fuse_req_userdata(request), LOG_FLUSH, 0, 0, NULL))
        (void)fuse_reply_err(request, 0);
    else
        (void)fuse_reply_err(request, EIO);
}

static void on_init(void *userdata, struct fuse_conn_info *connection)
{
    (void)userdata;
    connection->max_write = WRITE_MAX_BYTES;
    connection->max_readahead = WRITE_MAX_BYTES;
    /* With its cache on, the kernel would acknowledge writes that never came here. */
    connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
}

static const struct fuse_lowlevel_ops operations = {
    .init = on_init,
    .lookup = on_lookup,
    .getattr = on_getattr,
    .setattr = on_setattr,
    .open = on_open,
    .read = on_read,
    .write = on_write,
    .fallocate = on_fallocate,
    .fsync = on_fsync,
};

static int serve(struct logdisk *disk, char *program, const char *mountpoint)
{
    char *words[] = {program, NULL};
    struct fuse_args arguments = FUSE_ARGS_INIT(1, words);
    int status = 1;
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, disk);
    if (!session)
        goto done;
    if (fuse_set_signal_handlers(session) != 0)
        goto done;
    if (fuse_session_mount(session, mountpoint) == 0) {
        /* A signal ends the loop with its number: for us that is a normal end. */
        status = fuse_session_loop(session) < 0;
        fuse_session_unmount(session);
    }
    fuse_remove_signal_handlers(session);
done:
    if (session)
        fuse_session_destroy(session);
    fuse_opt_free_args(&arguments);
    return status;
}

int main(int argc, char **argv)
{
    struct logdisk disk = {.image_fd = -1, .log_fd = -1};
    struct stat attributes;
    int status = 1;
    if (argc != 4) {
        fprintf(stderr, "usage: logdisk IMAGE LOG MOUNTPOINT\n");
        return 2;
    }
    disk.image_fd = open(argv[1], O_RDWR | O_CLOEXEC);
    disk.log_fd = open(argv[2], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    disk.read_buffer = malloc(WRITE_MAX_BYTES);
    if (disk.image_fd < 0 || disk.log_fd < 0 || !disk.read_buffer ||
        fstat(disk.image_fd, &attributes) != 0) {
        perror("logdisk");
        goto done;
    }
    disk.size_bytes = attributes.st_size;
    status = serve(&disk, argv[0], argv[3]);
    if (!log_append(&disk, LOG_END, 0, 0, NULL))
        status = 1;
done:
    free(disk.read_buffer);
    if (disk.image_fd >= 0)
        (void)close(disk.image_fd);
    if (disk.log_fd >= 0)
        (void)close(disk.log_fd);
    return status;
}
