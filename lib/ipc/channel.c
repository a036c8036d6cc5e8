/* ipc/channel - see channel.h. */
#include "ipc/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "ipc/packet.h"
#include "system/file.h"
#include "system/task.h"

enum {
    CALLS_IN_FLIGHT_MAX = 1024,      /* the credit: requests of one end without a reply */
    QUEUE_MAX_BYTES = 1 << 20,       /* one-way messages and requests stop here */
    QUEUE_REPLY_MAX_BYTES = 8 << 20, /* replies to a peer that does not read stop here */
    QUEUE_COMPACT_BYTES = 256 << 10,
    QUEUE_KEPT_BYTES = 4096, /* memory that a channel keeps while it has nothing to send */
    PACKETS_PER_TURN = 16,
    WRITE_PAUSE_MS = 10,
    CALL_SLOT_BITS = 10
};

/* A call lives on its task's stack, or on the heap for the asynchronous form. */
struct ipc_call {
    uint32_t id;
    enum ipc_type reply_type;
    bool is_finished;
    enum ipc_call_result result;
    /* from a task */
    struct task *task;
    void *reply;
    struct arena *arena;
    /* asynchronous */
    struct ipc_channel *channel;
    struct loop_timer timer;
    ipc_call_done *done;
    void *context;
};

struct call_slot {
    uint32_t id;           /* 0: free */
    struct ipc_call *call; /* NULL: nobody waits any more, the reply will be dropped */
};

struct waiter {
    struct list_link link;
    struct task *task;
};

struct ipc_channel {
    struct loop *loop;
    int descriptor;
    enum ipc_role peer;
    const struct ipc_channel_handlers *handlers;
    void *context;
    struct event read_event;
    struct event write_event;
    struct loop_timer pause_timer;
    struct loop_hook hook;
    struct buffer out; /* records from out_offset on */
    size_t out_offset;
    int *out_descriptors;
    size_t out_descriptor_count, out_descriptor_capacity, out_descriptor_offset;
    struct call_slot *slots;
    size_t slot_count, calls_in_flight;
    uint32_t next_generation;
    struct list waiters;
    size_t open_request_count;
    const char *failure; /* why the channel is about to close */
    unsigned dispatch_depth;
    bool is_opening_sent, is_opening_seen;
    bool is_write_blocked;
    bool is_closed;    /* no further traffic; calls have failed */
    bool is_destroyed; /* the owner is gone, memory goes after the dispatch */
};

static ipc_trace *trace_function;
static ipc_end_hook *end_hook;

void ipc_channel_set_end_hook(ipc_end_hook *hook)
{
    end_hook = hook;
}

void ipc_channel_set_trace(ipc_trace *trace)
{
    trace_function = trace;
}

/* ---- closing ---- */

static void close_descriptors_of(enum ipc_type type, void *message)
{
    for (const struct ipc_field *field = ipc_describe(type)->fields; field->tag; field++)
        if (field->type == IPC_FIELD_FD)
            file_close(*(int *)(void *)((uint8_t *)message + field->offset));
}

static void finish_call(struct ipc_call *call, enum ipc_call_result result, void *reply)
{
    call->is_finished = true;
    call->result = result;
    if (call->task) {
        task_wake(call->task);
        return;
    }
    loop_timer_release(&call->timer);
    call->done(result, reply, call->context);
    free(call);
}

static void free_slot(struct ipc_channel *channel, struct call_slot *slot)
{
    *slot = (struct call_slot){0};
    channel->calls_in_flight--;
    struct waiter *waiter = LIST_ITEM(list_first(&channel->waiters), struct waiter, link);
    if (waiter)
        task_wake(waiter->task);
}

static void free_memory(struct ipc_channel *channel)
{
    free(channel->slots);
    free(channel->out_descriptors);
    free(channel);
}

/* What was sent may have been a password. */
static void release_output(struct ipc_channel *channel)
{
    if (channel->out.bytes)
        explicit_bzero(channel->out.bytes, channel->out.allocated);
    if (channel->is_closed || channel->out.allocated > QUEUE_KEPT_BYTES)
        buffer_release(&channel->out);
    else
        buffer_reset(&channel->out);
}

