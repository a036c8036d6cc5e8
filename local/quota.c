/* local/quota - see quota.h. */
#include "quota.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "system/file.h"

#define QUOTA_FILE "maildirsize"

enum { DIGITS_MAX = 18, NAME_MAX_BYTES = 512 };

/* ---- the file's text ---- */

static bool take_number(struct span *text, int64_t *value)
{
    size_t at = 0, digits = 0;
    bool is_negative = false;
    if (text->length > 0 && text->bytes[0] == '-') {
        is_negative = true;
        at = 1;
    }
    *value = 0;
    while (at < text->length && text->bytes[at] >= '0' && text->bytes[at] <= '9') {
        if (++digits > DIGITS_MAX)
            return false;
        *value = *value * 10 + (text->bytes[at++] - '0');
    }
    if (is_negative)
        *value = -*value;
    *text = span_after(*text, at);
    return digits > 0;
}

bool quota_parse(struct span text, struct quota *quota)
{
    struct quota parsed = {0, 0};
    struct span part;
    bool has_more = true;
    if (span_is_empty(text))
        return false;
    while (has_more) {
        int64_t value = 0;
        has_more = span_split_once(text, ',', &part, &text);
        if (!take_number(&part, &value) || value < 0 || part.length != 1)
            return false;
        if (part.bytes[0] == 'S')
            parsed.size_bytes = (uint64_t)value;
        else if (part.bytes[0] == 'C')
            parsed.message_count = (uint64_t)value;
    }
    *quota = parsed;
    return true;
}

static bool add(int64_t *sum, int64_t value)
{
    return !__builtin_add_overflow(*sum, value, sum);
}

bool quota_parse_file(struct span text, struct quota *quota, struct quota_usage *usage)
{
    struct quota_usage sum = {0, 0};
    struct quota parsed = {0, 0};
    struct span line;
    if (!span_split_once(text, '\n', &line, &text) || !quota_parse(span_trim_spaces(line), &parsed))
        return false;
    while (span_split_once(text, '\n', &line, &text)) {
        int64_t size_bytes = 0, count = 0;
        line = span_trim_spaces(line);
        if (!take_number(&line, &size_bytes))
            return false;
        line = span_trim_spaces(line);
        if (!take_number(&line, &count) || !span_is_empty(span_trim_spaces(line)) ||
            !add(&sum.size_bytes, size_bytes) || !add(&sum.message_count, count))
            return false;
    }
    *quota = parsed;
    *usage = sum;
    return true;
}

/* ---- counting ---- */

/* ",S=1234" in a file name, as every Maildir++ tool writes it. */
static bool size_from_name(const char *name, int64_t *size_bytes)
{
    const struct span text = span_from_string(name);
    const size_t at = span_find(text, SPAN(",S="));
    struct span rest = span_after(text, at + 3);
    return at < text.length && take_number(&rest, size_bytes) && *size_bytes >= 0;
}

/* A message in the trash, or marked as going there, is not counted. */
static bool is_trashed(const char *name)
{
    const struct span text = span_from_string(name);
    const size_t at = span_find(text, SPAN(":2,"));
    const struct span flags = span_after(text, at + 3);
    return at < text.length && span_find_byte(flags, 'T') < flags.length;
}

/* The directory's stream; NULL with errno. */
static DIR *open_stream(int parent, const char *name)
{
    const int directory =
        openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    DIR *stream = directory < 0 ? NULL : fdopendir(directory);
    if (!stream) {
        const int saved_errno = errno;
        file_close(directory);
        errno = saved_errno;
    }
    return stream;
}

static int count_directory(int parent, const char *name, struct quota_usage *usage)
{
    DIR *stream = open_stream(parent, name);
    if (!stream)
        return errno == ENOENT ? 0 : -1;
    for (const struct dirent *entry; (errno = 0, entry = readdir(stream));) {
        int64_t size_bytes = 0;
        struct stat status;
        if (entry->d_name[0] == '.' || is_trashed(entry->d_name))
            continue;
        if (!size_from_name(entry->d_name, &size_bytes)) {
            if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
                continue; /* its owner was quicker */
            size_bytes = status.st_size;
        }
        (void)add(&usage->size_bytes, size_bytes); /* at the brim it is full anyway */
        usage->message_count++;
    }
    const int error = errno;
    (void)closedir(stream);
    errno = error;
    return error ? -1 : 0;
}

static int count_folder(int parent, const char *name, struct quota_usage *usage)
{
    const int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? 0 : -1;
    const int result =
        count_directory(folder, "new", usage) == 0 ? count_directory(folder, "cur", usage) : -1;
    file_close(folder);
    return result;
}

/* The Maildir and its folders, which are directories beside new and cur whose names begin with a
 * dot. */
static int count_all(int maildir, struct quota_usage *usage)
{
    size_t folder_count = 0;
    DIR *stream = open_stream(maildir, ".");
    if (!stream)
        return -1;
    int result = count_folder(maildir, ".", usage);
    for (const struct dirent *entry; result == 0 && (errno = 0, entry = readdir(stream));) {
        const struct span name = span_from_string(entry->d_name);
        if (name.bytes[0] != '.' || span_equals(name, SPAN(".")) || span_equals(name, SPAN("..")) ||
            span_equals(name, SPAN(".Trash")))
            continue;
        if (++folder_count > QUOTA_FOLDERS_MAX) {
            errno = E2BIG;
            result = -1;
        } else {
            result = count_folder(maildir, entry->d_name, usage);
        }
    }
    if (errno)
        result = -1;
    const int error = errno;
    (void)closedir(stream);
    errno = error;
    return result;
}

