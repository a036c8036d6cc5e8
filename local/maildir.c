/* local/maildir - see maildir.h. */
#include "maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "earlier.h"
#include "system/file.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* ",S=" and a size in final names, ".P", a process id and a serial number in tmp/. */
enum { SUFFIX_MAX_BYTES = 48 };

static void set_result(struct maildir_result *result, struct outcome outcome)
{
    result->outcome = outcome;
    result->outcome.reason = span_from_string(result->text);
}

/* When in doubt temporary: only what no later attempt can change is permanent. */
void maildir_fail(struct maildir_result *result, int error_number, const char *what)
{
    static const struct {
        int error_number;
        bool is_permanent;
        uint16_t reply_code, subject, detail;
    } rows[] = {
        {ENOSPC, false, 452, 3, 1}, /* RFC 3463: mail system full */
        {EDQUOT, false, 452, 2, 2}, /* mailbox full */
        {EFBIG, true, 552, 2, 2},   {EACCES, false, 451, 2, 0},  {EPERM, false, 451, 2, 0},
        {EROFS, false, 451, 2, 0},  {ENOTDIR, false, 451, 2, 0}, {EXDEV, false, 451, 2, 0},
        {ELOOP, false, 451, 2, 0},
    };
    (void)snprintf(result->text, sizeof(result->text), "maildir delivery failed: %s: %s", what,
                   error_number == EXDEV ? "it would leave its base directory"
                                         : strerrordesc_np(error_number));
    struct outcome outcome = outcome_temporary(451, 3, 0, "");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].error_number == error_number)
            outcome =
                rows[i].is_permanent
                    ? outcome_permanent(rows[i].reply_code, rows[i].subject, rows[i].detail, "")
                    : outcome_temporary(rows[i].reply_code, rows[i].subject, rows[i].detail, "");
    set_result(result, outcome);
}

static void succeed(struct maildir_result *result)
{
    static const char words[] = "delivered to maildir";
    memcpy(result->text, words, sizeof(words));
    result->outcome = outcome_ok();
    result->outcome.reason = span_of(result->text, sizeof(words) - 1);
}

static bool is_within_limit(const struct maildir_request *request, struct maildir_result *result)
{
    if (request->size_limit_bytes == 0 || request->content->size_bytes <= request->size_limit_bytes)
        return true;
    (void)snprintf(result->text, sizeof(result->text),
                   "maildir delivery failed: message size %llu exceeds the mailbox limit of %llu",
                   (unsigned long long)request->content->size_bytes,
                   (unsigned long long)request->size_limit_bytes);
    set_result(result, outcome_permanent(552, 2, 2, ""));
    return false;
}

static bool is_within_quota(const struct maildir_request *request, const struct maildir *mailbox,
                            uint64_t size_bytes, bool *has_quota, struct maildir_result *result)
{
    *has_quota = true;
    /* One that comes into being while the mailbox is kept open counts from the next opening on. */
    if (!mailbox->has_quota_file && request->quota.size_bytes == 0 &&
        request->quota.message_count == 0) {
        *has_quota = false;
        return true;
    }
    switch (quota_check(mailbox->directory, &request->quota, size_bytes)) {
    case QUOTA_NONE:
        *has_quota = false;
        return true;
    case QUOTA_FITS:
        return true;
    case QUOTA_FAILED:
        maildir_fail(result, errno, "count what is in the mailbox");
        return false;
    case QUOTA_EXCEEDED:
        break;
    }
    (void)snprintf(result->text, sizeof(result->text), "maildir delivery failed: mailbox is full");
    /* RFC 3463 section 3.3: mailbox full. */
    set_result(result, request->is_full_for_good ? outcome_permanent(552, 2, 2, "")
                                                 : outcome_temporary(452, 2, 2, ""));
    return false;
}

/* The name in tmp/ is this process's own: a delivery that hangs in another process must not have
 * its file taken away, nor take ours. What a crash leaves there Maildir tools sweep up. */
