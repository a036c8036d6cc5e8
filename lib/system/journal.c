/* system/journal - see journal.h. */
#include "system/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/number.h"
#include "system/file.h"

enum {
    GENERATION_DIGITS = 20,
    PIECE_BYTES = 65536,
    LINES_MAX_BYTES = 1 << 20, /* that next may append at once, beyond a piece */
    SLACK_BYTES = 1 << 20,
    NAME_MAX_BYTES = 64
};

#define HEAD "generation "
#define HEAD_BYTES (sizeof(HEAD) - 1 + GENERATION_DIGITS + 1)

int journal_open(struct journal *journal, int directory, const char *name)
{
    *journal = (struct journal){.descriptors = {-1, -1}};
    for (unsigned i = 0; i < ARRAY_LENGTH(journal->descriptors); i++) {
        char path[NAME_MAX_BYTES];
        (void)snprintf(path, sizeof(path), "%s.%u", name, i); /* names are ours, and short */
        journal->descriptors[i] =
            openat(directory, path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (journal->descriptors[i] < 0)
            return -1;
    }
    return 0;
}

/* ---- reading ---- */

/* 0: the file does not count. */
static uint64_t read_generation(int descriptor)
{
    char head[HEAD_BYTES];
    uint64_t generation;
    if (file_pread_all(descriptor, head, sizeof(head), 0) != 0 ||
        memcmp(head, HEAD, sizeof(HEAD) - 1) != 0 || head[sizeof(head) - 1] != '\n' ||
        !number_parse_uint64(span_of(head + sizeof(HEAD) - 1, GENERATION_DIGITS), UINT64_MAX - 1,
                             &generation))
        return 0;
    return generation;
}

static void take_lines(struct span rest, void (*take)(void *context, struct span line),
                       void *context)
{
    struct span line;
    while (span_split_once(rest, '\n', &line, &rest))
        take(context, line);
}

/* What follows the last LF was cut off, and must not become the front of another line. */
static void cut_torn_line(struct journal *journal, struct span text)
{
    const size_t last = span_find_last_byte(text, '\n');
    journal->length_bytes = HEAD_BYTES + (last < text.length ? last + 1 : 0);
    if (ftruncate(journal->descriptors[journal->active], (off_t)journal->length_bytes) != 0)
        journal->has_failed = true;
}

/* What a file holds behind its head, from the heap. NULL when it cannot be read, or is too long. */
static uint8_t *read_lines(int descriptor, size_t maximum_bytes, struct span *text)
{
    const off_t size = lseek(descriptor, 0, SEEK_END);
    if (size < (off_t)HEAD_BYTES || (uint64_t)size > maximum_bytes)
        return NULL;
    const size_t length = (size_t)size - HEAD_BYTES;
    uint8_t *bytes = malloc(length + 1);
    if (bytes && file_pread_all(descriptor, bytes, length, HEAD_BYTES) != 0) {
        free(bytes);
        return NULL;
    }
    *text = span_of(bytes, length);
    return bytes;
}

void journal_load(struct journal *journal, size_t maximum_bytes,
                  void (*take)(void *context, struct span line), void *context)
{
    const uint64_t generations[] = {read_generation(journal->descriptors[0]),
                                    read_generation(journal->descriptors[1])};
    const size_t later = generations[1] > generations[0];
    uint8_t *bytes = NULL;
    struct span text;
    if (journal->is_hasty && generations[!later] != 0)
        bytes = read_lines(journal->descriptors[!later], maximum_bytes, &text);
    if (bytes)
        take_lines(text, take, context);
    free(bytes);
    journal->active = later;
    journal->generation = generations[later];
    bytes = journal->generation != 0 ? read_lines(journal->descriptors[later], maximum_bytes, &text)
                                     : NULL;
    journal->has_failed = !bytes; /* until something is known to be there */
    if (bytes) {
        take_lines(text, take, context);
        cut_torn_line(journal, text);
    }
    free(bytes);
}

/* ---- writing ---- */

int journal_append(struct journal *journal, struct span lines)
{
    ASSERT(!journal->has_failed);
    if (file_pwrite_all(journal->descriptors[journal->active], lines.bytes, lines.length,
                        journal->length_bytes) != 0) {
        journal->has_failed = true;
        return errno;
    }
    journal->length_bytes += lines.length;
    return 0;
}

bool journal_is_due(const struct journal *journal, size_t live_bytes)
{
    return journal->has_failed || journal->length_bytes > 2 * (uint64_t)live_bytes + SLACK_BYTES;
}

static int write_lines(int descriptor, bool (*next)(void *context, struct buffer *lines),
                       void *context, uint64_t *offset)
{
    struct buffer lines;
    bool has_more = true;
    int error = 0;
    buffer_init(&lines, NULL, PIECE_BYTES + LINES_MAX_BYTES);
    while (has_more && error == 0) {
        while (lines.length < PIECE_BYTES && (has_more = next(context, &lines)))
            continue;
        if (!buffer_ok(&lines))
            error = ENOMEM;
        else if (file_pwrite_all(descriptor, buffer_span(&lines).bytes, lines.length, *offset) != 0)
            error = errno;
        *offset += lines.length;
        buffer_reset(&lines);
    }
    buffer_release(&lines);
    return error;
}

int journal_rewrite(struct journal *journal, bool (*next)(void *context, struct buffer *lines),
                    void *context)
{
    const size_t other = !journal->active;
    const int descriptor = journal->descriptors[other];
    uint64_t offset = HEAD_BYTES;
    char head[HEAD_BYTES + 1];
    int error =
        ftruncate(descriptor, 0) == 0 ? write_lines(descriptor, next, context, &offset) : errno;
    /* Only what is on disk may take the other one's place. */
    if (error == 0 && !journal->is_hasty && fdatasync(descriptor) != 0)
        error = errno;
    (void)snprintf(head, sizeof(head), HEAD "%020llu\n",
                   (unsigned long long)(journal->generation + 1));
    if (error == 0 && file_pwrite_all(descriptor, head, HEAD_BYTES, 0) != 0)
        error = errno;
    if (error != 0)
        return error;
    journal->active = other;
    journal->generation++;
    journal->length_bytes = offset;
    journal->has_failed = false;
    return 0;
}