/* Ends all traffic; calls fail, in any order. */
static void shut(struct ipc_channel *channel)
{
    if (channel->is_closed)
        return;
    channel->is_closed = true;
    (void)event_del(&channel->read_event);
    (void)event_del(&channel->write_event);
    loop_timer_release(&channel->pause_timer);
    loop_hook_cancel(channel->loop, &channel->hook);
    if (end_hook)
        end_hook(channel->descriptor, !channel->is_destroyed);
    file_close(channel->descriptor);
    channel->descriptor = -1;
    for (size_t i = channel->out_descriptor_offset; i < channel->out_descriptor_count; i++)
        file_close(channel->out_descriptors[i]);
    channel->out_descriptor_count = channel->out_descriptor_offset = 0;
    release_output(channel);
    channel->out_offset = 0;
    for (size_t i = 0; i < channel->slot_count; i++) {
        struct ipc_call *call = channel->slots[i].call;
        if (channel->slots[i].id)
            free_slot(channel, &channel->slots[i]);
        if (call)
            finish_call(call, IPC_CALL_CLOSED, NULL);
    }
    LIST_FOR_EACH (&channel->waiters, link)
        task_wake(LIST_ITEM(link, struct waiter, link)->task);
}

/* Between these two the memory stays, whatever handlers do. */
static void begin_dispatch(struct ipc_channel *channel)
{
    channel->dispatch_depth++;
}

static void end_dispatch(struct ipc_channel *channel)
{
    if (--channel->dispatch_depth == 0 && channel->is_destroyed)
        free_memory(channel);
}

/* Within a dispatch. */
static void close_now(struct ipc_channel *channel, const char *reason)
{
    if (channel->is_closed)
        return;
    shut(channel);
    if (!channel->is_destroyed && channel->handlers->on_closed)
        channel->handlers->on_closed(channel, reason, channel->context);
}

/* From within a caller's call: the channel closes at the end of the turn. */
static void fail_later(struct ipc_channel *channel, const char *reason)
{
    if (!channel->failure)
        channel->failure = reason;
    loop_hook_request(channel->loop, &channel->hook);
}

void ipc_channel_destroy(struct ipc_channel **channel)
{
    struct ipc_channel *dying = *channel;
    *channel = NULL;
    if (!dying)
        return;
    begin_dispatch(dying);
    dying->is_destroyed = true;
    shut(dying);
    end_dispatch(dying);
}

bool ipc_channel_is_open(const struct ipc_channel *channel)
{
    return !channel->is_closed && !channel->failure;
}

enum ipc_role ipc_channel_peer(const struct ipc_channel *channel)
{
    return channel->peer;
}

/* ---- sending ---- */

/* Records at the front that fit one packet: their bytes and descriptors. */
static size_t next_packet(const struct ipc_channel *channel, size_t *descriptor_count)
{
    struct span rest = span_after(buffer_span(&channel->out), channel->out_offset);
    size_t bytes = 0;
    *descriptor_count = 0;
    while (rest.length) {
        const size_t size = IPC_RECORD_HEADER_BYTES + ((size_t)rest.bytes[8] << 8 | rest.bytes[9]);
        const size_t descriptors = rest.bytes[10];
        if (bytes > 0 && (bytes + size > IPC_PACKET_MAX_BYTES ||
                          *descriptor_count + descriptors > IPC_PACKET_MAX_DESCRIPTORS))
            break;
        bytes += size;
        *descriptor_count += descriptors;
        rest = span_after(rest, size);
    }
    return bytes;
}

static ssize_t send_packet(int descriptor, const void *bytes, size_t length, const int *descriptors,
                           size_t descriptor_count)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int) * IPC_PACKET_MAX_DESCRIPTORS)];
    } control;
    struct iovec piece = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    if (descriptor_count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptor_count);
    }
    ssize_t count;
    do
        count = sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    return count;
}

