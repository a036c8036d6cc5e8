/* base/buffer - see buffer.h. */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"

enum { BUFFER_FIRST_BYTES = 256, DECIMAL_DIGITS_MAX = 20 /* of 2^64 */ };

void buffer_init(struct buffer *buffer, struct arena *arena, size_t limit_bytes)
{
    *buffer = (struct buffer){.arena = arena, .limit = limit_bytes};
}

static void give_back(const struct buffer *buffer)
{
    if (buffer->arena)
        return;
    if (buffer->holds_secrets && buffer->bytes)
        explicit_bzero(buffer->bytes, buffer->allocated);
    free(buffer->bytes);
}

void buffer_release(struct buffer *buffer)
{
    const bool holds_secrets = buffer->holds_secrets;
    give_back(buffer);
    buffer_init(buffer, buffer->arena, buffer->limit);
    buffer->holds_secrets = holds_secrets;
}

void buffer_reset(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->has_failed = buffer->is_full = false;
}

static bool grow_to(struct buffer *buffer, size_t needed)
{
    size_t size = buffer->allocated ? buffer->allocated : BUFFER_FIRST_BYTES;
    while (size < needed)
        size = size > SIZE_MAX / 2 ? needed : size * 2;
    if (size > buffer->limit)
        size = buffer->limit;
    uint8_t *bytes;
    if (buffer->arena || buffer->holds_secrets) {
        bytes = buffer->arena ? arena_alloc(buffer->arena, size) : malloc(size);
        if (bytes && buffer->length)
            memcpy(bytes, buffer->bytes, buffer->length);
        if (bytes)
            give_back(buffer);
    } else {
        bytes = realloc(buffer->bytes, size);
    }
    if (!bytes)
        return false;
    buffer->bytes = bytes;
    buffer->allocated = size;
    return true;
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t count)
{
    if (buffer->has_failed)
        return NULL;
    buffer->is_full = count > buffer->limit - buffer->length;
    if (buffer->is_full ||
        (count > buffer->allocated - buffer->length && !grow_to(buffer, buffer->length + count))) {
        buffer->has_failed = true;
        return NULL;
    }
    return buffer->bytes + buffer->length;
}

void buffer_extend(struct buffer *buffer, size_t count)
{
    ASSERT(count <= buffer->allocated - buffer->length);
    buffer->length += count;
}

void buffer_append_uint16(struct buffer *buffer, uint16_t value)
{
    uint8_t bytes[2];
    number_put_uint16(bytes, value);
    buffer_append(buffer, bytes, sizeof(bytes));
}

void buffer_append_uint32(struct buffer *buffer, uint32_t value)
{
    uint8_t bytes[4];
    number_put_uint32(bytes, value);
    buffer_append(buffer, bytes, sizeof(bytes));
}

void buffer_append_uint64(struct buffer *buffer, uint64_t value)
{
    uint8_t bytes[8];
    number_put_uint64(bytes, value);
    buffer_append(buffer, bytes, sizeof(bytes));
}

/* Two digits at a time: times in microseconds have sixteen. */
void buffer_append_decimal(struct buffer *buffer, uint64_t value, unsigned digits)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930"
                                "31323334353637383940414243444546474849505152535455565758596061"
                                "62636465666768697071727374757677787980818283848586878889909192"
                                "93949596979899";
    uint8_t text[DECIMAL_DIGITS_MAX];
    size_t begin = sizeof(text);
    if (digits > DECIMAL_DIGITS_MAX)
        digits = DECIMAL_DIGITS_MAX;
    for (; value >= 100; value /= 100) {
        begin -= 2;
        memcpy(text + begin, pairs + value % 100 * 2, 2);
    }
    if (value >= 10) {
        text[--begin] = (uint8_t)pairs[value * 2 + 1];
        value /= 10;
    }
    text[--begin] = (uint8_t)('0' + value);
    while (sizeof(text) - begin < digits)
        text[--begin] = '0';
    buffer_append(buffer, text + begin, sizeof(text) - begin);
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
    char first[256];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(first, sizeof(first), format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->has_failed = true;
        return;
    }
    const size_t size = (size_t)length;
    if (size < sizeof(first)) {
        buffer_append(buffer, first, size);
        return;
    }
    char *room = (char *)buffer_reserve(buffer, size + 1);
    if (!room)
        return;
    va_start(arguments, format);
    (void)vsnprintf(room, size + 1, format, arguments);
    va_end(arguments);
    buffer->length += size;
}

void buffer_consume(struct buffer *buffer, size_t count)
{
    if (count > buffer->length)
        count = buffer->length;
    buffer->length -= count;
    if (count && buffer->length)
        memmove(buffer->bytes, buffer->bytes + count, buffer->length);
}
