/* system/stream - see stream.h. */
#include "system/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "system/file.h"

enum { SKIP_BYTES = 512 };

static enum stream_result from_wake(enum task_wake wake)
{
    switch (wake) {
    case TASK_WOKEN:
        return STREAM_OK;
    case TASK_TIMED_OUT:
        return STREAM_TIMED_OUT;
    case TASK_CANCELLED:
        break;
    }
    return STREAM_CANCELLED;
}

static enum stream_result fail(struct stream *stream, int error)
{
    stream->error = error;
    return STREAM_FAILED;
}

int stream_open(struct stream *stream, struct loop *loop, int descriptor)
{
    *stream = (struct stream){.loop = loop, .descriptor = descriptor};
    buffer_init(&stream->output, NULL, STREAM_OUTPUT_MAX_BYTES);
    if (file_set_nonblocking(descriptor) != 0 ||
        watch_start(&stream->watch, loop, descriptor) != 0) {
        file_close(descriptor);
        stream->descriptor = -1;
        return -1;
    }
    /* Replies are whole when they are flushed: waiting for more (Nagle) only adds delay. */
    const int yes = 1;
    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return 0;
}

enum stream_result stream_connect(struct stream *stream, struct loop *loop,
                                  const struct sockaddr *address, socklen_t length,
                                  const struct sockaddr *source, socklen_t source_length,
                                  int64_t deadline_ms)
{
    *stream = (struct stream){.loop = loop, .descriptor = -1};
    const int descriptor =
        socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return fail(stream, errno);
    if (source && bind(descriptor, source, source_length) != 0) {
        const int error = errno;
        file_close(descriptor);
        return fail(stream, error);
    }
    if (connect(descriptor, address, length) != 0 && errno != EINPROGRESS) {
        const int error = errno;
        file_close(descriptor);
        return fail(stream, error);
    }
    if (stream_open(stream, loop, descriptor) != 0)
        return fail(stream, ENOMEM);
    stream->watch.is_writable = false;
    enum stream_result result = from_wake(watch_wait_writable(&stream->watch, deadline_ms));
    int error = 0;
    socklen_t error_length = sizeof(error);
    if (result == STREAM_OK &&
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &error_length) != 0)
        error = errno;
    if (error)
        result = STREAM_FAILED;
    if (result != STREAM_OK)
        stream_close(stream);
    stream->error = error;
    return result;
}

static void release_output(struct stream *stream)
{
    if (stream->has_secret_output && stream->output.bytes)
        explicit_bzero(stream->output.bytes, stream->output.allocated);
    stream->has_secret_output = false;
    buffer_release(&stream->output);
}

void stream_close(struct stream *stream)
{
    if (stream->descriptor < 0)
        return;
    if (stream->layer)
        stream->layer->close(stream);
    stream->layer = NULL;
    watch_stop(&stream->watch);
    file_close(stream->descriptor);
    stream->descriptor = -1;
    if (stream->block)
        loop_block_give(stream->loop, stream->block);
    stream->block = NULL;
    stream->begin = stream->end = 0;
    release_output(stream);
}

void stream_consume(struct stream *stream, size_t count)
{
    ASSERT(count <= stream->end - stream->begin);
    stream->begin += count;
    if (stream->begin == stream->end)
        stream->begin = stream->end = 0;
}

/* Makes room at the end of the window; an empty window holds no block while it waits. */
static enum stream_result make_room(struct stream *stream)
{
    if (!stream->block) {
        stream->block = loop_block_take(stream->loop);
        if (!stream->block)
            return fail(stream, ENOMEM);
    }
    if (stream->begin > 0) {
        memmove(stream->block, stream->block + stream->begin, stream->end - stream->begin);
        stream->end -= stream->begin;
        stream->begin = 0;
    }
    return stream->end < LOOP_BLOCK_BYTES ? STREAM_OK : STREAM_FULL;
}

static void give_block(struct stream *stream)
{
    if (stream->block)
        loop_block_give(stream->loop, stream->block);
    stream->block = NULL;
    stream->begin = stream->end = 0;
}

void stream_push_layer(struct stream *stream, const struct stream_layer *layer, void *state)
{
    ASSERT(!stream->layer && stream->output.length == 0);
    give_block(stream);
    stream->layer = layer;
    stream->layer_state = state;
}

enum stream_result stream_wait(struct stream *stream, enum stream_attempt wanted,
                               int64_t deadline_ms)
{
    if (wanted == STREAM_WANTS_READ) {
        stream->watch.is_readable = false;
        return from_wake(watch_wait_readable(&stream->watch, deadline_ms));
    }
    stream->watch.is_writable = false;
    return from_wake(watch_wait_writable(&stream->watch, deadline_ms));
}

static enum stream_attempt receive(struct stream *stream, uint8_t *bytes, size_t size,
                                   size_t *count)
{
    if (stream->layer)
        return stream->layer->read(stream, bytes, size, count);
    for (;;) {
        const ssize_t received = recv(stream->descriptor, bytes, size, MSG_DONTWAIT);
        if (received > 0) {
            *count = (size_t)received;
            /* A short read emptied the socket; what comes later makes a new edge. */
            if (*count < size && !stream->watch.has_hung_up)
                stream->watch.is_readable = false;
            return STREAM_DID;
        }
        if (received == 0)
            return STREAM_HAS_ENDED;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_WANTS_READ;
        if (errno != EINTR) {
            stream->error = errno;
            return STREAM_HAS_FAILED;
        }
    }
}