static void compact(struct ipc_channel *channel)
{
    if (channel->out_offset == channel->out.length) {
        release_output(channel);
        channel->out_offset = 0;
    } else if (channel->out_offset > QUEUE_COMPACT_BYTES) {
        buffer_consume(&channel->out, channel->out_offset);
        channel->out_offset = 0;
    }
    if (channel->out_descriptor_offset == channel->out_descriptor_count)
        channel->out_descriptor_offset = channel->out_descriptor_count = 0;
}

void ipc_channel_set_secret(struct ipc_channel *channel)
{
    channel->out.holds_secrets = true;
}

static void block_writes(struct ipc_channel *channel)
{
    channel->is_write_blocked = true;
    (void)event_add(&channel->write_event, NULL);
}

static void on_pause_over(void *context)
{
    struct ipc_channel *channel = context;
    channel->is_write_blocked = false;
    loop_hook_request(channel->loop, &channel->hook);
}

static void pause_writes(struct ipc_channel *channel)
{
    channel->is_write_blocked = true;
    loop_timer_set(&channel->pause_timer, clock_deadline_after(WRITE_PAUSE_MS));
}

/* sendmsg() has failed; errno says why. */
static void handle_send_error(struct ipc_channel *channel)
{
    if (errno == EAGAIN)
        block_writes(channel);
    /* ETOOMANYREFS: descriptors in flight; they drain as the peer reads. The socket counts as
     * writable all the while. */
    else if (errno == ENOBUFS || errno == ENOMEM || errno == ETOOMANYREFS)
        pause_writes(channel);
    /* The peer is gone, but what it said before is still to be read: its results, its last log
     * lines. Then the reader comes to the end. */
    else if (errno == EPIPE || errno == ECONNRESET)
        channel->is_write_blocked = true;
    else
        fail_later(channel, "cannot send");
}

void ipc_channel_flush(struct ipc_channel *channel)
{
    if (channel->is_closed || channel->is_write_blocked || channel->failure)
        return;
    if (!channel->is_opening_sent) {
        uint8_t opening[IPC_OPENING_BYTES];
        ipc_packet_opening(opening);
        if (send_packet(channel->descriptor, opening, sizeof(opening), NULL, 0) < 0) {
            handle_send_error(channel);
            return;
        }
        channel->is_opening_sent = true;
    }
    while (channel->out_offset < channel->out.length) {
        size_t descriptor_count;
        const size_t length = next_packet(channel, &descriptor_count);
        const int *descriptors = channel->out_descriptors + channel->out_descriptor_offset;
        if (send_packet(channel->descriptor, channel->out.bytes + channel->out_offset, length,
                        descriptors, descriptor_count) < 0) {
            handle_send_error(channel);
            break;
        }
        for (size_t i = 0; i < descriptor_count; i++)
            file_close(descriptors[i]);
        channel->out_descriptor_offset += descriptor_count;
        channel->out_offset += length;
    }
    compact(channel);
}

static void on_turn_end(struct loop_hook *hook)
{
    struct ipc_channel *channel = CONTAINER_OF(hook, struct ipc_channel, hook);
    ipc_channel_flush(channel);
    if (!channel->failure)
        return;
    begin_dispatch(channel);
    close_now(channel, channel->failure);
    end_dispatch(channel);
}

static void on_writable(evutil_socket_t descriptor, short what, void *context)
{
    struct ipc_channel *channel = context;
    (void)descriptor;
    (void)what;
    channel->is_write_blocked = false;
    loop_hook_request(channel->loop, &channel->hook);
}

static bool keep_descriptors(struct ipc_channel *channel, const struct ipc_descriptors *descriptors)
{
    const size_t needed = channel->out_descriptor_count + descriptors->count;
    if (needed > channel->out_descriptor_capacity) {
        const size_t capacity = needed < 16 ? 16 : needed * 2;
        int *values = realloc(channel->out_descriptors, capacity * sizeof(*values));
        if (!values)
            return false;
        channel->out_descriptors = values;
        channel->out_descriptor_capacity = capacity;
    }
    for (size_t i = 0; i < descriptors->count; i++)
        channel->out_descriptors[channel->out_descriptor_count++] = descriptors->values[i];
    return true;
}

