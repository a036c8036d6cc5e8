/* pipe - gives messages to a command, one process for each.
 * This process dispatches: it holds qmgr's channel, runs nothing and opens nothing. Its root part
 * only forks; the process that it forks becomes the user of the service and runs the command.
 * Manual: man/pipe.8. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dispatch.h"
#include "pipe_run.h"
#include "service/agent_service.h"

enum { DESCRIPTOR_LIMIT = 4096, COMMANDS_MAX = 200, WORDS_MAX = 400 };

struct pipe {
    struct conf_pipe_command command;
    struct pipe_rules rules;
    int root_part;
    struct dispatch *dispatch;
    struct agent_service agent;
};

/* master has looked at the words, too, when it read master.cf. */
static bool read_command(struct service *service, struct pipe *pipe)
{
    struct span *words = arena_alloc(&service->arena, WORDS_MAX * sizeof(*words));
    struct span rest = service->arguments;
    struct conf_error error = {.text = "out of memory"};
    size_t count = 0;
    while (words && rest.length > 0 && count < WORDS_MAX)
        (void)span_split_once(rest, '\0', &words[count++], &rest);
    if (words && conf_pipe_parse(words, count, &service->arena, &pipe->command, &error))
        return true;
    service_say(service, "%s: %s", service->name, error.text);
    return false;
}

static bool prepare(struct service *service)
{
    const struct conf_pipe *settings = service->settings;
    struct pipe *pipe = arena_alloc(&service->arena, sizeof(*pipe));
    ASSERT(pipe);
    service->state = pipe;
    if (!agent_service_prepare(service, &pipe->agent, "pipe_delivery_status_filter",
                               settings->pipe_delivery_status_filter) ||
        !read_command(service, pipe))
        return false;
    pipe->rules = (struct pipe_rules){.settings = service->settings, .command = &pipe->command};
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto does not work on this system");
        return false;
    }
    pipe->root_part = pipe_run_fork_root_part(service, &pipe->rules);
    if (pipe->root_part < 0)
        service_say(service, "cannot fork: %s", strerrordesc_np(errno));
    return pipe->root_part >= 0;
}

/* A process for each delivery: what it became serves no other. */
static bool delivery_key(const struct agent_recipient *recipient, struct buffer *key,
                         struct outcome *outcome, void *context)
{
    (void)outcome;
    (void)context;
    buffer_append_format(key, "%llu", (unsigned long long)recipient->message->deliver.delivery);
    return true;
}

static void on_root_part_gone(void *service)
{
    service_leave(service, 1); /* master starts both again */
}

/* The process ends a command that takes too long; unless it has been stopped, as every process of
 * its user's can do. */
static int64_t time_limit_ms(const struct service *service)
{
    const struct conf_pipe *settings = service->settings;
    return settings->daemon_timeout_ms +
           conf_family_get(&settings->transport_time_limit, span_from_string(service->name));
}

static bool begin(struct service *service)
{
    const struct conf_pipe *settings = service->settings;
    struct pipe *pipe = service->state;
    const size_t limit = service->process_limit > 0 && service->process_limit < COMMANDS_MAX
                             ? service->process_limit
                             : COMMANDS_MAX;
    const struct dispatch_settings dispatch = {.role = IPC_ROLE_PIPE,
                                               .root_part = pipe->root_part,
                                               .worker_limit = limit,
                                               .time_limit_ms = time_limit_ms(service),
                                               .has_single_use = true,
                                               .key = delivery_key,
                                               .on_root_part_gone = on_root_part_gone,
                                               .root_part_context = service,
                                               .context = service};
    pipe->dispatch = dispatch_create(service->loop, &dispatch);
    if (!pipe->dispatch) {
        service_say(service, "cannot start: out of memory");
        return false;
    }
    const struct agent_settings agent = {.relay = span_from_string(service->name),
                                         .is_soft_bouncing = settings->soft_bounce,
                                         .capacity = (uint32_t)limit,
                                         .has_workers = true,
                                         .deliver = dispatch_deliver,
                                         .context = pipe->dispatch};
    return agent_service_begin(service, &pipe->agent, agent);
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    struct pipe *pipe = service->state;
    agent_service_on_peer(&pipe->agent, peer, descriptor);
}

static void drain(struct service *service)
{
    struct pipe *pipe = service->state;
    agent_service_drain(service, &pipe->agent);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "pipe",
        .part = &conf_part_pipe,
        .promises = SANDBOX_SOCKETPAIR | SANDBOX_LOCK,
        .descriptor_limit = DESCRIPTOR_LIMIT,
        .prepare = prepare,
        .begin = begin,
        .on_peer = on_peer,
        .drain = drain,
    };
    return service_main(&definition);
}
