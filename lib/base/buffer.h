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

void buffer_append(struct buffer *buffer, const void *bytes, size_t length);
void buffer_append_span(struct buffer *buffer, struct span span);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_byte(struct buffer *buffer, uint8_t byte);
void buffer_append_uint16(struct buffer *buffer, uint16_t value); /* big-endian */
void buffer_append_uint32(struct buffer *buffer, uint32_t value);
void buffer_append_uint64(struct buffer *buffer, uint64_t value);
void buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for count more bytes, or NULL with the failure set; buffer_extend() says how many of them
 * were filled. */
MUST_USE uint8_t *buffer_reserve(struct buffer *buffer, size_t count);
void buffer_extend(struct buffer *buffer, size_t count);
/* Drops bytes at the front. */
void buffer_consume(struct buffer *buffer, size_t count);

#endif