/* Made in tmp/ and moved, so that others see the one file or the other. */
static int write_file(int maildir, const struct quota *quota, const struct quota_usage *usage)
{
    char text[NAME_MAX_BYTES], name[NAME_MAX_BYTES];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
    const int length =
        quota->message_count == 0
            ? snprintf(text, sizeof(text), "%lluS\n%lld %lld\n",
                       (unsigned long long)quota->size_bytes, (long long)usage->size_bytes,
                       (long long)usage->message_count)
            : snprintf(text, sizeof(text), "%lluS,%lluC\n%lld %lld\n",
                       (unsigned long long)quota->size_bytes,
                       (unsigned long long)quota->message_count, (long long)usage->size_bytes,
                       (long long)usage->message_count);
    (void)snprintf(name, sizeof(name), "tmp/%lld.N%ldP%ld." QUOTA_FILE, (long long)now.tv_sec,
                   now.tv_nsec, (long)getpid());
    const int file =
        openat(maildir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0)
        return -1;
    int result = file_pwrite_all(file, text, (size_t)length, 0);
    if (result == 0)
        result = renameat(maildir, name, maildir, QUOTA_FILE);
    const int error = errno;
    file_close(file);
    if (result != 0)
        (void)unlinkat(maildir, name, 0); /* sweepers take what cannot be removed */
    errno = error;
    return result;
}

/* ---- the question ---- */

struct quota_file {
    struct quota quota;
    struct quota_usage usage;
    bool is_there;
    bool is_good;   /* to be believed, and not too long */
    bool is_recent; /* counted a moment ago */
};

/* -1 with errno when there may be a file that cannot be read. */
static int read_file(int maildir, struct quota_file *result)
{
    struct stat status;
    struct timespec now;
    *result = (struct quota_file){.is_there = false};
    const int file = openat(maildir, QUOTA_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return errno == ENOENT ? 0 : -1;
    uint8_t *text = malloc(QUOTA_FILE_MAX_BYTES + 1);
    const ssize_t count = text && fstat(file, &status) == 0
                              ? file_pread_upto(file, text, QUOTA_FILE_MAX_BYTES + 1, 0)
                              : -1;
    const int error = errno;
    file_close(file);
    if (count >= 0) {
        (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with these arguments */
        result->is_there = true;
        /* A file from the future would be so for as long as the clock was wrong. */
        result->is_recent =
            status.st_mtime <= now.tv_sec && now.tv_sec - status.st_mtime < QUOTA_RECOUNT_AFTER_S;
        result->is_good =
            quota_parse_file(span_of(text, (size_t)count), &result->quota, &result->usage) &&
            count <= QUOTA_FILE_MAX_BYTES;
    }
    free(text);
    errno = error;
    return count < 0 ? -1 : 0;
}

bool quota_has_file(int maildir)
{
    struct stat status;
    return fstatat(maildir, QUOTA_FILE, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static bool has_room(const struct quota *quota, const struct quota_usage *usage,
                     uint64_t size_bytes)
{
    const uint64_t used = usage->size_bytes > 0 ? (uint64_t)usage->size_bytes : 0;
    const uint64_t count = usage->message_count > 0 ? (uint64_t)usage->message_count : 0;
    return (quota->size_bytes == 0 ||
            (used <= quota->size_bytes && size_bytes <= quota->size_bytes - used)) &&
           (quota->message_count == 0 || count < quota->message_count);
}

enum quota_result quota_check(int maildir, const struct quota *set, uint64_t size_bytes)
{
    struct quota_file file;
    const bool is_set = set->size_bytes != 0 || set->message_count != 0;
    if (read_file(maildir, &file) != 0)
        return QUOTA_FAILED;
    if (!is_set && !file.is_there)
        return QUOTA_NONE;
    const struct quota quota = is_set ? *set : file.quota;
    const bool is_current = file.is_there && file.is_good &&
                            quota.size_bytes == file.quota.size_bytes &&
                            quota.message_count == file.quota.message_count;
    if (!is_set && !file.is_good && quota.size_bytes == 0 && quota.message_count == 0)
        return QUOTA_NONE; /* a file without a quota in it */
    if (is_current && (file.is_recent || has_room(&quota, &file.usage, size_bytes)))
        return has_room(&quota, &file.usage, size_bytes) ? QUOTA_FITS : QUOTA_EXCEEDED;
    struct quota_usage usage = {0, 0};
    if (count_all(maildir, &usage) != 0 || write_file(maildir, &quota, &usage) != 0)
        return QUOTA_FAILED;
    return has_room(&quota, &usage, size_bytes) ? QUOTA_FITS : QUOTA_EXCEEDED;
}

void quota_note(int maildir, uint64_t size_bytes)
{
    char line[64];
    const int file =
        openat(maildir, QUOTA_FILE, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return;
    const int length = snprintf(line, sizeof(line), "%llu 1\n", (unsigned long long)size_bytes);
    (void)!write(file, line, (size_t)length); /* made up for at the next count */
    file_close(file);
}
