/* local/mbox - see mbox.h. */
#include "mbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

enum {
    REOPEN_MAX = 10,
    TAIL_MAX_BYTES = 64 << 20, /* how far back an earlier self is looked for */
    HEAD_MAX_BYTES = 16384     /* where its queue id must stand */
};

struct mbox {
    const struct mbox_request *request;
    struct maildir_result *result;
    int directory; /* that the name begins in */
    const char *name;
    int file;
    uint64_t length; /* before this delivery */
    size_t separation_bytes;
    bool is_new;
    struct filelock_dot dotlock;
};

/* The reason of the outcome. */
static bool say(struct mbox *mbox, const char *format, ...) PRINTF_LIKE(2, 3);
static bool say(struct mbox *mbox, const char *format, ...)
{
    struct maildir_result *result = mbox->result;
    va_list arguments;
    int length = snprintf(result->text, sizeof(result->text),
                          mbox->request->is_named ? "cannot append message to file %s: "
                                                  : "cannot update mailbox %s. ",
                          mbox->request->path);
    if (length < 0 || (size_t)length >= sizeof(result->text))
        length = 0;
    va_start(arguments, format);
    (void)vsnprintf(result->text + length, sizeof(result->text) - (size_t)length, format,
                    arguments);
    va_end(arguments);
    result->outcome.reason = span_from_string(result->text);
    return false;
}

static bool fail(struct mbox *mbox, int error_number, const char *what)
{
    maildir_fail(mbox->result, error_number, what);
    return say(mbox, "%s: %s", what, strerrordesc_np(error_number));
}

/* ---- the file ---- */

/* A regular file with one name: a link would lead the mail, or our truncation, somewhere else. */
static bool check_file(struct mbox *mbox, struct stat *status)
{
    if (fstat(mbox->file, status) != 0)
        return fail(mbox, errno, "look at it");
    if (mbox->request->is_named && S_ISREG(status->st_mode) && (status->st_mode & 0111)) {
        mbox->result->outcome = outcome_permanent(554, 7, 1, "");
        return say(mbox, "file is executable");
    }
    const char *problem = NULL;
    if (!S_ISREG(status->st_mode))
        problem = "it is not a regular file";
    else if (status->st_nlink > 1)
        problem = "it has more than one name";
    else if (mbox->request->must_be_owner && status->st_uid != geteuid())
        problem = "it is not owned by the recipient";
    if (!problem)
        return true;
    (void)fail(mbox, EPERM, "");
    return say(mbox, "%s", problem);
}

static int open_file(struct mbox *mbox)
{
    const int flags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    mbox->file = openat(mbox->directory, mbox->name, flags);
    if (mbox->file < 0 && errno == ENOENT) {
        mbox->file = openat(mbox->directory, mbox->name, flags | O_CREAT | O_EXCL, 0600);
        mbox->is_new = mbox->file >= 0;
    }
    return mbox->file;
}

/* What was locked must still be what has the name: its reader may have put another in its place. */
static bool has_the_name(const struct mbox *mbox, const struct stat *ours)
{
    struct stat theirs;
    return fstatat(mbox->directory, mbox->name, &theirs, AT_SYMLINK_NOFOLLOW) == 0 &&
           theirs.st_dev == ours->st_dev && theirs.st_ino == ours->st_ino;
}

static bool take_dotlock(struct mbox *mbox)
{
    return filelock_take_dot(&mbox->request->locks, mbox->directory, mbox->name, &mbox->dotlock) ==
               0 ||
           fail(mbox, errno, "create its lock file");
}

static bool open_and_lock(struct mbox *mbox)
{
    struct stat status;
    for (int tries = 0; tries < REOPEN_MAX; tries++) {
        if (open_file(mbox) < 0) {
            if (errno == EEXIST)
                continue;
            return fail(mbox, errno, "open it");
        }
        if (!check_file(mbox, &status))
            return false;
        if (filelock_take(&mbox->request->locks, mbox->file) != 0)
            return fail(mbox, errno, "lock it for exclusive access");
        if (has_the_name(mbox, &status)) {
            if (!check_file(mbox, &status)) /* its size, under the lock */
                return false;
            mbox->length = (uint64_t)status.st_size;
            return true;
        }
        file_close(mbox->file);
        mbox->file = -1;
    }
    return fail(mbox, EAGAIN, "open it");
}

