/* system/stream - see stream.h. */
#include "system/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "system/file.h"

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

void stream_close(struct stream *stream)
{
    if (stream->descriptor < 0)
        return;
    watch_stop(&stream->watch);
    file_close(stream->descriptor);
    stream->descriptor = -1;
    if (stream->block)
        loop_block_give(stream->loop, stream->block);
    stream->block = NULL;
    stream->begin = stream->end = 0;
    buffer_release(&stream->output);
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

enum stream_result stream_read(struct stream *stream, int64_t deadline_ms)
{
    if (stream->descriptor < 0)
        return fail(stream, EBADF);
    for (;;) {
        if (!stream->watch.is_readable) {
            if (stream->block && stream->begin == stream->end) {
                loop_block_give(stream->loop, stream->block);
                stream->block = NULL;
            }
            const enum stream_result waited =
                from_wake(watch_wait_readable(&stream->watch, deadline_ms));
            if (waited != STREAM_OK)
                return waited;
        }
        const enum stream_result room = make_room(stream);
        if (room != STREAM_OK)
            return room;
        const size_t wanted = LOOP_BLOCK_BYTES - stream->end;
        const ssize_t count =
            recv(stream->descriptor, stream->block + stream->end, wanted, MSG_DONTWAIT);
        if (count > 0) {
            stream->end += (size_t)count;
            /* A short read emptied the socket; what comes later makes a new edge. */
            if ((size_t)count < wanted && !stream->watch.has_hung_up)
                stream->watch.is_readable = false;
            return STREAM_OK;
        }
        if (count == 0)
            return STREAM_END;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            stream->watch.is_readable = false;
        else if (errno != EINTR)
            return fail(stream, errno);
    }
}

void stream_write(struct stream *stream, struct span bytes)
{
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
    while (sent < stream->output.length) {
        if (!stream->watch.is_writable) {
            result = from_wake(watch_wait_writable(&stream->watch, deadline_ms));
            if (result != STREAM_OK)
                break;
        }
        const ssize_t count = send(stream->descriptor, stream->output.bytes + sent,
                                   stream->output.length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count >= 0) {
            sent += (size_t)count;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            stream->watch.is_writable = false;
        } else if (errno != EINTR) {
            result = fail(stream, errno);
            break;
        }
    }
    if (result == STREAM_OK)
        buffer_release(&stream->output);
    else
        buffer_consume(&stream->output, sent);
    return result;
}