static int create_in_tmp(const struct maildir *mailbox, const char *name)
{
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int descriptor = openat(mailbox->tmp, name, flags, 0600);
    if (descriptor < 0 && errno == EEXIST && unlinkat(mailbox->tmp, name, 0) == 0)
        descriptor = openat(mailbox->tmp, name, flags, 0600);
    return descriptor;
}

static bool write_content(const struct maildir_request *request, struct rendition_space *space,
                          int descriptor, uint64_t *size_bytes, struct maildir_result *result)
{
    struct buffer fields;
    enum rendition_result written = RENDITION_WRITE_FAILED;
    buffer_init(&fields, NULL, RENDITION_FIELDS_MAX_BYTES);
    rendition_put_fields(&fields, request->reverse_path, request->original_recipient,
                         request->has_delivered_to ? request->recipient : span_empty());
    errno = ENOMEM;
    if (buffer_ok(&fields))
        written = rendition_write(request->content, RENDITION_PLAIN, buffer_span(&fields),
                                  request->refuses_loops ? request->recipient : span_empty(), space,
                                  descriptor, size_bytes);
    const int error_number = errno;
    buffer_release(&fields);
    switch (written) {
    case RENDITION_OK:
        return true;
    case RENDITION_READ_FAILED:
        maildir_fail(result, error_number, "read the message");
        break;
    case RENDITION_WRITE_FAILED:
        maildir_fail(result, error_number, "write the message");
        break;
    case RENDITION_CORRUPT:
        result->is_corrupt = true;
        (void)snprintf(result->text, sizeof(result->text),
                       "the message in the queue does not match its checksum");
        set_result(result, outcome_temporary(451, 3, 0, ""));
        break;
    case RENDITION_LOOPS:
        (void)snprintf(result->text, sizeof(result->text), "mail forwarding loop for %.*s",
                       SPAN_PRINTF(request->recipient));
        set_result(result, outcome_permanent(554, 4, 6, ""));
        break;
    }
    return false;
}

