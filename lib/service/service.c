/* service/service - see service.h. */
#include "config.h"

#include "service/service.h"

#include <dirent.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"
#include "sandbox/probe.h"
#include "system/file.h"
#include "system/note.h"

enum {
    CONTROL_DESCRIPTOR = 3,
    DESCRIPTOR_LIMIT_DEFAULT = 1024,
    KEPT_DESCRIPTORS_MAX = 512,
    ARENA_BYTES = 64 << 20
};

/* What master sent before the daemon was ready for it. */
struct early_message {
    struct list_link link;
    enum ipc_type type;
    struct service_peer peer;
    char *text; /* service or endpoint */
    int descriptor;
};

struct control {
    struct service service;
    struct ipc_channel *channel;
    struct ipc_start start;
    bool has_started; /* START has come */
    bool is_serving;
    struct list early;
    struct list ends; /* struct given_end */
};

static struct control *control_of(struct service *service)
{
    return CONTAINER_OF(service, struct control, service);
}

/* ---- ending ---- */

void service_leave(struct service *service, int status)
{
    struct control *control = control_of(service);
    maillog_client_flush(&service->log_client);
    if (control->channel)
        ipc_channel_flush(control->channel);
    _exit(status); /* nothing at exit may need what the sandbox has taken away */
}

void service_say(struct service *service, const char *format, ...)
{
    struct control *control = control_of(service);
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    maillog_text(&service->log, LOG_LEVEL_FATAL, span_empty(), "%s", text);
    (void)fprintf(stderr, "%s: %s\n", service->definition->program, text);
    if (control->channel) {
        const struct ipc_failed failed = {.reason = span_from_string(text)};
        (void)ipc_channel_send(control->channel, IPC_FAILED, &failed);
    }
}

void service_ask_for_successor(struct service *service)
{
    const struct ipc_renew renew = {.process_number = service->process_number};
    if (!service->is_draining)
        (void)ipc_channel_send(control_of(service)->channel, IPC_RENEW, &renew); /* or we leave */
}

/* ---- channels that end ---- */

/* A channel end that was handed on, by its descriptor. */
struct given_end {
    struct list_link link;
    int descriptor;
    struct service_peer peer; /* but for its service */
};

/* The hook of lib/ipc has no context of its own. */
static struct control *hooked_control;

static void forget_end(struct control *control, int descriptor)
{
    LIST_FOR_EACH (&control->ends, link) {
        struct given_end *end = LIST_ITEM(link, struct given_end, link);
        if (end->descriptor == descriptor) {
            list_remove(&control->ends, link);
            free(end);
        }
    }
}

static void remember_end(struct control *control, const struct service_peer *peer, int descriptor)
{
    struct given_end *end = malloc(sizeof(*end));
    forget_end(control, descriptor); /* of a descriptor that was closed without a channel */
    if (!end)
        return; /* should it be lost, the next restart of either side repairs it */
    *end = (struct given_end){.descriptor = descriptor, .peer = *peer};
    end->peer.service = span_empty();
    list_append(&control->ends, &end->link);
}

void service_tell_lost(struct service *service, const struct service_peer *peer)
{
    const struct ipc_peer_lost lost = {.process_number = peer->process_number,
                                       .is_server = peer->is_server,
                                       .channel = peer->channel};
    if (control_of(service)->channel && !service->is_draining)
        (void)ipc_channel_send(control_of(service)->channel, IPC_PEER_LOST, &lost);
}

static void on_channel_end(int descriptor, bool is_lost)
{
    struct control *control = hooked_control;
    LIST_FOR_EACH (&control->ends, link) {
        struct given_end *end = LIST_ITEM(link, struct given_end, link);
        if (end->descriptor != descriptor)
            continue;
        if (is_lost)
            service_tell_lost(&control->service, &end->peer);
    }
    forget_end(control, descriptor);
}

/* ---- what master sends ---- */

static void give_listener(struct service *service, struct span endpoint, int descriptor)
{
    if (service->definition->on_listener)
        service->definition->on_listener(service, endpoint, descriptor);
    else
        file_close(descriptor);
}

static void give_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    remember_end(control_of(service), peer, descriptor);
    if (peer->role == IPC_ROLE_LOGD && !peer->is_server)
        maillog_client_attach(&service->log_client, descriptor);
    else if (service->definition->on_peer)
        service->definition->on_peer(service, peer, descriptor);
    else
        file_close(descriptor);
}