/* Queues one record; on false nothing is queued and the message's descriptors are closed. */
static bool queue_record(struct ipc_channel *channel, enum ipc_type type, uint8_t flags,
                         uint32_t id, const void *message, size_t queue_limit)
{
    const struct ipc_description *description = ipc_describe(type);
    struct ipc_descriptors descriptors = {.count = 0};
    struct buffer *out = &channel->out;
    const size_t begin = out->length;
    uint8_t header[IPC_RECORD_HEADER_BYTES] = {0};
    ASSERT(description);
    const bool is_possible =
        ipc_channel_is_open(channel) && out->length - channel->out_offset < queue_limit;
    if (is_possible) {
        buffer_append(out, header, sizeof(header));
        ipc_encode(type, message, out, &descriptors);
    }
    const size_t length = out->length - begin;
    if (!is_possible || !buffer_ok(out) || length > IPC_PACKET_MAX_BYTES ||
        !keep_descriptors(channel, &descriptors)) {
        out->length = begin;
        out->has_failed = false;
        /* The structure is only read; its descriptors were given to us. */
        close_descriptors_of(type, (void *)(uintptr_t)message);
        return false;
    }
    const struct ipc_record record = {
        .type = description->number,
        .version = description->version,
        .flags = flags,
        .id = id,
        .descriptor_count = (uint8_t)descriptors.count,
        .body = span_of(header, length - IPC_RECORD_HEADER_BYTES),
    };
    ipc_packet_put_header(out->bytes + begin, &record);
    if (trace_function)
        trace_function(channel, true, type, id, message);
    loop_hook_request(channel->loop, &channel->hook);
    return true;
}

bool ipc_channel_send(struct ipc_channel *channel, enum ipc_type type, const void *message)
{
    return queue_record(channel, type, 0, 0, message, QUEUE_MAX_BYTES);
}

bool ipc_channel_try_reply(struct ipc_channel *channel, uint32_t id, enum ipc_type type,
                           const void *message)
{
    if (id == 0 || !ipc_channel_is_open(channel) ||
        ipc_channel_queued_bytes(channel) >= QUEUE_REPLY_MAX_BYTES) {
        close_descriptors_of(type, (void *)(uintptr_t)message);
        if (!channel->is_closed)
            fail_later(channel, id == 0 ? "a question without a number" : "replies are not read");
        return false;
    }
    if (!queue_record(channel, type, IPC_RECORD_IS_REPLY, id, message, QUEUE_REPLY_MAX_BYTES))
        return false;
    if (channel->open_request_count > 0)
        channel->open_request_count--;
    return true;
}

bool ipc_channel_reply(struct ipc_channel *channel, uint32_t id, enum ipc_type type,
                       const void *message)
{
    if (ipc_channel_try_reply(channel, id, type, message))
        return true;
    if (!channel->is_closed)
        fail_later(channel, "a reply that no message can carry");
    return false;
}

size_t ipc_channel_queued_bytes(const struct ipc_channel *channel)
{
    return channel->out.length - channel->out_offset;
}

/* ---- calls ---- */

static struct call_slot *find_free_slot(struct ipc_channel *channel)
{
    if (channel->calls_in_flight >= CALLS_IN_FLIGHT_MAX)
        return NULL;
    for (size_t i = 0; i < channel->slot_count; i++)
        if (channel->slots[i].id == 0)
            return &channel->slots[i];
    const size_t count = channel->slot_count ? channel->slot_count * 2 : 8;
    struct call_slot *slots = realloc(channel->slots, count * sizeof(*slots));
    if (!slots)
        return NULL;
    memset(slots + channel->slot_count, 0, (count - channel->slot_count) * sizeof(*slots));
    channel->slots = slots;
    const size_t first_new = channel->slot_count;
    channel->slot_count = count;
    return &channel->slots[first_new];
}

