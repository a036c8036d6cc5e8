/* logd/destination - see destination.h. */
#include "destination.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

enum {
    PENDING_MAX_BYTES = 4 << 20,
    FLUSH_BYTES = 256 << 10, /* a burst within one turn leaves in pieces of this size */
    RETRY_MS = 200,
    DATAGRAMS_PER_FLUSH = 1000
};

static void on_hook(struct loop_hook *hook)
{
    log_destination_flush(CONTAINER_OF(hook, struct log_destination, hook));
}

static void on_retry(void *context)
{
    struct log_destination *destination = context;
    destination->is_retrying = false;
    log_destination_flush(destination);
}

bool log_destination_init(struct log_destination *destination, struct loop *loop,
                          const struct log_formatter *formatter,
                          const struct log_source *own_source, const char *socket_path,
                          int descriptor)
{
    *destination = (struct log_destination){
        .loop = loop,
        .hook.run = on_hook,
        .formatter = *formatter,
        .own_source = *own_source,
        .socket_path = socket_path,
        .descriptor = descriptor,
    };
    buffer_init(&destination->pending, NULL, PENDING_MAX_BYTES);
    loop_timer_init(&destination->retry_timer, loop, on_retry, destination);
    return descriptor < 0 || file_set_nonblocking(descriptor) == 0; /* a pipe may be full */
}

void log_destination_release(struct log_destination *destination)
{
    log_destination_flush(destination);
    loop_hook_cancel(destination->loop, &destination->hook);
    loop_timer_release(&destination->retry_timer);
    buffer_release(&destination->pending);
    file_close(destination->descriptor);
    destination->descriptor = -1;
}

static bool append_line(struct log_destination *destination, const struct log_source *source,
                        const struct log_record *record)
{
    const size_t start = destination->pending.length;
    log_format_line(&destination->formatter, source, record, &destination->pending);
    if (buffer_ok(&destination->pending))
        return true;
    destination->pending.has_failed = false;
    destination->pending.length = start;
    return false;
}

void log_destination_put(struct log_destination *destination, const struct log_source *source,
                         const struct log_record *record)
{
    if (!append_line(destination, source, record))
        destination->dropped_count++;
    if (destination->is_retrying)
        return;
    if (destination->pending.length >= FLUSH_BYTES)
        log_destination_flush(destination);
    else
        loop_hook_request(destination->loop, &destination->hook);
}

static bool connect_to_syslog(struct log_destination *destination)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct span path = span_from_string(destination->socket_path);
    if (destination->descriptor >= 0)
        return true;
    if (path.length >= sizeof(address.sun_path))
        return false;
    memcpy(address.sun_path, path.bytes, path.length);
    destination->descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (destination->descriptor >= 0 &&
        connect(destination->descriptor, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    file_close(destination->descriptor);
    destination->descriptor = -1;
    return false;
}

/* One line of a datagram. False: try again later. */
static bool send_datagram(struct log_destination *destination, struct span line)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        if (!connect_to_syslog(destination))
            return false;
        if (write(destination->descriptor, line.bytes, line.length) >= 0)
            return true;
        if (errno == EAGAIN || errno == ENOBUFS)
            return false;
        if (errno == EMSGSIZE) {
            destination->dropped_count++; /* never going to fit */
            return true;
        }
        /* The syslog daemon has been restarted: its socket is another one now. */
        file_close(destination->descriptor);
        destination->descriptor = -1;
    }
    return false;
}

/* Bytes that have left. */
static size_t send_lines(struct log_destination *destination)
{
    struct span rest = buffer_span(&destination->pending), line;
    for (int count = 0; count < DATAGRAMS_PER_FLUSH && rest.length > 0; count++) {
        line = span_first(rest, span_find_byte(rest, '\n'));
        if (!send_datagram(destination, line)) {
            destination->is_retrying = true;
            break;
        }
        rest = span_after(rest, line.length + 1);
    }
    return destination->pending.length - rest.length;
}

static size_t write_lines(struct log_destination *destination)
{
    const struct span lines = buffer_span(&destination->pending);
    size_t written = 0;
    while (written < lines.length) {
        const ssize_t count =
            write(destination->descriptor, lines.bytes + written, lines.length - written);
        if (count >= 0)
            written += (size_t)count;
        else if (errno != EINTR)
            break;
    }
    destination->is_retrying = written < lines.length;
    return written;
}

static void report_dropped(struct log_destination *destination)
{
    struct buffer text;
    buffer_init(&text, NULL, 256);
    buffer_append_format(&text, "warning: log.dropped: lines=%llu reason=\"%s\"",
                         (unsigned long long)destination->dropped_count,
                         "the log destination was not ready");
    const struct log_record record = {LOG_LEVEL_WARNING, clock_realtime_us(), buffer_span(&text)};
    if (append_line(destination, &destination->own_source, &record))
        destination->dropped_count = 0;
    buffer_release(&text);
}

void log_destination_flush(struct log_destination *destination)
{
    if (destination->is_retrying)
        return;
    if (destination->dropped_count)
        report_dropped(destination);
    const size_t sent =
        destination->socket_path ? send_lines(destination) : write_lines(destination);
    if (sent == destination->pending.length && !destination->dropped_count)
        buffer_reset(&destination->pending);
    else
        buffer_consume(&destination->pending, sent);
    if (destination->is_retrying)
        loop_timer_set(&destination->retry_timer, clock_deadline_after(RETRY_MS));
    else if (destination->pending.length > 0 || destination->dropped_count)
        loop_hook_request(destination->loop, &destination->hook);
}