static void keep_for_later(struct control *control, const struct early_message *message,
                           struct span text)
{
    struct early_message *kept = malloc(sizeof(*kept));
    ASSERT(kept);
    *kept = *message;
    kept->text = strndup((const char *)text.bytes, text.length);
    ASSERT(kept->text);
    list_append(&control->early, &kept->link);
}

static void on_listener(struct control *control, struct ipc_listener *listener)
{
    const struct early_message message = {.type = IPC_LISTENER, .descriptor = listener->socket};
    listener->socket = -1;
    if (control->is_serving)
        give_listener(&control->service, listener->endpoint, message.descriptor);
    else
        keep_for_later(control, &message, listener->endpoint);
}

static void on_peer(struct control *control, struct ipc_peer *peer)
{
    const struct early_message message = {
        .type = IPC_PEER,
        .descriptor = peer->socket,
        .peer = {.role = peer->role < IPC_ROLE_COUNT ? (enum ipc_role)peer->role : IPC_ROLE_NONE,
                 .service = peer->service,
                 .process_number = peer->process_number,
                 .process_id = peer->process_id,
                 .channel = peer->channel,
                 .is_server = peer->is_server},
    };
    peer->socket = -1;
    if (control->is_serving)
        give_peer(&control->service, &message.peer, message.descriptor);
    else
        keep_for_later(control, &message, peer->service);
}

static void give_poison(struct service *service, struct span work, const struct service_peer *dead)
{
    const struct ipc_poison poison = {
        .work = work, .role = dead->role, .process_number = dead->process_number};
    if (service->definition->on_poison)
        service->definition->on_poison(service, &poison);
}

static void on_poison(struct control *control, const struct ipc_poison *poison)
{
    const struct early_message message = {.type = IPC_POISON,
                                          .descriptor = -1,
                                          .peer = {.role = poison->role < IPC_ROLE_COUNT
                                                               ? (enum ipc_role)poison->role
                                                               : IPC_ROLE_NONE,
                                                   .process_number = poison->process_number}};
    if (control->is_serving)
        give_poison(&control->service, poison->work, &message.peer);
    else
        keep_for_later(control, &message, poison->work);
}

static void give_early_messages(struct control *control)
{
    struct list_link *link;
    while ((link = list_pop(&control->early)) != NULL) {
        struct early_message *message = LIST_ITEM(link, struct early_message, link);
        message->peer.service = span_from_string(message->text);
        if (message->type == IPC_LISTENER)
            give_listener(&control->service, message->peer.service, message->descriptor);
        else if (message->type == IPC_POISON)
            give_poison(&control->service, message->peer.service, &message->peer);
        else
            give_peer(&control->service, &message->peer, message->descriptor);
        free(message->text);
        free(message);
    }
}

static void on_start(struct control *control, struct ipc_start *start)
{
    struct service *service = &control->service;
    if (control->has_started)
        return;
    control->has_started = true;
    control->start = *start;
    start->settings = -1;
    start->stressed_settings = -1;
    ASSERT(ipc_copy_spans(IPC_START, &control->start, &service->arena));
    loop_stop(service->loop);
}

static void report_refused_calls(struct service *service)
{
    struct sandbox_note note;
    while (sandbox_next_note(&note))
        maillog_text(&service->log, LOG_LEVEL_WARNING, span_empty(),
                     "sandbox refused system call %d (%s); the call got ENOSYS", note.call_number,
                     note.call_name);
}

static void on_stop(struct service *service, const struct ipc_stop *stop)
{
    const struct service_definition *definition = service->definition;
    if (!stop->is_graceful || !definition->drain || !control_of(service)->is_serving)
        service_leave(service, 0);
    if (!service->is_draining) {
        service->is_draining = true;
        definition->drain(service);
    }
    if (!stop->lets_sessions_finish && definition->end_sessions)
        definition->end_sessions(service);
}