/* False: nothing was sent. */
static bool begin_call(struct ipc_channel *channel, struct ipc_call *call, enum ipc_type type,
                       const void *message)
{
    struct call_slot *slot = find_free_slot(channel);
    if (!slot) {
        close_descriptors_of(type, (void *)(uintptr_t)message);
        return false;
    }
    const uint32_t index = (uint32_t)(slot - channel->slots);
    if (++channel->next_generation >= UINT32_C(1) << (32 - CALL_SLOT_BITS))
        channel->next_generation = 1;
    call->id = channel->next_generation << CALL_SLOT_BITS | index;
    if (!queue_record(channel, type, 0, call->id, message, QUEUE_MAX_BYTES))
        return false;
    slot->id = call->id;
    slot->call = call;
    channel->calls_in_flight++;
    return true;
}

/* The caller gives up; the slot stays taken until the reply comes, as the peer still works. */
static void abandon_call(struct ipc_channel *channel, const struct ipc_call *call)
{
    struct call_slot *slot = &channel->slots[call->id & ((1U << CALL_SLOT_BITS) - 1)];
    if (slot->id == call->id)
        slot->call = NULL;
}

/* Parks until a request may be sent. */
static enum ipc_call_result wait_for_credit(struct ipc_channel *channel, int64_t deadline_ms)
{
    struct waiter waiter = {.task = task_current()};
    enum task_wake wake = TASK_WOKEN;
    if (channel->calls_in_flight < CALLS_IN_FLIGHT_MAX || channel->is_closed)
        return IPC_CALL_OK;
    begin_dispatch(channel);
    list_append(&channel->waiters, &waiter.link);
    while (channel->calls_in_flight >= CALLS_IN_FLIGHT_MAX && !channel->is_closed &&
           wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    list_remove(&channel->waiters, &waiter.link);
    const bool is_closed = channel->is_closed;
    end_dispatch(channel);
    if (is_closed)
        return IPC_CALL_CLOSED;
    return wake == TASK_WOKEN       ? IPC_CALL_OK
           : wake == TASK_TIMED_OUT ? IPC_CALL_TIMED_OUT
                                    : IPC_CALL_CANCELLED;
}

enum ipc_call_result ipc_channel_call(struct ipc_channel *channel, enum ipc_type type,
                                      const void *message, enum ipc_type reply_type, void *reply,
                                      struct arena *arena, int64_t deadline_ms)
{
    struct ipc_call call = {
        .reply_type = reply_type, .task = task_current(), .reply = reply, .arena = arena};
    ASSERT(call.task);
    const enum ipc_call_result credit = wait_for_credit(channel, deadline_ms);
    if (credit != IPC_CALL_OK) {
        close_descriptors_of(type, (void *)(uintptr_t)message);
        return credit;
    }
    if (!begin_call(channel, &call, type, message))
        return IPC_CALL_CLOSED;
    enum task_wake wake = TASK_WOKEN;
    while (!call.is_finished && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    if (call.is_finished)
        return call.result;
    abandon_call(channel, &call);
    return wake == TASK_TIMED_OUT ? IPC_CALL_TIMED_OUT : IPC_CALL_CANCELLED;
}

static void on_call_deadline(void *context)
{
    struct ipc_call *call = context;
    abandon_call(call->channel, call);
    finish_call(call, IPC_CALL_TIMED_OUT, NULL);
}

bool ipc_channel_call_async(struct ipc_channel *channel, enum ipc_type type, const void *message,
                            enum ipc_type reply_type, int64_t deadline_ms, ipc_call_done *done,
                            void *context)
{
    struct ipc_call *call = calloc(1, sizeof(*call));
    if (!call) {
        close_descriptors_of(type, (void *)(uintptr_t)message);
        return false;
    }
    call->channel = channel;
    call->reply_type = reply_type;
    call->done = done;
    call->context = context;
    loop_timer_init(&call->timer, channel->loop, on_call_deadline, call);
    if (!begin_call(channel, call, type, message)) {
        free(call);
        return false;
    }
    if (deadline_ms != CLOCK_NEVER)
        loop_timer_set(&call->timer, deadline_ms);
    return true;
}

/* ---- receiving ---- */

/* NULL, or why the channel must close. */
static const char *take_reply(struct ipc_channel *channel, const struct ipc_record *record,
                              enum ipc_type type, void *message)
{
    const size_t index = record->id & ((1U << CALL_SLOT_BITS) - 1);
    if (index >= channel->slot_count || channel->slots[index].id != record->id || record->id == 0)
        return "a reply to nothing";
    struct ipc_call *call = channel->slots[index].call;
    free_slot(channel, &channel->slots[index]);
    if (!call) {
        close_descriptors_of(type, message);
        return NULL;
    }
    if (type != call->reply_type) {
        close_descriptors_of(type, message);
        finish_call(call, IPC_CALL_CLOSED, NULL);
        return "a reply of the wrong type";
    }
    if (call->task) {
        if (ipc_copy_spans(type, message, call->arena)) {
            memcpy(call->reply, message, ipc_describe(type)->size);
            finish_call(call, IPC_CALL_OK, NULL);
        } else {
            close_descriptors_of(type, message);
            finish_call(call, IPC_CALL_CLOSED, NULL);
        }
        return NULL;
    }
    finish_call(call, IPC_CALL_OK, message);
    close_descriptors_of(type, message);
    return NULL;
}

static bool is_permitted(const struct ipc_channel *channel, enum ipc_type type)
{
    const struct ipc_permission *permission = channel->handlers->permissions;
    for (; permission && permission->type; permission++)
        if (permission->type == type)
            return (permission->roles & IPC_ROLE_BIT(channel->peer)) != 0;
    return false;
}

static const char *take_message(struct ipc_channel *channel, const struct ipc_record *record,
                                enum ipc_type type, void *message)
{
    if (!channel->handlers->on_message || !is_permitted(channel, type)) {
        close_descriptors_of(type, message);
        return "a message that this peer may not send";
    }
    if (record->id != 0 && ++channel->open_request_count > CALLS_IN_FLIGHT_MAX) {
        close_descriptors_of(type, message);
        return "more requests than it has credit for";
    }
    const struct ipc_delivery delivery = {type, record->id, message};
    channel->handlers->on_message(channel, &delivery, channel->context);
    close_descriptors_of(type, message);
    return NULL;
}

static const char *take_record(struct ipc_channel *channel, const struct ipc_record *record,
                               const int *descriptors, size_t *descriptor_count)
{
    union ipc_any message;
    struct ipc_descriptors own = {.count = record->descriptor_count};
    const enum ipc_type type = (enum ipc_type)record->type;
    if (own.count > *descriptor_count || own.count > IPC_DESCRIPTORS_PER_MESSAGE)
        return "too few descriptors";
    memcpy(own.values, descriptors, own.count * sizeof(int));
    if (ipc_decode(type, record->body, &own, &message) != PARSE_OK)
        return "a malformed message";
    *descriptor_count -= own.count;
    if (trace_function)
        trace_function(channel, false, type, record->id, &message);
    return record->flags & IPC_RECORD_IS_REPLY ? take_reply(channel, record, type, &message)
                                               : take_message(channel, record, type, &message);
}

static const char *take_packet(struct ipc_channel *channel, struct span packet,
                               const int *descriptors, size_t descriptor_count)
{
    const char *reason = NULL;
    if (!channel->is_opening_seen) {
        if (!ipc_packet_is_opening(packet))
            reason = "another version of the schema";
        channel->is_opening_seen = true;
        packet = span_empty();
    }
    while (packet.length && !reason && !channel->is_closed) {
        struct ipc_record record;
        if (ipc_packet_next(&packet, &record) != PARSE_OK) {
            reason = "a malformed packet";
            break;
        }
        const size_t before = descriptor_count;
        reason = take_record(channel, &record, descriptors, &descriptor_count);
        descriptors += before - descriptor_count;
    }
    for (size_t i = 0; i < descriptor_count; i++)
        file_close(descriptors[i]);
    if (!reason && descriptor_count > 0 && !channel->is_closed)
        reason = "descriptors without a message";
    return reason;
}

/* One packet; 0 for none, -1 with *reason when the channel must close. */
static int receive_packet(struct ipc_channel *channel, const char **reason)
{
    /* One packet is handled before the next is read, by the loop alone. */
    static uint8_t bytes[IPC_PACKET_MAX_BYTES];
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int) * IPC_PACKET_MAX_DESCRIPTORS)];
    } control;
    struct iovec piece = {bytes, sizeof(bytes)};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    int descriptors[IPC_PACKET_MAX_DESCRIPTORS];
    size_t descriptor_count = 0;
    const ssize_t count = recvmsg(channel->descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR)
            return 0;
        /* Told once, when the peer ended without reading everything; what it sent comes next. */
        if (errno == ECONNRESET)
            return 1;
        *reason = "cannot receive";
        return -1;
    }
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        const size_t held = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors + descriptor_count, CMSG_DATA(header), held * sizeof(int));
        descriptor_count += held;
    }
    /* An empty packet looks like the end, and may have descriptors all the same. */
    if (count == 0 || message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
        for (size_t i = 0; i < descriptor_count; i++)
            file_close(descriptors[i]);
        *reason = count == 0 ? "the peer closed it" : "a truncated packet";
        return -1;
    }
    const bool holds_secrets = channel->out.holds_secrets; /* a handler may destroy it */
    *reason = take_packet(channel, span_of(bytes, (size_t)count), descriptors, descriptor_count);
    if (holds_secrets)
        explicit_bzero(bytes, (size_t)count);
    return *reason ? -1 : 1;
}

