/* tests/local/content - a message's content in a queue file of a test's own. */
#ifndef TESTS_LOCAL_CONTENT_H
#define TESTS_LOCAL_CONTENT_H

#include <stdlib.h>
#include <unistd.h>

#include "../test.h"
#include "agent/content.h"
#include "queuefile/digest.h"
#include "queuefile/preamble.h"
#include "system/file.h"

static inline void add_extent(struct message_content *content, uint64_t offset, struct span bytes)
{
    struct queue_extent *extent = &content->extents[content->extent_count++];
    struct digest digest;
    assert_true(digest_init(&digest));
    digest_start(&digest);
    digest_update(&digest, bytes);
    assert_true(digest_finish(&digest, extent->digest));
    digest_destroy(&digest);
    extent->offset = offset;
    extent->length = bytes.length;
    content->size_bytes += bytes.length;
    assert_int_equal(file_pwrite_all(content->descriptor, bytes.bytes, bytes.length, offset), 0);
}

/* Body first in the file, header first in the content, as intake writes it. */
static inline void make_content(struct message_content *content, struct span header,
                                struct span body)
{
    char path[] = "/tmp/posthouse-content-XXXXXX";
    *content = (struct message_content){.descriptor = mkstemp(path)};
    assert_true(content->descriptor >= 0);
    assert_int_equal(unlink(path), 0);
    add_extent(content, QUEUE_FILE_CONTENT_OFFSET + body.length, header);
    add_extent(content, QUEUE_FILE_CONTENT_OFFSET, body);
}

#endif