static void on_control_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                               void *context)
{
    struct control *control = context;
    switch ((int)delivery->type) {
    case IPC_START:
        on_start(control, delivery->message);
        break;
    case IPC_LISTENER:
        on_listener(control, delivery->message);
        break;
    case IPC_PEER:
        on_peer(control, delivery->message);
        break;
    case IPC_PING: {
        const struct ipc_ping *ping = delivery->message;
        const struct ipc_pong pong = {.serial = ping->serial};
        report_refused_calls(&control->service);
        (void)ipc_channel_send(channel, IPC_PONG, &pong);
        break;
    }
    case IPC_STOP:
        on_stop(&control->service, delivery->message);
        break;
    case IPC_NOTES:
        note_attach(((const struct ipc_notes *)delivery->message)->page);
        break;
    case IPC_POISON:
        on_poison(control, delivery->message);
        break;
#ifdef POSTHOUSE_PROBE
    case IPC_PROBE: {
        const struct ipc_probe *probe = delivery->message;
        const int error = sandbox_probe((enum sandbox_probe)probe->number);
        const struct ipc_probe_reply reply = {.number = probe->number, .result = (uint32_t)error};
        (void)ipc_channel_send(channel, IPC_PROBE_REPLY, &reply);
        break;
    }
#endif
    default:
        break;
    }
}

/* Children leave when master is gone: a new master waits for the queue's lock, not for us. */
static void on_control_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct control *control = context;
    (void)channel;
    (void)reason;
    control->channel = NULL;
    service_leave(&control->service, 0);
}

#define FROM_MASTER IPC_ROLE_BIT(IPC_ROLE_MASTER)
static const struct ipc_permission control_permissions[] = {
    {IPC_START, FROM_MASTER},  {IPC_LISTENER, FROM_MASTER}, {IPC_PEER, FROM_MASTER},
    {IPC_PING, FROM_MASTER},   {IPC_STOP, FROM_MASTER},     {IPC_NOTES, FROM_MASTER},
    {IPC_POISON, FROM_MASTER}, {IPC_PROBE, FROM_MASTER},    {0, 0},
};
static const struct ipc_channel_handlers control_handlers = {on_control_message, on_control_closed,
                                                             control_permissions};

/* ---- the way into the sandbox ---- */

/* Everything that is open now was opened by us or given to us: descriptors from before were closed
 * first of all. */
static size_t list_descriptors(int *descriptors, size_t capacity)
{
    size_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL && count < capacity;) {
        uint64_t number;
        if (number_parse_uint64(span_from_string(entry->d_name), INT32_MAX, &number) &&
            (int)number != dirfd(directory))
            descriptors[count++] = (int)number;
    }
    (void)closedir(directory);
    return count;
}

/* The trace hook has no context of its own. */
static struct service *traced_service;

static void trace_message(const struct ipc_channel *channel, bool is_sent, enum ipc_type type,
                          uint32_t id, const void *message)
{
    struct buffer text;
    if (type == IPC_LOG_LINES || type == IPC_PING || type == IPC_PONG)
        return;
    buffer_init(&text, NULL, 2048);
    ipc_print(type, message, &text);
    const struct span shown = buffer_span(&text);
    maillog_text(&traced_service->log, LOG_LEVEL_DEBUG, span_empty(), "channel %s %s: #%u %.*s",
                 is_sent ? "to" : "from", ipc_role_name(ipc_channel_peer(channel)), id,
                 SPAN_PRINTF(shown));
    buffer_release(&text);
}

/* What every part may have and only this file reads; NULL: this one does not have it. */
static const void *find_setting(const struct service *service, const char *name)
{
    const struct conf_part *part = service->definition->part;
    for (size_t i = 0; i < part->parameter_count; i++)
        if (strcmp(part->parameters[i].name, name) == 0)
            return (const uint8_t *)service->settings + part->parameters[i].offset;
    return NULL;
}

/* "$syslog_name/program"; a syslog_name with a slash in it ("postfix/submission") is the operator's
 * own way to tell services apart and comes first too, as in Postfix. */
static void set_log(struct service *service)
{
    const struct span *name = find_setting(service, "syslog_name");
    const uint32_t *digits = find_setting(service, "delay_logging_resolution_limit");
    const struct span tag = name ? arena_format(&service->arena, "%.*s/%s", SPAN_PRINTF(*name),
                                                service->definition->program)
                                 : span_empty();
    if (tag.bytes)
        maillog_client_set_tag(&service->log_client, tag);
    if (digits)
        service->log.delay_digits = *digits;
}

/* Takes the descriptor over. NULL after service_say(). */
static void *load_settings(struct service *service, int descriptor)
{
    const struct conf_part *part = service->definition->part;
    struct conf_error error;
    void *settings = arena_alloc(&service->arena, part->settings_size);
    const bool is_read = settings && conf_load(part, descriptor, &service->arena, settings, &error);
    file_close(descriptor);
    if (!is_read)
        service_say(service, "cannot read the settings from master: %s",
                    settings ? error.text : "out of memory");
    return is_read ? settings : NULL;
}

