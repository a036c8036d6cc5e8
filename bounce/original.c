/* bounce/original - see original.h. */
#include "original.h"

#include <errno.h>
#include <stdlib.h>

#include "system/file.h"

enum { PIECE_BYTES = 65536 };

bool original_init(struct original *original, int descriptor, struct span extents)
{
    *original = (struct original){.descriptor = descriptor};
    if (queue_extents_decode(extents, original->extents, &original->extent_count) != PARSE_OK)
        return false;
    for (size_t i = 0; i < original->extent_count; i++)
        original->size_bytes += original->extents[i].length;
    return true;
}

bool original_read_header(const struct original *original, size_t limit_bytes,
                          struct buffer *header)
{
    for (size_t i = 0; i < original->extent_count && header->length < limit_bytes; i++) {
        const struct queue_extent *extent = &original->extents[i];
        size_t count = limit_bytes - header->length;
        if (count > extent->length)
            count = (size_t)extent->length;
        uint8_t *room = buffer_reserve(header, count);
        if (!room) {
            errno = ENOMEM;
            return false;
        }
        if (file_pread_all(original->descriptor, room, count, extent->offset) != 0)
            return false;
        buffer_extend(header, count);
        const struct span seen = buffer_span(header);
        const size_t end = span_find(seen, SPAN("\r\n\r\n"));
        if (end < seen.length) {
            header->length = end + 2;
            return true;
        }
    }
    /* Cut at a line, so that no half field is shown as one. */
    const struct span seen = buffer_span(header);
    const size_t last_line_end = span_find_last_byte(seen, '\n');
    if (last_line_end < seen.length)
        header->length = last_line_end + 1;
    return true;
}

static bool read_extent(const struct original *original, const struct queue_extent *extent,
                        struct digest *digest, uint8_t *storage,
                        void (*take)(void *context, struct span piece), void *context)
{
    uint8_t actual[DIGEST_BYTES];
    digest_start(digest);
    for (uint64_t done = 0; done < extent->length;) {
        const uint64_t left = extent->length - done;
        const size_t count = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        if (file_pread_all(original->descriptor, storage, count, extent->offset + done) != 0)
            return false;
        const struct span piece = span_of(storage, count);
        digest_update(digest, piece);
        take(context, piece);
        done += count;
    }
    if (!digest_finish(digest, actual)) {
        errno = ENOMEM; /* which says nothing of the content */
        return false;
    }
    errno = EBADMSG;
    return memcmp(actual, extent->digest, sizeof(actual)) == 0;
}

bool original_read(const struct original *original, void (*take)(void *context, struct span piece),
                   void *context)
{
    struct digest digest;
    uint8_t *storage = malloc(PIECE_BYTES);
    bool is_good = storage && digest_init(&digest);
    if (!is_good) {
        free(storage);
        errno = ENOMEM;
        return false;
    }
    for (size_t i = 0; i < original->extent_count && is_good; i++)
        is_good = read_extent(original, &original->extents[i], &digest, storage, take, context);
    const int error = errno;
    digest_destroy(&digest);
    free(storage);
    errno = error;
    return is_good;
}
