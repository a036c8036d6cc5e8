/* local/root_part - see root_part.h. */
#include "root_part.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/channel.h"

struct server {
    void (*run)(void *context, struct span key, int socket);
    void *context;
};

static void on_want(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    const struct server *server = context;
    const struct ipc_worker_want *want = delivery->message;
    struct ipc_worker_reply reply = {.outcome = outcome_ok()};
    const pid_t child = fork();
    if (child == 0) {
        server->run(server->context, want->key, want->socket);
        _exit(EXIT_FAILURE);
    }
    if (child < 0)
        reply.outcome = outcome_temporary(451, 3, 0, "cannot fork a delivery process");
    else
        reply.process_id = (uint32_t)child;
    (void)ipc_channel_reply(channel, delivery->id, IPC_WORKER_REPLY, &reply); /* or it is closed */
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason;
    (void)context;
    _exit(EXIT_SUCCESS); /* the dispatcher is gone, and with it what we are for */
}

/* A name that nobody has makes the name service ask every one of its modules. */
void root_part_warm_up(void)
{
    gid_t groups[16];
    int count = ARRAY_LENGTH(groups);
    (void)getpwnam("posthouse-no-such-user");
    (void)getgrnam("posthouse-no-such-group");
    (void)getgrouplist("posthouse-no-such-user", 0, groups, &count);
}

NORETURN void root_part_serve(int socket, enum ipc_role dispatcher,
                              void (*run)(void *context, struct span key, int socket),
                              void *context)
{
    static const struct ipc_permission permissions[] = {
        {IPC_WORKER_WANT, IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_VIRTUAL) |
                              IPC_ROLE_BIT(IPC_ROLE_PIPE)},
        {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_want, on_closed, permissions};
    struct server server = {run, context};
    (void)signal(SIGCHLD, SIG_IGN); /* nobody waits for children: their channels tell */
    struct loop *loop = loop_create();
    if (!loop || !ipc_channel_create(loop, socket, dispatcher, &handlers, &server))
        _exit(EXIT_FAILURE);
    loop_run(loop);
    _exit(EXIT_SUCCESS);
}
