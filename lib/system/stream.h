/* system/stream - bounded buffered I/O on a socket, for straight-line code in a task.
 * Input is a window of at most LOOP_BLOCK_BYTES unconsumed bytes, held only while there are any;
 * output is collected and leaves at stream_flush(). The owner parses stream_input() with a pure
 * parser and consumes what it used. Below the window may lie a layer that makes other bytes of the
 * socket's (TLS: tls/stream.h); the owner sees no difference. */
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

struct stream;

/* What came of one attempt that does not wait. */
enum stream_attempt {
    STREAM_DID,        /* *count bytes, at least one */
    STREAM_WANTS_READ, /* nothing until the socket can be read, or written */
    STREAM_WANTS_WRITE,
    STREAM_HAS_ENDED, /* the peer said that nothing follows */
    STREAM_HAS_FAILED /* stream->error is set */
};

struct stream_layer {
    enum stream_attempt (*read)(struct stream *stream, uint8_t *bytes, size_t size, size_t *count);
    enum stream_attempt (*write)(struct stream *stream, struct span bytes, size_t *count);
    /* Are bytes at hand that no event of the socket will announce? */
    bool (*has_more)(const struct stream *stream);
    /* Frees the state; the socket is still open, and nothing waits. */
    void (*close)(struct stream *stream);
};

struct stream {
    struct watch watch;
    struct loop *loop;
    uint8_t *block; /* of LOOP_BLOCK_BYTES, NULL when the window is empty */
    size_t begin, end;
    struct buffer output;
    bool has_secret_output; /* it is overwritten when it has gone */
    int descriptor;         /* -1 when closed */
    int error;
    const struct stream_layer *layer; /* NULL: the socket's bytes are the owner's */
    void *layer_state;
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
/* From now on the layer makes the bytes; stream_close() ends it. Nothing may wait in the output,
 * and what the window still holds is thrown away: nobody vouches for it. */
void stream_push_layer(struct stream *stream, const struct stream_layer *layer, void *state);
/* For a layer that is not pushed yet: waits until what an attempt wanted is there. */
MUST_USE enum stream_result stream_wait(struct stream *stream, enum stream_attempt wanted,
                                        int64_t deadline_ms);

/* What has come, more than known_count bytes of it, without taking it: for whoever must leave the
 * rest to a layer that reads the socket itself. The window is empty, and there is no layer. */
MUST_USE enum stream_result stream_peek(struct stream *stream, uint8_t *bytes, size_t size,
                                        size_t known_count, size_t *count, int64_t deadline_ms);
/* Takes so many bytes of what was peeked at. */
MUST_USE enum stream_result stream_skip(struct stream *stream, size_t count);

/* Adds at least one byte to the input, or says why not. */
MUST_USE enum stream_result stream_read(struct stream *stream, int64_t deadline_ms);
/* Has everything that came been consumed, with nothing more here and the peer not gone? Looks, but
 * does not wait: a layer may have had messages of its own, which are nobody's input. */
MUST_USE bool stream_is_quiet(struct stream *stream);
/* The same of what the loop has not noticed yet: it costs a system call. */
MUST_USE bool stream_is_silent(struct stream *stream);
static inline struct span stream_input(const struct stream *stream)
{
    return span_of(stream->block ? stream->block + stream->begin : (const uint8_t *)"",
                   stream->end - stream->begin);
}
void stream_consume(struct stream *stream, size_t count);

/* Collects output; too much at once makes the next flush STREAM_FAILED with ENOBUFS. */
void stream_write(struct stream *stream, struct span bytes);
/* The same for what is not to stay in memory: to be flushed before anything else is written. */
void stream_write_secret(struct stream *stream, struct span bytes);
/* Sends all of it, parking while the peer is slow. */
MUST_USE enum stream_result stream_flush(struct stream *stream, int64_t deadline_ms);

#endif