static void on_readable(evutil_socket_t descriptor, short what, void *context)
{
    struct ipc_channel *channel = context;
    const char *reason = NULL;
    (void)descriptor;
    (void)what;
    begin_dispatch(channel);
    for (int i = 0; i < PACKETS_PER_TURN && !channel->is_closed; i++)
        if (receive_packet(channel, &reason) <= 0)
            break;
    if (reason)
        close_now(channel, reason);
    end_dispatch(channel);
}

struct ipc_channel *ipc_channel_create(struct loop *loop, int descriptor, enum ipc_role peer,
                                       const struct ipc_channel_handlers *handlers, void *context)
{
    struct ipc_channel *channel = calloc(1, sizeof(*channel));
    if (!channel || file_set_nonblocking(descriptor) != 0) {
        file_close(descriptor);
        free(channel);
        return NULL;
    }
    channel->loop = loop;
    channel->descriptor = descriptor;
    channel->peer = peer;
    channel->handlers = handlers;
    channel->context = context;
    channel->hook.run = on_turn_end;
    loop_timer_init(&channel->pause_timer, loop, on_pause_over, channel);
    list_init(&channel->waiters);
    buffer_init(&channel->out, NULL, QUEUE_REPLY_MAX_BYTES + IPC_PACKET_MAX_BYTES * 2);
    if (event_assign(&channel->read_event, loop_event_base(loop), descriptor, EV_READ | EV_PERSIST,
                     on_readable, channel) != 0 ||
        event_assign(&channel->write_event, loop_event_base(loop), descriptor, EV_WRITE,
                     on_writable, channel) != 0 ||
        event_add(&channel->read_event, NULL) != 0) {
        file_close(descriptor);
        free(channel);
        return NULL;
    }
    loop_hook_request(loop, &channel->hook); /* the opening */
    return channel;
}

struct ipc_channel *ipc_channel_adopt(struct loop *loop, int descriptor, enum ipc_role peer,
                                      const struct ipc_channel_handlers *handlers, void *context)
{
    struct ipc_channel *channel = ipc_channel_create(loop, descriptor, peer, handlers, context);
    if (channel)
        channel->is_opening_sent = channel->is_opening_seen = true;
    return channel;
}

int ipc_channel_descriptor(const struct ipc_channel *channel)
{
    return channel->descriptor;
}