/* ---- an earlier self ---- */

/* Offset of the last "From " line in the bytes; length when there is none. */
static size_t find_last_message(struct span tail, bool is_whole_file)
{
    static const char separator[] = "\n\nFrom ";
    const size_t length = sizeof(separator) - 1;
    for (size_t at = tail.length; at >= length; at--)
        if (memcmp(tail.bytes + at - length, separator, length) == 0)
            return at - length + 2;
    return is_whole_file && span_starts_with(tail, SPAN("From ")) ? 0 : tail.length;
}

/* The trace field on top, which whoever made the message put there; empty: none. */
static struct span first_received(struct span head)
{
    struct span rest = span_after(head, span_find(head, SPAN("\nReceived: ")));
    size_t length = span_is_empty(rest) ? 0 : 1;
    while (length < rest.length &&
           (rest.bytes[length] != '\n' || span_byte_is_one_of(rest, length + 1, " \t", 2)))
        length++;
    return span_first(rest, length);
}

/* Other messages quote our id: a report on the delay of ours, or ours as somebody forwarded it. */
static bool is_ours(const struct mbox_request *request, struct span message)
{
    const struct span whole = span_first(message, HEAD_MAX_BYTES);
    const struct span head = span_first(whole, span_find(whole, SPAN("\n\n")));
    const struct span trace = first_received(head);
    if (span_find(trace, request->queue_id) == trace.length)
        return false;
    const size_t field = span_find(head, SPAN("\nDelivered-To: "));
    if (span_is_empty(request->delivered_to) || field == head.length)
        return span_is_empty(request->delivered_to);
    const struct span value = span_after(head, field + 15);
    return span_starts_with(value, request->delivered_to) &&
           span_byte_is_one_of(value, request->delivered_to.length, "\n", 1);
}

/* Sets the end of the mailbox back to before it. */
static bool drop_earlier_self(struct mbox *mbox)
{
    const uint64_t want = mbox->length < TAIL_MAX_BYTES ? mbox->length : TAIL_MAX_BYTES;
    uint8_t *bytes = malloc((size_t)want + 1);
    bool is_good =
        bytes && file_pread_all(mbox->file, bytes, (size_t)want, mbox->length - want) == 0;
    if (is_good) {
        const struct span tail = span_of(bytes, (size_t)want);
        const size_t at = find_last_message(tail, want == mbox->length);
        if (at < tail.length && is_ours(mbox->request, span_after(tail, at))) {
            mbox->length -= want - at;
            is_good = ftruncate(mbox->file, (off_t)mbox->length) == 0;
        }
    }
    const int error = errno;
    free(bytes);
    return is_good || fail(mbox, error, "look for an earlier delivery in it");
}

/* ---- writing ---- */

static bool say_corrupt(struct mbox *mbox)
{
    mbox->result->is_corrupt = true;
    (void)snprintf(mbox->result->text, sizeof(mbox->result->text),
                   "the message in the queue does not match its checksum");
    mbox->result->outcome = outcome_temporary(451, 3, 0, mbox->result->text);
    return false;
}

/* An empty line in front, where there is none: to what a crash cut short, or others wrote without
 * one, our message would belong; and go with it, when that one comes again and drops its earlier
 * self. */
static bool put_separation(struct mbox *mbox, struct buffer *out)
{
    uint8_t end[2] = {0, 0};
    if (mbox->length == 0)
        return true;
    if (file_pread_all(mbox->file, end + 1, 1, mbox->length - 1) != 0 ||
        (mbox->length > 1 && file_pread_all(mbox->file, end, 1, mbox->length - 2) != 0))
        return false;
    if (end[1] != '\n')
        buffer_append_string(out, "\n\n");
    else if (end[0] != '\n')
        buffer_append_string(out, "\n");
    mbox->separation_bytes = out->length;
    return true;
}

