/* tools/ask - see ask.h. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/channel.h"
#include "system/file.h"

struct question {
    struct loop *loop;
    enum ipc_type reply_type;
    void *reply;
    struct arena *arena;
    int error;
};

/* Through the descriptor of the directory: the path may be longer than an address may be. */
static int connect_to(const char *directory, const char *socket_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int place = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place < 0)
        return -1;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", place,
                   socket_name);
    int descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 &&
        connect(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        file_close(descriptor);
        descriptor = -1;
    }
    file_close(place);
    return descriptor;
}

static void on_done(enum ipc_call_result result, void *reply, void *context)
{
    struct question *question = context;
    question->error = result == IPC_CALL_OK ? 0 : result == IPC_CALL_TIMED_OUT ? ETIMEDOUT : EPIPE;
    if (result == IPC_CALL_OK && !ipc_copy_spans(question->reply_type, reply, question->arena))
        question->error = ENOMEM;
    else if (result == IPC_CALL_OK)
        memcpy(question->reply, reply, ipc_describe(question->reply_type)->size);
    loop_stop(question->loop);
}

int ask(const char *directory, const char *socket_name, enum ipc_type type, const void *message,
        enum ipc_type reply_type, void *reply, struct arena *arena, int64_t timeout_ms)
{
    static const struct ipc_channel_handlers handlers = {NULL, NULL, NULL};
    struct question question = {
        .reply_type = reply_type, .reply = reply, .arena = arena, .error = ENOMEM};
    struct ipc_channel *channel = NULL;
    const int64_t deadline_ms = clock_deadline_after(timeout_ms);
    const int descriptor = connect_to(directory, socket_name);
    if (descriptor < 0)
        return -1;
    question.loop = loop_create();
    if (question.loop)
        channel =
            ipc_channel_create(question.loop, descriptor, IPC_ROLE_NONE, &handlers, &question);
    else
        file_close(descriptor);
    if (channel &&
        ipc_channel_call_async(channel, type, message, reply_type, deadline_ms, on_done, &question))
        loop_run(question.loop);
    ipc_channel_destroy(&channel);
    loop_destroy(&question.loop);
    errno = question.error;
    return question.error ? -1 : 0;
}
