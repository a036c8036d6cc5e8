/* local/pipe_copy - see pipe_copy.h. */
#include "pipe_copy.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "queuefile/digest.h"
#include "smtp/date.h"
#include "system/file.h"

enum { CHUNK_BYTES = 32768, LINE_MAX_BYTES = 1200, OUT_MAX_BYTES = 1 << 20 };

static const char from_text[] = "From ";
enum { FROM_BYTES = sizeof(from_text) - 1 };

void pipe_copy_init(struct pipe_copy *copy, const struct conf_pipe_command *command)
{
    *copy = (struct pipe_copy){.command = command};
}

static void put_held(struct pipe_copy *copy, struct buffer *out)
{
    buffer_append_span(out, span_of(from_text, copy->matched_bytes));
    copy->matched_bytes = 0;
}

static void end_line(struct pipe_copy *copy, struct buffer *out)
{
    put_held(copy, out);
    buffer_append_span(out, copy->command->line_end);
    copy->is_line_begun = false;
}

/* A byte of a line, not of its end. */
static void put_byte(struct pipe_copy *copy, uint8_t byte, struct buffer *out)
{
    const unsigned flags = copy->command->flags;
    if (!copy->is_line_begun && (flags & CONF_PIPE_QUOTE_FROM) &&
        byte == (uint8_t)from_text[copy->matched_bytes]) {
        if (++copy->matched_bytes < FROM_BYTES)
            return;
        buffer_append_byte(out, '>');
        put_held(copy, out);
        copy->is_line_begun = true;
        return;
    }
    if (!copy->is_line_begun && copy->matched_bytes == 0 && byte == '.' &&
        (flags & CONF_PIPE_DOUBLE_DOT))
        buffer_append_byte(out, '.');
    put_held(copy, out);
    buffer_append_byte(out, byte);
    /* A bare LF begins a line for whoever reads, too. */
    copy->is_line_begun = byte != '\n';
}

void pipe_copy_piece(struct pipe_copy *copy, struct span piece, struct buffer *out)
{
    while (piece.length > 0) {
        if (copy->has_carriage_return && piece.bytes[0] == '\n') {
            end_line(copy, out);
            copy->has_carriage_return = false;
            piece = span_after(piece, 1);
            continue;
        }
        if (copy->has_carriage_return)
            put_byte(copy, '\r', out);
        copy->has_carriage_return = piece.bytes[0] == '\r';
        if (copy->has_carriage_return) {
            piece = span_after(piece, 1);
        } else if (!copy->is_line_begun || piece.bytes[0] == '\n') {
            put_byte(copy, piece.bytes[0], out);
            piece = span_after(piece, 1);
        } else { /* the rest of the line at once */
            size_t length = 1;
            while (length < piece.length && piece.bytes[length] != '\r' &&
                   piece.bytes[length] != '\n')
                length++;
            buffer_append_span(out, span_first(piece, length));
            piece = span_after(piece, length);
        }
    }
}

void pipe_copy_end(struct pipe_copy *copy, struct buffer *out)
{
    if (copy->has_carriage_return)
        put_byte(copy, '\r', out);
    copy->has_carriage_return = false;
    put_held(copy, out);
    if (copy->command->flags & CONF_PIPE_BLANK_LINE)
        buffer_append_span(out, copy->command->line_end);
}

static void put_field(const char *name, struct span value, const char *after,
                      const struct conf_pipe_command *command, struct buffer *out)
{
    buffer_append_string(out, name);
    buffer_append_span(out, value);
    buffer_append_string(out, after);
    buffer_append_span(out, command->line_end);
}

void pipe_copy_put_head(const struct conf_pipe_command *command, const struct pipe_head *head,
                        struct buffer *out)
{
    if (command->flags & CONF_PIPE_FROM_LINE) {
        buffer_append_string(out, "From ");
        buffer_append_span(out, head->sender);
        buffer_append_string(out, "  ");
        smtp_date_append_mbox(out, head->time_s, head->offset_minutes);
        buffer_append_span(out, command->line_end);
    }
    if (command->flags & CONF_PIPE_RETURN_PATH)
        put_field("Return-Path: <", head->sender, ">", command, out);
    if (command->flags & CONF_PIPE_ORIGINAL_TO)
        put_field("X-Original-To: ", head->original_recipient, "", command, out);
    if (command->flags & CONF_PIPE_DELIVERED_TO)
        put_field("Delivered-To: ", head->recipient, "", command, out);
}

/* ---- reading ---- */

/* Looks for a Delivered-To as the lines of the header pass. */
struct watch {
    struct span recipient;
    size_t line_length;
    bool is_over;
    bool loops;
    uint8_t line[LINE_MAX_BYTES];
};

