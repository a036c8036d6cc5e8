/* system/stream - bounded buffered I/O on a socket, for straight-line code in a task.
 * Input is a window of at most LOOP_BLOCK_BYTES unconsumed bytes, held only while there are any;
 * output is collected and leaves at stream_flush(). The owner parses stream_input() with a pure
 * parser and consumes what it used. */
#ifndef SYSTEM_STREAM_H
#define SYSTEM_STREAM_H

#include <sys/socket.h>

#include "base/buffer.h"
#include "system/watch.h"

enum stream_result {
    STREAM_OK,
    STREAM_END,       /* the peer closed its side */
    STREAM_TIMED_OUT, /* the deadline passed */
    STREAM_FAILED,    /* a system call failed: stream->error is its errno */
    STREAM_CANCELLED, /* the task is to end */
    STREAM_FULL       /* the window is full of unconsumed bytes */
};

enum { STREAM_OUTPUT_MAX_BYTES = 1 << 20 };

struct stream {
    struct watch watch;
    struct loop *loop;
    uint8_t *block; /* of LOOP_BLOCK_BYTES, NULL when the window is empty */
    size_t begin, end;
    struct buffer output;
    int descriptor; /* -1 when closed */
    int error;
};

/* Takes the descriptor over and makes it non-blocking. On -1 it is closed. */
MUST_USE int stream_open(struct stream *stream, struct loop *loop, int descriptor);
/* A new TCP or Unix connection to the address: STREAM_OK, STREAM_TIMED_OUT, STREAM_FAILED or
 * STREAM_CANCELLED; only STREAM_OK leaves an open stream. source may be NULL. */
MUST_USE enum stream_result stream_connect(struct stream *stream, struct loop *loop,
                                           const struct sockaddr *address, socklen_t length,
                                           const struct sockaddr *source, socklen_t source_length,
                                           int64_t deadline_ms);
void stream_close(struct stream *stream);

/* Adds at least one byte to the input, or says why not. */
MUST_USE enum stream_result stream_read(struct stream *stream, int64_t deadline_ms);
static inline struct span stream_input(const struct stream *stream)
{
    return span_of(stream->block ? stream->block + stream->begin : (const uint8_t *)"",
                   stream->end - stream->begin);
}
void stream_consume(struct stream *stream, size_t count);

/* Collects output; too much at once makes the next flush STREAM_FAILED with ENOBUFS. */
void stream_write(struct stream *stream, struct span bytes);
/* Sends all of it, parking while the peer is slow. */
MUST_USE enum stream_result stream_flush(struct stream *stream, int64_t deadline_ms);

#endif