static bool read_settings(struct control *control)
{
    struct service *service = &control->service;
    service->settings = load_settings(service, control->start.settings);
    service->stressed_settings = service->settings;
    if (!service->settings)
        return false;
    if (control->start.stressed_settings >= 0)
        service->stressed_settings = load_settings(service, control->start.stressed_settings);
    set_log(service);
    return service->stressed_settings != NULL;
}

static bool close_in(struct control *control)
{
    struct service *service = &control->service;
    struct sandbox_error error;
    int *descriptors = arena_alloc(&service->arena, KEPT_DESCRIPTORS_MAX * sizeof(*descriptors));
    ASSERT(descriptors);
    service->profile.kept_fds = descriptors;
    service->profile.kept_fd_count = list_descriptors(descriptors, KEPT_DESCRIPTORS_MAX);
    sandbox_warm_up_common();
    if (sandbox_enter(&service->profile, &error))
        return true;
    service_say(service, "cannot enter the sandbox: %s: %s", error.step,
                strerror(error.error_number));
    return false;
}

static void fill_profile(struct control *control)
{
    struct service *service = &control->service;
    const struct service_definition *definition = service->definition;
    service->profile = (struct sandbox_profile){
        .promises = definition->promises | SANDBOX_RECEIVE_FDS,
        .explain_kills = service->is_verbose,
        .uid = service->is_root ? control->start.uid : getuid(),
        .gid = service->is_root ? control->start.gid : getgid(),
        .descriptor_limit =
            definition->descriptor_limit ? definition->descriptor_limit : DESCRIPTOR_LIMIT_DEFAULT,
    };
    if (service->is_root && !definition->keeps_root)
        service->profile.root_directory =
            arena_string(&service->arena, control->start.root_directory);
}

static bool bring_up(struct control *control)
{
    struct service *service = &control->service;
    const struct service_definition *definition = service->definition;
    service->name = arena_string(&service->arena, control->start.service);
    service->process_number = control->start.process_number;
    service->generation = control->start.generation;
    service->is_verbose = control->start.is_verbose;
    service->arguments = control->start.arguments;
    service->process_limit = control->start.process_limit;
    service->log.is_debugging = service->is_verbose;
    service->is_root = geteuid() == 0;
    if (service->is_verbose) {
        traced_service = service;
        ipc_channel_set_trace(trace_message);
    }
    fill_profile(control);
    return read_settings(control) && (!definition->prepare || definition->prepare(service)) &&
           close_in(control) && definition->begin(service);
}

int service_main(const struct service_definition *definition)
{
    static struct control control; /* one service per process; large, so not on the stack */
    struct service *service = &control.service;
    struct stat facts;
    if (fstat(CONTROL_DESCRIPTOR, &facts) != 0 || !S_ISSOCK(facts.st_mode)) {
        (void)fprintf(stderr, "%s: is started by posthouse's master, not by hand\n",
                      definition->program);
        return EXIT_FAILURE;
    }
    (void)close_range(CONTROL_DESCRIPTOR + 1, ~0U, 0);
    (void)umask(077);
    (void)signal(SIGPIPE, SIG_IGN);
    service->definition = definition;
    list_init(&control.early);
    list_init(&control.ends);
    hooked_control = &control;
    ipc_channel_set_end_hook(on_channel_end);
    arena_init(&service->arena, ARENA_BYTES, 0);
    service->loop = loop_create();
    ASSERT(service->loop);
    maillog_client_init(&service->log_client, service->loop, &service->log,
                        span_from_string(definition->program));
    control.channel = ipc_channel_create(service->loop, CONTROL_DESCRIPTOR, IPC_ROLE_MASTER,
                                         &control_handlers, &control);
    ASSERT(control.channel);
    loop_run(service->loop); /* until START */
    if (!bring_up(&control))
        service_leave(service, EXIT_FAILURE);
    const struct ipc_ready ready = {.process_number = service->process_number};
    (void)ipc_channel_send(control.channel, IPC_READY, &ready);
    control.is_serving = true;
    give_early_messages(&control);
    loop_run(service->loop);
    service_leave(service, 0);
}
