/* table/text_file - see text_file.h. */
#include "table/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "system/clock.h"

enum {
    TEXT_FILE_READ_BYTES = 64 * 1024,
    TEXT_FILE_ATTEMPTS = 3,
    TEXT_FILE_AGAIN_MS = 60000 /* after one that memory did not suffice for */
};

/* True when all of the file was read; false with errno. */
static bool read_entries(struct table *table, const struct text_file_reader *reader, int descriptor,
                         struct table_source *source, struct buffer *input)
{
    for (bool is_last = false;;) {
        struct table_source_entry entry;
        size_t consumed;
        const enum parse_result result =
            table_source_next(source, buffer_span(input), is_last, &entry, &consumed);
        if (result == PARSE_OK && !reader->add(table, &entry))
            break;
        buffer_consume(input, consumed);
        if (result == PARSE_OK)
            continue;
        if (result != PARSE_NEED_MORE)
            break;
        if (is_last) {
            errno = ENOMEM;
            return !reader->finish || reader->finish(table);
        }
        uint8_t *room = buffer_reserve(input, TEXT_FILE_READ_BYTES);
        if (!room)
            break;
        const ssize_t count = read(descriptor, room, TEXT_FILE_READ_BYTES);
        if (count < 0 && errno != EINTR)
            return false;
        is_last = count == 0;
        buffer_extend(input, count > 0 ? (size_t)count : 0);
    }
    errno = ENOMEM;
    return false;
}

static bool read_file(struct table *table, const struct text_file_reader *reader, int descriptor)
{
    struct table_source source;
    struct buffer input;

    table_source_init(&source, NULL, false);
    buffer_init(&input, NULL, TABLE_SOURCE_LINE_MAX_BYTES + 2 * TEXT_FILE_READ_BYTES);
    const bool is_read = read_entries(table, reader, descriptor, &source, &input);
    const int error = errno;
    buffer_release(&input);
    table_source_release(&source);
    errno = error;
    return is_read;
}

static void note_too_large(struct text_file *file, const struct stat *status)
{
    file->too_large = file_identity_of(status);
    file->next_attempt_ms = clock_monotonic_ms() + TEXT_FILE_AGAIN_MS;
}

/* TABLE_FOUND, or TABLE_ERROR with errno; TABLE_WOULD_BLOCK: changed meanwhile. */
static enum table_result load_once(struct table *table, struct text_file *file,
                                   const struct text_file_reader *reader)
{
    struct stat before;
    struct stat after;

    file->is_loaded = false;
    reader->clear(table);
    const int descriptor = open(table->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0)
        return TABLE_ERROR;
    enum table_result result = TABLE_ERROR;
    if (fstat(descriptor, &before) == 0) {
        if (!S_ISREG(before.st_mode))
            errno = S_ISDIR(before.st_mode) ? EISDIR : EINVAL;
        else if (read_file(table, reader, descriptor) && fstat(descriptor, &after) == 0)
            result = TABLE_FOUND;
        else if (errno == ENOMEM)
            note_too_large(file, &before);
    }
    const int error = errno;
    (void)close(descriptor); /* only read */
    errno = error;
    if (result != TABLE_FOUND)
        return result;
    file->identity = file_identity_of(&before);
    const struct file_identity now = file_identity_of(&after);
    if (!file_identity_equals(&file->identity, &now))
        return TABLE_WOULD_BLOCK;
    file->is_loaded = true;
    return TABLE_FOUND;
}

static enum table_result load(struct table *table, struct text_file *file,
                              const struct text_file_reader *reader)
{
    enum table_result result = TABLE_WOULD_BLOCK;

    for (int attempt = 0; attempt < TEXT_FILE_ATTEMPTS && result == TABLE_WOULD_BLOCK; attempt++)
        result = load_once(table, file, reader);
    if (result == TABLE_FOUND)
        return result;
    table_fail(table, "open %s: %s", table->file,
               result == TABLE_ERROR ? strerror(errno) : "it changes while it is being read");
    file->is_loaded = false;
    reader->clear(table);
    return TABLE_ERROR;
}

static bool is_too_large(const struct table *table, const struct text_file *file)
{
    struct stat status;
    if (clock_monotonic_ms() >= file->next_attempt_ms || stat(table->file, &status) != 0)
        return false;
    const struct file_identity now = file_identity_of(&status);
    return file_identity_equals(&file->too_large, &now);
}

enum table_result text_file_prepare(struct table *table, struct text_file *file,
                                    const struct text_file_reader *reader)
{
    struct stat status;

    if (file->is_loaded) {
        if ((table->options.flags & TABLE_READ_ONCE) || table_was_checked(table))
            return TABLE_FOUND;
        if (stat(table->file, &status) != 0) {
            table_fail(table, "open %s: %s", table->file, strerror(errno));
            return TABLE_ERROR; /* removed, perhaps for a moment only */
        }
        const struct file_identity now = file_identity_of(&status);
        if (file_identity_equals(&file->identity, &now)) {
            table_note_checked(table);
            return TABLE_FOUND;
        }
    }
    if (file->next_attempt_ms > 0 && is_too_large(table, file)) {
        table_fail(table, "open %s: %s", table->file, strerror(ENOMEM));
        return TABLE_ERROR;
    }
    return load(table, file, reader);
}