static bool is_loop(const struct watch *watch)
{
    static const char name[] = "delivered-to:";
    const struct span line = span_of(watch->line, watch->line_length);
    const size_t name_length = sizeof(name) - 1;
    return span_equals_ascii_nocase(span_first(line, name_length), span_of(name, name_length)) &&
           span_equals_ascii_nocase(span_trim_spaces(span_after(line, name_length)),
                                    watch->recipient);
}

static void watch_piece(struct watch *watch, struct span piece)
{
    for (size_t i = 0; i < piece.length && !watch->is_over; i++) {
        const uint8_t byte = piece.bytes[i];
        if (byte == '\n') {
            watch->loops = watch->loops || is_loop(watch);
            watch->is_over = watch->line_length == 0 || watch->loops;
            watch->line_length = 0;
        } else if (byte != '\r' && watch->line_length < sizeof(watch->line)) {
            watch->line[watch->line_length++] = byte;
        }
    }
}

static enum pipe_check check_extent(int descriptor, const struct queue_extent *extent,
                                    struct digest *digest, struct watch *watch)
{
    static uint8_t bytes[CHUNK_BYTES]; /* one at a time in a process */
    uint8_t actual[DIGEST_BYTES];
    digest_start(digest);
    for (uint64_t done = 0; done < extent->length;) {
        const uint64_t rest = extent->length - done;
        const size_t count = rest < CHUNK_BYTES ? (size_t)rest : CHUNK_BYTES;
        if (file_pread_all(descriptor, bytes, count, extent->offset + done) != 0)
            return PIPE_CHECK_READ_FAILED;
        digest_update(digest, span_of(bytes, count));
        watch_piece(watch, span_of(bytes, count));
        done += count;
    }
    if (!digest_finish(digest, actual)) {
        errno = ENOMEM;
        return PIPE_CHECK_READ_FAILED;
    }
    return memcmp(actual, extent->digest, DIGEST_BYTES) == 0 ? PIPE_CHECK_OK : PIPE_CHECK_CORRUPT;
}

enum pipe_check pipe_copy_check(const struct message_content *content, struct span loop_recipient)
{
    struct watch watch = {.recipient = loop_recipient, .is_over = span_is_empty(loop_recipient)};
    struct digest digest;
    enum pipe_check result = PIPE_CHECK_OK;
    if (!digest_init(&digest)) {
        errno = ENOMEM;
        return PIPE_CHECK_READ_FAILED;
    }
    for (size_t i = 0; i < content->extent_count && result == PIPE_CHECK_OK; i++)
        result = check_extent(content->descriptor, &content->extents[i], &digest, &watch);
    digest_destroy(&digest);
    return result == PIPE_CHECK_OK && watch.loops ? PIPE_CHECK_LOOPS : result;
}

/* ---- writing ---- */

/* 0, or an error number; the buffer is empty then. */
static int write_out(struct buffer *out, int descriptor)
{
    struct span rest = buffer_span(out);
    if (!buffer_ok(out))
        return ENOMEM;
    while (rest.length > 0) {
        const ssize_t count = write(descriptor, rest.bytes, rest.length);
        if (count < 0 && errno != EINTR)
            return errno;
        if (count > 0)
            rest = span_after(rest, (size_t)count);
    }
    buffer_reset(out);
    return 0;
}

static int write_extent(struct pipe_copy *copy, int descriptor, const struct queue_extent *extent,
                        struct buffer *out_buffer, int out)
{
    static uint8_t bytes[CHUNK_BYTES]; /* one at a time in a process */
    for (uint64_t done = 0; done < extent->length;) {
        const uint64_t rest = extent->length - done;
        const size_t count = rest < CHUNK_BYTES ? (size_t)rest : CHUNK_BYTES;
        if (file_pread_all(descriptor, bytes, count, extent->offset + done) != 0)
            return errno;
        pipe_copy_piece(copy, span_of(bytes, count), out_buffer);
        const int error = write_out(out_buffer, out);
        if (error != 0)
            return error;
        done += count;
    }
    return 0;
}

int pipe_copy_write(const struct message_content *content, const struct conf_pipe_command *command,
                    const struct pipe_head *head, int out)
{
    struct pipe_copy copy;
    struct buffer buffer;
    int error = 0;
    buffer_init(&buffer, NULL, OUT_MAX_BYTES);
    pipe_copy_init(&copy, command);
    pipe_copy_put_head(command, head, &buffer);
    for (size_t i = 0; i < content->extent_count && error == 0; i++)
        error = write_extent(&copy, content->descriptor, &content->extents[i], &buffer, out);
    if (error == 0) {
        pipe_copy_end(&copy, &buffer);
        error = write_out(&buffer, out);
    }
    buffer_release(&buffer);
    return error == EPIPE ? 0 : error; /* it need not read all */
}