static enum stream_attempt transmit(struct stream *stream, struct span bytes, size_t *count)
{
    if (stream->layer)
        return stream->layer->write(stream, bytes, count);
    for (;;) {
        const ssize_t sent =
            send(stream->descriptor, bytes.bytes, bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            *count = (size_t)sent;
            return STREAM_DID;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return STREAM_WANTS_WRITE;
        if (errno != EINTR) {
            stream->error = errno;
            return STREAM_HAS_FAILED;
        }
    }
}

enum stream_result stream_peek(struct stream *stream, uint8_t *bytes, size_t size,
                               size_t known_count, size_t *count, int64_t deadline_ms)
{
    ASSERT(!stream->layer && stream->begin == stream->end);
    if (stream->descriptor < 0)
        return fail(stream, EBADF);
    for (;;) {
        const ssize_t received = recv(stream->descriptor, bytes, size, MSG_PEEK | MSG_DONTWAIT);
        if (received > 0 && (size_t)received > known_count) {
            *count = (size_t)received;
            return STREAM_OK;
        }
        if (received == 0 || (received > 0 && stream->watch.has_hung_up))
            return STREAM_END;
        if (received < 0 && errno == EINTR)
            continue;
        if (received < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
            return fail(stream, errno);
        const enum stream_result waited = stream_wait(stream, STREAM_WANTS_READ, deadline_ms);
        if (waited != STREAM_OK)
            return waited;
    }
}

enum stream_result stream_skip(struct stream *stream, size_t count)
{
    uint8_t bytes[SKIP_BYTES];
    while (count > 0) {
        const ssize_t received = recv(stream->descriptor, bytes,
                                      count < sizeof(bytes) ? count : sizeof(bytes), MSG_DONTWAIT);
        if (received == 0)
            return STREAM_END;
        if (received < 0 && errno != EINTR)
            return fail(stream, errno);
        count -= received > 0 ? (size_t)received : 0;
    }
    return STREAM_OK;
}

/* Nothing is at hand: an empty window holds no block while it waits. */
static enum stream_result await_input(struct stream *stream, enum stream_attempt wanted,
                                      int64_t deadline_ms)
{
    if (stream->begin == stream->end)
        give_block(stream);
    return stream_wait(stream, wanted, deadline_ms);
}

bool stream_is_quiet(struct stream *stream)
{
    size_t count = 0;
    if (stream->descriptor < 0 || stream->begin != stream->end || stream->watch.has_hung_up)
        return false;
    if (!stream->watch.is_readable && !(stream->layer && stream->layer->has_more(stream)))
        return true;
    if (make_room(stream) != STREAM_OK)
        return false;
    const enum stream_attempt attempt =
        receive(stream, stream->block + stream->end, LOOP_BLOCK_BYTES - stream->end, &count);
    if (attempt == STREAM_DID)
        stream->end += count;
    if (attempt != STREAM_WANTS_READ)
        return false;
    stream->watch.is_readable = false;
    give_block(stream);
    return true;
}

bool stream_is_silent(struct stream *stream)
{
    stream->watch.is_readable = true; /* or so the kernel will say it is not */
    return stream_is_quiet(stream);
}

enum stream_result stream_read(struct stream *stream, int64_t deadline_ms)
{
    if (stream->descriptor < 0)
        return fail(stream, EBADF);
    if (!stream->watch.is_readable && !(stream->layer && stream->layer->has_more(stream))) {
        const enum stream_result waited = await_input(stream, STREAM_WANTS_READ, deadline_ms);
        if (waited != STREAM_OK)
            return waited;
    }
    for (;;) {
        const enum stream_result room = make_room(stream);
        if (room != STREAM_OK)
            return room;
        size_t count = 0;
        const enum stream_attempt attempt =
            receive(stream, stream->block + stream->end, LOOP_BLOCK_BYTES - stream->end, &count);
        switch (attempt) {
        case STREAM_DID:
            stream->end += count;
            return STREAM_OK;
        case STREAM_HAS_ENDED:
            return STREAM_END;
        case STREAM_HAS_FAILED:
            return STREAM_FAILED;
        case STREAM_WANTS_READ:
        case STREAM_WANTS_WRITE:
            break;
        }
        const enum stream_result waited = await_input(stream, attempt, deadline_ms);
        if (waited != STREAM_OK)
            return waited;
    }
}

void stream_write(struct stream *stream, struct span bytes)
{
    buffer_append_span(&stream->output, bytes);
}

void stream_write_secret(struct stream *stream, struct span bytes)
{
    /* In one piece: a buffer that grows leaves copies behind. */
    if (!buffer_reserve(&stream->output, bytes.length))
        return;
    stream->has_secret_output = true;
    buffer_append_span(&stream->output, bytes);
}

enum stream_result stream_flush(struct stream *stream, int64_t deadline_ms)
{
    size_t sent = 0;
    enum stream_result result = STREAM_OK;
    if (stream->descriptor < 0)
        return fail(stream, EBADF);
    if (!buffer_ok(&stream->output))
        return fail(stream, ENOBUFS);
    if (stream->output.length > 0 && !stream->watch.is_writable)
        result = stream_wait(stream, STREAM_WANTS_WRITE, deadline_ms);
    while (result == STREAM_OK && sent < stream->output.length) {
        size_t count = 0;
        const enum stream_attempt attempt = transmit(
            stream, span_of(stream->output.bytes + sent, stream->output.length - sent), &count);
        switch (attempt) {
        case STREAM_DID:
            sent += count;
            break;
        case STREAM_WANTS_READ:
        case STREAM_WANTS_WRITE:
            result = stream_wait(stream, attempt, deadline_ms);
            break;
        case STREAM_HAS_ENDED:
            result = fail(stream, EPIPE);
            break;
        case STREAM_HAS_FAILED:
            result = STREAM_FAILED;
            break;
        }
    }
    if (result == STREAM_OK)
        release_output(stream);
    else
        buffer_consume(&stream->output, sent);
    return result;
}
