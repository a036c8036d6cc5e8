/* local/rendition - see rendition.h. A small message costs one preadv and one write. */
#include "rendition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "system/file.h"

struct rendition {
    struct rendition_space *space;
    int out;
    size_t text_length; /* waiting in space->text */
    uint64_t written_bytes;
    bool has_carriage_return; /* the last byte of the piece before was CR */
    bool is_in_header;
    bool quotes_from;
    bool is_at_line_start; /* quotes_from: text before scanned_length is as it is to be */
    size_t scanned_length;
    uint8_t last_byte; /* written */
    struct span loop_recipient;
    size_t line_length; /* of the header line being collected, RENDITION_HEADER_LINE_MAX_BYTES */
    uint8_t line[RENDITION_HEADER_LINE_MAX_BYTES];
};

struct rendition_space *rendition_space_create(void)
{
    struct rendition_space *space = malloc(sizeof(*space));
    if (space && !digest_init(&space->digest)) {
        free(space);
        return NULL;
    }
    if (space)
        rendition_forget(space);
    return space;
}

void rendition_space_destroy(struct rendition_space **space)
{
    if (!*space)
        return;
    digest_destroy(&(*space)->digest);
    free(*space);
    *space = NULL;
}

static void put_field(struct buffer *out, const char *name, struct span value, const char *end)
{
    buffer_append_string(out, name);
    while (value.length > 0) {
        const size_t count = ascii_print_length(value);
        buffer_append_span(out, span_first(value, count));
        value = span_after(value, count);
        if (value.length > 0 && value.bytes[0] >= 0x80) /* no control character */
            buffer_append_byte(out, value.bytes[0]);
        value = span_after(value, 1);
    }
    buffer_append_string(out, end);
}

void rendition_put_from_line(struct buffer *out, struct span reverse_path, int64_t unix_time_s)
{
    const time_t time_s = (time_t)unix_time_s;
    struct tm parts = {0};
    char date[32] = "Thu Jan  1 00:00:00 1970";
    /* As asctime(3) writes it, in C's locale, which is ours. */
    if (localtime_r(&time_s, &parts))
        (void)strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &parts);
    buffer_append_string(out, "From ");
    if (span_is_empty(reverse_path))
        reverse_path = SPAN("MAILER-DAEMON");
    for (size_t i = 0; i < reverse_path.length; i++)
        if (reverse_path.bytes[i] > ' ' && reverse_path.bytes[i] != 0x7f)
            buffer_append_byte(out, reverse_path.bytes[i]);
    buffer_append_format(out, "  %s\n", date);
}

void rendition_put_fields(struct buffer *out, struct span reverse_path,
                          struct span original_recipient, struct span delivered_to)
{
    put_field(out, "Return-Path: <", reverse_path, ">\n"); /* RFC 5321 section 4.4 */
    if (!span_is_empty(original_recipient))
        put_field(out, "X-Original-To: ", original_recipient, "\n");
    if (!span_is_empty(delivered_to))
        put_field(out, "Delivered-To: ", delivered_to, "\n");
}