/* A plain rename where the file system has no other: names do not collide but with ourselves. */
static int rename_new(const struct maildir *mailbox, const char *tmp_name, const char *name)
{
    if (renameat2(mailbox->tmp, tmp_name, mailbox->new, name, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    return renameat(mailbox->tmp, tmp_name, mailbox->new, name);
}

/* Moves the file from tmp/ to where it belongs, or keeps the earlier self and drops it: then
 * *is_new stays false, and nobody asks for the quota: that one has been counted. */
static bool place_file(const struct maildir_request *request, const struct maildir *mailbox,
                       const char *tmp_name, struct span base, uint64_t size_bytes,
                       struct maildir_file *file, bool *is_new, bool *has_quota,
                       struct maildir_result *result)
{
    const bool must_look = request->is_maybe_repeated;
    if (!must_look && !is_within_quota(request, mailbox, size_bytes, has_quota, result))
        return false;
    *is_new = !must_look && rename_new(mailbox, tmp_name, file->name) == 0;
    if (*is_new)
        return true;
    if (!must_look && errno != EEXIST) {
        maildir_fail(result, errno, "move the message to new");
        return false;
    }
    switch (
        earlier_resolve(mailbox, request->place.is_confined, base, tmp_name, size_bytes, file)) {
    case EARLIER_ABSENT:
        if (must_look && !is_within_quota(request, mailbox, size_bytes, has_quota, result))
            return false;
        *is_new = rename_new(mailbox, tmp_name, file->name) == 0;
        if (*is_new)
            return true;
        break;
    case EARLIER_KEPT:
        (void)unlinkat(mailbox->tmp, tmp_name, 0); /* sweepers take what cannot be removed */
        return true;
    case EARLIER_REPLACED:
        return true;
    case EARLIER_FAILED:
        break;
    }
    maildir_fail(result, errno, "look for an earlier delivery");
    return false;
}

/* False, with *result: it cannot have one. */
static bool make_base(const struct maildir_request *request,
                      char base[MAILDIR_NAME_MAX_BYTES + 1 - SUFFIX_MAX_BYTES], size_t *length,
                      struct maildir_result *result)
{
    struct buffer name;
    buffer_init(&name, NULL, MAILDIR_NAME_MAX_BYTES);
    maildir_name_put_base(&name, request->queue_id, request->recipient, request->action,
                          request->host);
    const bool is_made =
        buffer_ok(&name) && name.length + SUFFIX_MAX_BYTES <= MAILDIR_NAME_MAX_BYTES;
    if (is_made) {
        *length = name.length;
        memcpy(base, name.bytes, name.length);
        base[name.length] = '\0';
    } else {
        maildir_fail(result, ENAMETOOLONG, "make a file name");
    }
    buffer_release(&name);
    return is_made;
}

static void put_name(struct maildir_file *file, const char *base, uint64_t size_bytes)
{
    (void)snprintf(file->name, sizeof(file->name), "%s,S=%llu", base,
                   (unsigned long long)size_bytes);
}

enum maildir_linked maildir_link(const struct maildir_request *request,
                                 const struct maildir *mailbox, const struct maildir_source *source,
                                 struct maildir_file *file, struct maildir_result *result)
{
    char base[MAILDIR_NAME_MAX_BYTES + 1 - SUFFIX_MAX_BYTES];
    size_t base_length = 0;
    bool has_quota = false;
    file->descriptor = -1;
    result->is_corrupt = false;
    if (!is_within_limit(request, result) || !make_base(request, base, &base_length, result) ||
        !is_within_quota(request, mailbox, source->size_bytes, &has_quota, result))
        return MAILDIR_LINK_REFUSED;
    put_name(file, base, source->size_bytes);
    /* Whatever is in the way, another file system or a name that is there: a delivery of its own
     * knows what to do. */
    if (linkat(source->mailbox->tmp, source->tmp_name, mailbox->new, file->name, 0) != 0)
        return MAILDIR_NOT_LINKED;
    if (has_quota)
        quota_note(mailbox->directory, source->size_bytes);
    succeed(result);
    return MAILDIR_LINKED;
}

/* ---- with a name in tmp/ ---- */

static enum maildir_written write_named(const struct maildir_request *request,
                                        const struct maildir *mailbox,
                                        struct rendition_space *space, struct span base,
                                        const char *tmp_name, struct maildir_file *file,
                                        struct maildir_result *result)
{
    uint64_t size_bytes = 0;
    bool is_new = false, has_quota = false;
    if ((file->descriptor = create_in_tmp(mailbox, tmp_name)) < 0) {
        maildir_fail(result, errno, "create a file in tmp");
        return errno == ENOENT ? MAILDIR_GONE : MAILDIR_FAILED;
    }
    bool is_placed = write_content(request, space, file->descriptor, &size_bytes, result);
    if (is_placed && request->share) {
        const struct maildir_source source = {mailbox, tmp_name, file->descriptor, size_bytes};
        request->share(&source, request->share_context);
    }
    if (is_placed) {
        put_name(file, (const char *)base.bytes, size_bytes);
        is_placed = place_file(request, mailbox, tmp_name, base, size_bytes, file, &is_new,
                               &has_quota, result);
    }
    if (is_new && has_quota)
        quota_note(mailbox->directory, size_bytes);
    if (!is_placed) {
        (void)unlinkat(mailbox->tmp, tmp_name, 0); /* sweepers take what cannot be removed */
        maildir_file_close(file);
        return MAILDIR_FAILED;
    }
    succeed(result);
    return MAILDIR_WRITTEN;
}

/* ---- without a name until it is whole ---- */

/* The answers of kernels and file systems that know no such files, or give them no name. */
static bool is_unsupported(int error_number)
{
    return error_number == EOPNOTSUPP || error_number == EISDIR || error_number == EINVAL ||
           error_number == ENOENT;
}

enum unnamed_result { UNNAMED_PLACED, UNNAMED_FAILED, UNNAMED_IMPOSSIBLE };

/* Impossible, for whatever reason, a name that is there among them: the way by tmp/ meets it again,
 * and knows what to do or to say. */
static enum unnamed_result write_unnamed(const struct maildir_request *request,
                                         const struct maildir *mailbox,
                                         struct rendition_space *space, struct span base,
                                         struct maildir_file *file, struct maildir_result *result)
{
    uint64_t size_bytes = 0;
    bool has_quota = false;
    enum unnamed_result written = UNNAMED_FAILED;
    file->descriptor = openat(mailbox->new, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (file->descriptor < 0) {
        file->lacks_unnamed = is_unsupported(errno);
        return UNNAMED_IMPOSSIBLE;
    }
    if (write_content(request, space, file->descriptor, &size_bytes, result) &&
        is_within_quota(request, mailbox, size_bytes, &has_quota, result)) {
        put_name(file, (const char *)base.bytes, size_bytes);
        written = linkat(file->descriptor, "", mailbox->new, file->name, AT_EMPTY_PATH) == 0
                      ? UNNAMED_PLACED
                      : UNNAMED_IMPOSSIBLE;
        file->lacks_unnamed = written == UNNAMED_IMPOSSIBLE && is_unsupported(errno);
    }
    if (written != UNNAMED_PLACED) {
        maildir_file_close(file); /* and it is gone */
        return written;
    }
    if (has_quota)
        quota_note(mailbox->directory, size_bytes);
    succeed(result);
    return UNNAMED_PLACED;
}

/* One that may be there already is looked for, and one that is shared is linked, by its name. */
static bool may_be_unnamed(const struct maildir_request *request)
{
    return !request->avoids_unnamed && !request->is_maybe_repeated && !request->share;
}

enum maildir_written maildir_write(const struct maildir_request *request,
                                   const struct maildir *mailbox, struct rendition_space *space,
                                   pid_t process_id, uint64_t serial, struct maildir_file *file,
                                   struct maildir_result *result)
{
    char base[MAILDIR_NAME_MAX_BYTES + 1 - SUFFIX_MAX_BYTES], tmp_name[MAILDIR_NAME_MAX_BYTES + 1];
    size_t base_length = 0;
    file->descriptor = -1;
    file->lacks_unnamed = false;
    result->is_corrupt = false;
    if (!is_within_limit(request, result) || !make_base(request, base, &base_length, result))
        return MAILDIR_FAILED;
    const struct span base_span = span_of(base, base_length);
    if (may_be_unnamed(request)) {
        const enum unnamed_result written =
            write_unnamed(request, mailbox, space, base_span, file, result);
        if (written != UNNAMED_IMPOSSIBLE)
            return written == UNNAMED_PLACED ? MAILDIR_WRITTEN : MAILDIR_FAILED;
    }
    (void)snprintf(tmp_name, sizeof(tmp_name), "%s.P%lld_%llu", base, (long long)process_id,
                   (unsigned long long)serial);
    return write_named(request, mailbox, space, base_span, tmp_name, file, result);
}

void maildir_take_back(const struct maildir *mailbox, struct maildir_file *file, int error_number,
                       struct maildir_result *result)
{
    maildir_fail(result, error_number, "flush the message");
    (void)unlinkat(mailbox->new, file->name, 0); /* else it is found at the next attempt */
    maildir_file_close(file);
}

bool maildir_flush(const struct maildir *mailbox, struct maildir_file *file,
                   struct maildir_result *result)
{
    /* A failed flush is never tried again: the kernel may have dropped the pages by then and
     * report success. The message stays in the queue, so its file here may go. */
    if (fsync(file->descriptor) == 0 &&
        (!mailbox->needs_directory_sync || fsync(mailbox->new) == 0)) {
        maildir_file_close(file);
        return true;
    }
    maildir_take_back(mailbox, file, errno, result);
    return false;
}

void maildir_file_close(struct maildir_file *file)
{
    file_close(file->descriptor);
    file->descriptor = -1;
}
