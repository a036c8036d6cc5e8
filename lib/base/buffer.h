/* base/buffer - bytes that grow up to a limit they were born with.
 * Going past the limit, or running out of memory, sets a sticky failure that is tested once,
 * before use: if (!buffer_ok(&line)). */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/arena.h"
#include "base/span.h"

struct buffer {
    uint8_t *bytes;
    size_t length;
    size_t allocated;
    size_t limit;
    struct arena *arena; /* NULL: from the heap, until buffer_release() */
    bool has_failed;
    bool is_full;       /* and failed for its limit, not for want of memory */
    bool holds_secrets; /* bytes from the heap are overwritten before they are given back */
};

/* Memory comes from the arena, or with arena NULL from the heap. Allocates nothing yet. */
void buffer_init(struct buffer *buffer, struct arena *arena, size_t limit_bytes);
/* Gives heap memory back; afterwards the buffer is empty and usable again. */
void buffer_release(struct buffer *buffer);
/* Empties it and clears the failure, keeping the memory. */
void buffer_reset(struct buffer *buffer);

static inline bool buffer_ok(const struct buffer *buffer)
{
    return !buffer->has_failed;
}

static inline struct span buffer_span(const struct buffer *buffer)
{
    return span_of(buffer->length ? buffer->bytes : (const uint8_t *)"", buffer->length);
}

/* Room for count more bytes, or NULL with the failure set; buffer_extend() says how many of them
 * were filled. */
MUST_USE uint8_t *buffer_reserve(struct buffer *buffer, size_t count);

/* In line with what follows: what a daemon does most is to append a few bytes for which there is
 * room. */
static inline void buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
    if (length == 0)
        return;
    const bool has_room = length <= buffer->allocated - buffer->length && !buffer->has_failed;
    uint8_t *room = has_room ? buffer->bytes + buffer->length : buffer_reserve(buffer, length);
    if (!room)
        return;
    memcpy(room, bytes, length);
    buffer->length += length;
}

static inline void buffer_append_span(struct buffer *buffer, struct span span)
{
    buffer_append(buffer, span.bytes, span.length);
}

static inline void buffer_append_string(struct buffer *buffer, const char *string)
{
    buffer_append(buffer, string, strlen(string));
}

static inline void buffer_append_byte(struct buffer *buffer, uint8_t byte)
{
    buffer_append(buffer, &byte, 1);
}

void buffer_append_uint16(struct buffer *buffer, uint16_t value); /* big-endian */
void buffer_append_uint32(struct buffer *buffer, uint32_t value);
void buffer_append_uint64(struct buffer *buffer, uint64_t value);
/* As printf's %0*llu would, at a small part of its price; digits: at least so many. */
void buffer_append_decimal(struct buffer *buffer, uint64_t value, unsigned digits);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
void buffer_extend(struct buffer *buffer, size_t count);
/* Drops bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t count);

#endif