static bool write_all(int out, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        const ssize_t count = write(out, bytes, length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            errno = count == 0 ? ENOSPC : errno;
            return false;
        }
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

/* The beginning of a line that may become a "From " waits. */
static bool flush_text(struct rendition *rendition)
{
    uint8_t *text = rendition->space->text;
    const size_t length =
        rendition->quotes_from ? rendition->scanned_length : rendition->text_length;
    if (!write_all(rendition->out, text, length))
        return false;
    if (length > 0)
        rendition->last_byte = text[length - 1];
    rendition->written_bytes += length;
    rendition->text_length -= length;
    rendition->scanned_length = 0;
    memmove(text, text + length, rendition->text_length);
    return true;
}

/* Quotes in what has come since the last call. */
static bool quote_lines(struct rendition *rendition)
{
    static const uint8_t from[] = {'F', 'r', 'o', 'm', ' '};
    uint8_t *text = rendition->space->text;
    while (rendition->scanned_length < rendition->text_length) {
        uint8_t *at = text + rendition->scanned_length;
        const size_t left = rendition->text_length - rendition->scanned_length;
        if (!rendition->is_at_line_start) {
            const uint8_t *end = memchr(at, '\n', left);
            rendition->scanned_length += end ? (size_t)(end - at) + 1 : left;
            rendition->is_at_line_start = end != NULL;
            continue;
        }
        if (memcmp(at, from, left < sizeof(from) ? left : sizeof(from)) != 0) {
            rendition->is_at_line_start = false;
            continue;
        }
        if (left < sizeof(from))
            return true;
        if (rendition->text_length == sizeof(rendition->space->text)) {
            if (!flush_text(rendition))
                return false;
            continue;
        }
        memmove(at + 1, at, left);
        *at = '>';
        rendition->text_length++;
        rendition->scanned_length++;
        rendition->is_at_line_start = false;
    }
    return true;
}

static bool add_byte(struct rendition *rendition, uint8_t byte)
{
    if (rendition->text_length == sizeof(rendition->space->text) && !flush_text(rendition))
        return false;
    rendition->space->text[rendition->text_length++] = byte;
    return true;
}

/* What is held back, a last line without an end, and the empty line after the message. */
static bool end_mbox(struct rendition *rendition)
{
    rendition->scanned_length = rendition->text_length;
    const uint8_t last = rendition->text_length > 0
                             ? rendition->space->text[rendition->text_length - 1]
                             : rendition->last_byte;
    if (last != '\n' && !add_byte(rendition, '\n'))
        return false;
    rendition->scanned_length = rendition->text_length;
    if (!add_byte(rendition, '\n'))
        return false;
    rendition->scanned_length = rendition->text_length;
    return true;
}

static bool line_is_loop(const struct rendition *rendition)
{
    static const char name[] = "delivered-to:";
    const struct span line = span_of(rendition->line, rendition->line_length);
    const size_t name_length = sizeof(name) - 1;
    return span_equals_ascii_nocase(span_first(line, name_length), span_of(name, name_length)) &&
           span_equals_ascii_nocase(span_trim_spaces(span_after(line, name_length)),
                                    rendition->loop_recipient);
}

/* Collects the lines of the header as they pass. False: a loop. */
static bool watch_header(struct rendition *rendition, const uint8_t *bytes, size_t length)
{
    while (length > 0 && rendition->is_in_header) {
        const uint8_t *end = memchr(bytes, '\n', length);
        const size_t count = end ? (size_t)(end - bytes) : length;
        const size_t room = sizeof(rendition->line) - rendition->line_length;
        const size_t kept = count < room ? count : room;
        memcpy(rendition->line + rendition->line_length, bytes, kept);
        rendition->line_length += kept;
        if (!end)
            return true;
        bytes = end + 1;
        length -= count + 1;
        if (rendition->line_length == 0)
            rendition->is_in_header = false;
        else if (line_is_loop(rendition))
            return false;
        rendition->line_length = 0;
    }
    return true;
}

/* CRLF becomes LF. A CR at the end of the piece waits for the next one; any other CR, which intake
 * lets pass only where a setting says so, stays. */
static void convert(struct rendition *rendition, const uint8_t *bytes, size_t length)
{
    uint8_t *out = rendition->space->text + rendition->text_length;
    if (rendition->has_carriage_return && length > 0 && bytes[0] != '\n')
        *out++ = '\r';
    if (length > 0)
        rendition->has_carriage_return = false;
    while (length > 0) {
        const uint8_t *found = memchr(bytes, '\r', length);
        const size_t count = found ? (size_t)(found - bytes) : length;
        memcpy(out, bytes, count);
        out += count;
        if (!found)
            break;
        bytes += count + 1;
        length -= count + 1;
        if (length == 0)
            rendition->has_carriage_return = true;
        else if (bytes[0] != '\n')
            *out++ = '\r';
    }
    rendition->text_length = (size_t)(out - rendition->space->text);
}

static enum rendition_result take_piece(struct rendition *rendition, const uint8_t *bytes,
                                        size_t length)
{
    digest_update(&rendition->space->digest, span_of(bytes, length));
    /* One byte more than the piece: a CR that waited. */
    if (rendition->text_length + length + 1 > sizeof(rendition->space->text) &&
        !flush_text(rendition))
        return RENDITION_WRITE_FAILED;
    const size_t before = rendition->text_length;
    convert(rendition, bytes, length);
    if (rendition->is_in_header &&
        !watch_header(rendition, rendition->space->text + before, rendition->text_length - before))
        return RENDITION_LOOPS;
    if (rendition->quotes_from && !quote_lines(rendition))
        return RENDITION_WRITE_FAILED;
    return RENDITION_OK;
}

static enum rendition_result check_extent(struct rendition *rendition,
                                          const struct queue_extent *extent)
{
    uint8_t actual[DIGEST_BYTES];
    if (!digest_finish(&rendition->space->digest, actual)) {
        errno = ENOMEM;
        return RENDITION_READ_FAILED;
    }
    return memcmp(actual, extent->digest, DIGEST_BYTES) == 0 ? RENDITION_OK : RENDITION_CORRUPT;
}

static enum rendition_result copy_extent(struct rendition *rendition, int descriptor,
                                         const struct queue_extent *extent)
{
    uint8_t *raw = rendition->space->raw;
    digest_start(&rendition->space->digest);
    for (uint64_t done = 0; done < extent->length;) {
        const uint64_t rest = extent->length - done;
        const size_t count = rest < RENDITION_CHUNK_BYTES ? (size_t)rest : RENDITION_CHUNK_BYTES;
        if (file_pread_all(descriptor, raw, count, extent->offset + done) != 0)
            return RENDITION_READ_FAILED;
        const enum rendition_result result = take_piece(rendition, raw, count);
        if (result != RENDITION_OK)
            return result;
        done += count;
    }
    return check_extent(rendition, extent);
}

static size_t next_extent(const struct message_content *content, uint64_t offset)
{
    size_t i = 0;
    while (i < content->extent_count && content->extents[i].offset != offset)
        i++;
    return i;
}

/* Reads all extents at once when they are small and lie side by side, in whatever order: the usual
 * message, body first in the file and header first in the content. False: they do not; errno 0, or
 * that of the read. On success piece[i] is where extent i begins in space->raw. */
static bool gather(const struct message_content *content, struct rendition_space *space,
                   size_t piece[QUEUE_EXTENT_MAX])
{
    struct iovec pieces[QUEUE_EXTENT_MAX];
    uint64_t first = UINT64_MAX, at;
    errno = 0;
    if (content->size_bytes > RENDITION_CHUNK_BYTES)
        return false;
    size_t start = 0;
    for (size_t i = 0; i < content->extent_count; i++) {
        piece[i] = start;
        start += (size_t)content->extents[i].length;
        if (content->extents[i].length == 0)
            return false; /* two at one place; too rare to sort out */
        if (content->extents[i].offset < first)
            first = content->extents[i].offset;
    }
    at = first;
    for (size_t i = 0; i < content->extent_count; i++) {
        const size_t next = next_extent(content, at);
        if (next == content->extent_count)
            return false;
        pieces[i].iov_base = space->raw + piece[next];
        pieces[i].iov_len = (size_t)content->extents[next].length;
        at += content->extents[next].length;
    }
    const ssize_t count =
        preadv(content->descriptor, pieces, (int)content->extent_count, (off_t)first);
    return count >= 0 && (uint64_t)count == content->size_bytes;
}

static enum rendition_result copy_gathered(struct rendition *rendition,
                                           const struct message_content *content,
                                           const size_t piece[QUEUE_EXTENT_MAX])
{
    enum rendition_result result = RENDITION_OK;
    for (size_t i = 0; i < content->extent_count && result == RENDITION_OK; i++) {
        digest_start(&rendition->space->digest);
        result = take_piece(rendition, rendition->space->raw + piece[i],
                            (size_t)content->extents[i].length);
        if (result == RENDITION_OK)
            result = check_extent(rendition, &content->extents[i]);
    }
    return result;
}

/* ---- one reading for several files ---- */

void rendition_forget(struct rendition_space *space)
{
    space->kept = NULL;
}

/* Behind the room for fields no content that is small enough to be gathered fills the text, so
 * nothing is written on the way. */
void rendition_keep(struct rendition_space *space, const struct message_content *content)
{
    struct rendition rendition = {
        .space = space, .out = -1, .text_length = RENDITION_FIELDS_MAX_BYTES};
    size_t piece[QUEUE_EXTENT_MAX];
    rendition_forget(space);
    if (!gather(content, space, piece) ||
        copy_gathered(&rendition, content, piece) != RENDITION_OK ||
        (rendition.has_carriage_return && !add_byte(&rendition, '\r')))
        return; /* each file's own reading says why */
    space->kept = content;
    space->kept_bytes = rendition.text_length - RENDITION_FIELDS_MAX_BYTES;
}

static enum rendition_result write_kept(struct rendition *rendition, struct span fields,
                                        uint64_t *size_bytes)
{
    uint8_t *text = rendition->space->text + RENDITION_FIELDS_MAX_BYTES;
    const size_t length = rendition->space->kept_bytes;
    if (rendition->is_in_header && !watch_header(rendition, text, length))
        return RENDITION_LOOPS;
    memcpy(text - fields.length, fields.bytes, fields.length);
    if (!write_all(rendition->out, text - fields.length, fields.length + length))
        return RENDITION_WRITE_FAILED;
    *size_bytes = fields.length + length;
    return RENDITION_OK;
}

enum rendition_result rendition_write(const struct message_content *content,
                                      enum rendition_form form, struct span fields,
                                      struct span loop_recipient, struct rendition_space *space,
                                      int out, uint64_t *size_bytes)
{
    struct rendition rendition = {.space = space,
                                  .out = out,
                                  .loop_recipient = loop_recipient,
                                  .quotes_from = form == RENDITION_MBOX,
                                  .is_at_line_start = true,
                                  .scanned_length = fields.length};
    size_t piece[QUEUE_EXTENT_MAX];
    enum rendition_result result = RENDITION_OK;

    rendition.is_in_header = !span_is_empty(loop_recipient);
    ASSERT(fields.length <= RENDITION_FIELDS_MAX_BYTES);
    if (space->kept == content && form == RENDITION_PLAIN)
        return write_kept(&rendition, fields, size_bytes);
    rendition_forget(space); /* the text is about to be another */
    memcpy(space->text, fields.bytes, fields.length);
    rendition.text_length = fields.length;
    if (gather(content, space, piece)) {
        result = copy_gathered(&rendition, content, piece);
    } else {
        for (size_t i = 0; i < content->extent_count && result == RENDITION_OK; i++)
            result = copy_extent(&rendition, content->descriptor, &content->extents[i]);
    }
    if (result != RENDITION_OK)
        return result;
    if (rendition.has_carriage_return && !add_byte(&rendition, '\r'))
        return RENDITION_WRITE_FAILED;
    if (rendition.quotes_from && !end_mbox(&rendition))
        return RENDITION_WRITE_FAILED;
    if (!flush_text(&rendition))
        return RENDITION_WRITE_FAILED;
    *size_bytes = rendition.written_bytes;
    return RENDITION_OK;
}