static bool append(struct mbox *mbox, struct rendition_space *space)
{
    const struct mbox_request *request = mbox->request;
    struct buffer fields;
    uint64_t size_bytes = 0;
    enum rendition_result written = RENDITION_WRITE_FAILED;
    buffer_init(&fields, NULL, RENDITION_FIELDS_MAX_BYTES);
    if (!put_separation(mbox, &fields))
        return fail(mbox, errno, "read its end");
    rendition_put_from_line(&fields, request->reverse_path,
                            (int64_t)(clock_realtime_us() / 1000000));
    rendition_put_fields(&fields, request->reverse_path, request->original_recipient,
                         request->delivered_to);
    errno = ENOMEM;
    if (buffer_ok(&fields) && lseek(mbox->file, (off_t)mbox->length, SEEK_SET) >= 0)
        written = rendition_write(request->content, RENDITION_MBOX, buffer_span(&fields),
                                  span_empty(), space, mbox->file, &size_bytes);
    const int error = errno;
    buffer_release(&fields);
    if (written == RENDITION_CORRUPT)
        return say_corrupt(mbox);
    if (written != RENDITION_OK)
        return fail(mbox, error,
                    written == RENDITION_READ_FAILED ? "read the message" : "write the message");
    return true;
}

/* The name of a new file is made durable with its directory. */
static int flush_name(const struct mbox *mbox)
{
    char directory[FILELOCK_NAME_MAX_BYTES];
    const char *path = mbox->name;
    const struct span whole = span_from_string(path);
    if (mbox->request->is_in_directory)
        return fsync(mbox->directory);
    const size_t slash = span_find_last_byte(whole, '/');
    if (slash >= whole.length || slash >= sizeof(directory))
        return 0;
    memcpy(directory, path, slash + 1);
    directory[slash + 1] = '\0';
    const int descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int result = descriptor < 0 ? -1 : fsync(descriptor);
    file_close(descriptor);
    /* A directory that may not be read: the file itself is durable, and so is its name on ext4, xfs
     * and btrfs. */
    return result != 0 && errno == EACCES ? 0 : result;
}

static bool is_within_limit(struct mbox *mbox)
{
    const struct mbox_request *request = mbox->request;
    if (request->size_limit_bytes == 0 ||
        (mbox->length <= request->size_limit_bytes &&
         request->content->size_bytes <= request->size_limit_bytes - mbox->length))
        return true;
    return fail(mbox, EFBIG, "write the message");
}

static bool write_message(struct mbox *mbox, struct rendition_space *space)
{
    if (mbox->request->is_maybe_repeated && mbox->length > 0 && !drop_earlier_self(mbox))
        return false;
    if (!is_within_limit(mbox))
        return false;
    bool is_written = append(mbox, space);
    if (is_written && (fsync(mbox->file) != 0 || (mbox->is_new && flush_name(mbox) != 0)))
        is_written = fail(mbox, errno, "flush it");
    if (!is_written)
        /* Half a message must not stay; if it does, the next attempt finds it. */
        (void)!ftruncate(mbox->file, (off_t)mbox->length);
    return is_written;
}

void mbox_deliver(const struct mbox_request *request, struct rendition_space *space,
                  struct maildir_result *result)
{
    struct mbox mbox = {.request = request,
                        .result = result,
                        .directory = request->is_in_directory ? request->directory : AT_FDCWD,
                        .name = request->is_in_directory ? request->name : request->path,
                        .file = -1};
    result->is_corrupt = false;
    if (take_dotlock(&mbox) && open_and_lock(&mbox) && write_message(&mbox, space)) {
        result->offset = mbox.length + mbox.separation_bytes;
        result->text[0] = '\0';
        result->outcome = outcome_ok();
        result->outcome.reason = span_from_string(result->text);
    }
    if (mbox.file >= 0)
        file_close(mbox.file); /* and with it its locks */
    filelock_release_dot(&mbox.dotlock);
}
