/* base/arena - see arena.h. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    /* With its head as large as what malloc() still keeps at hand for a thread: most arenas live
     * for one question, and need one or two of these. */
    ARENA_FIRST_CHUNK_BYTES = 992,
    ARENA_FIRST_CHUNKS_BYTES = 2 * ARENA_FIRST_CHUNK_BYTES,
    ARENA_LAST_CHUNK_BYTES = 32768,
    ARENA_ALIGNMENT = 16
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t size;
    size_t used;
    alignas(ARENA_ALIGNMENT) uint8_t bytes[];
};

void arena_init(struct arena *arena, size_t capacity_bytes, unsigned flags)
{
    *arena = (struct arena){.capacity_bytes = capacity_bytes, .flags = flags};
}

static struct arena_chunk *add_chunk(struct arena *arena, size_t wanted)
{
    size_t size = ARENA_FIRST_CHUNK_BYTES;
    if (arena->chunks && arena->used_bytes + wanted > ARENA_FIRST_CHUNKS_BYTES)
        size = arena->chunks->size * 2;
    if (size > ARENA_LAST_CHUNK_BYTES)
        size = ARENA_LAST_CHUNK_BYTES;
    if (size < wanted)
        size = wanted;
    struct arena_chunk *chunk = malloc(sizeof(*chunk) + size);
    if (!chunk)
        return NULL;
    chunk->older = arena->chunks;
    chunk->size = size;
    chunk->used = 0;
    arena->chunks = chunk;
    return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    if (size > arena->capacity_bytes)
        return NULL;
    const size_t rounded = (size + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
    if (rounded > arena->capacity_bytes - arena->used_bytes)
        return NULL;
    struct arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->size - chunk->used < rounded) {
        chunk = add_chunk(arena, rounded);
        if (!chunk)
            return NULL;
    }
    uint8_t *bytes = chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used_bytes += rounded;
    memset(bytes, 0, size);
    return bytes;
}

struct span arena_copy(struct arena *arena, struct span span)
{
    uint8_t *bytes = arena_alloc(arena, span.length);
    if (!bytes)
        return (struct span){NULL, 0};
    if (span.length)
        memcpy(bytes, span.bytes, span.length);
    return span_of(bytes, span.length);
}

char *arena_string(struct arena *arena, struct span span)
{
    if (span.length == SIZE_MAX)
        return NULL;
    char *string = arena_alloc(arena, span.length + 1);
    if (string && span.length)
        memcpy(string, span.bytes, span.length);
    return string;
}

struct span arena_format(struct arena *arena, const char *format, ...)
{
    char first[512];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(first, sizeof(first), format, arguments);
    va_end(arguments);
    if (length < 0)
        return (struct span){NULL, 0};
    const size_t size = (size_t)length;
    if (size < sizeof(first))
        return arena_copy(arena, span_of(first, size));
    char *text = arena_alloc(arena, size + 1);
    if (!text)
        return (struct span){NULL, 0};
    va_start(arguments, format);
    (void)vsnprintf(text, size + 1, format, arguments);
    va_end(arguments);
    return span_of(text, size);
}

void arena_reset(struct arena *arena)
{
    while (arena->chunks) {
        struct arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->older;
        if (arena->flags & ARENA_WIPE)
            explicit_bzero(chunk->bytes, chunk->used);
        free(chunk);
    }
    arena->used_bytes = 0;
}

void arena_destroy(struct arena *arena)
{
    arena_reset(arena);
}
