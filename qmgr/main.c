/* qmgr/main - the queue manager: owns the queue directory, and nobody else opens it.
 * Design: ARCHITECTURE.md; man/qmgr.8. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "intake_peer.h"
#include "listener.h"
#include "origin.h"
#include "poison.h"
#include "probe.h"
#include "recovered.h"
#include "report.h"
#include "route.h"
#include "scan.h"
#include "showq.h"
#include "source.h"
#include "system/file.h"
#include "system/random.h"
#include "tool_peer.h"

enum { DESCRIPTORS = 65536, KEY_TRIES = 2, DRAIN_POLL_MS = 10, DRAIN_MS = 2000 };

static struct qmgr qmgr;

static int open_directory(struct service *service, int parent, const char *name)
{
    const struct sandbox_profile *profile = &service->profile;
    if (mkdirat(parent, name, 0700) == 0 && service->is_root &&
        fchownat(parent, name, profile->uid, profile->gid, 0) != 0)
        return -1;
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The key that proves which files are ours; made at the first start. */
static bool read_key(struct service *service, int directory)
{
    for (int i = 0; i < KEY_TRIES; i++) {
        int descriptor = openat(directory, "queue.key", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (descriptor >= 0) {
            const int result = file_pread_all(descriptor, qmgr.key_bytes, QUEUE_KEY_BYTES, 0);
            file_close(descriptor);
            if (result != 0)
                service_say(service, "the queue's key in data_directory is damaged");
            return result == 0;
        }
        random_bytes(qmgr.key_bytes, QUEUE_KEY_BYTES);
        descriptor =
            openat(directory, "queue.key.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0400);
        if (descriptor < 0 ||
            file_pwrite_all(descriptor, qmgr.key_bytes, QUEUE_KEY_BYTES, 0) != 0 ||
            fsync(descriptor) != 0 ||
            renameat(directory, "queue.key.new", directory, "queue.key") != 0 ||
            fsync(directory) != 0) {
            service_say(service, "cannot make the queue's key in data_directory: %s",
                        strerror(errno));
            file_close(descriptor);
            return false;
        }
        file_close(descriptor);
    }
    service_say(service, "cannot read the queue's key in data_directory: %s", strerror(errno));
    return false;
}

static bool open_queue(struct service *service)
{
    static const char *const names[] = {"tmp", "new", "deferred", "hold", "corrupt"};
    int *const kept[] = {&qmgr.tmp_directory, &qmgr.new_directory, &qmgr.deferred_directory};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        const int descriptor = open_directory(service, qmgr.queue_directory, names[i]);
        if (descriptor < 0) {
            service_say(service, "cannot open %s in queue_directory: %s", names[i],
                        strerror(errno));
            return false;
        }
        if (i < ARRAY_LENGTH(kept))
            *kept[i] = descriptor;
        else
            file_close(descriptor);
    }
    qmgr.lock_descriptor =
        openat(qmgr.queue_directory, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (qmgr.lock_descriptor < 0)
        service_say(service, "cannot open lock in queue_directory: %s", strerror(errno));
    return qmgr.lock_descriptor >= 0;
}

static bool prepare(struct service *service)
{
    const struct conf_qmgr *settings = service->settings;
    char *queue = arena_string(&service->arena, settings->queue_directory);
    char *data = arena_string(&service->arena, settings->data_directory);
    struct sandbox_path *paths = arena_alloc(&service->arena, sizeof(*paths));
    qmgr.settings = settings;
    if (!queue || !data || !paths)
        return false;
    qmgr.queue_directory = open(queue, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (qmgr.queue_directory < 0) {
        service_say(service, "cannot open queue_directory %s: %s", queue, strerror(errno));
        return false;
    }
    const int data_directory = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (data_directory < 0) {
        service_say(service, "cannot open data_directory %s: %s", data, strerror(errno));
        return false;
    }
    const bool has_key = read_key(service, data_directory);
    file_close(data_directory);
    if (!has_key || !open_queue(service))
        return false;
    if (!probe_prepare(&qmgr)) {
        service_say(service, "cannot make a memory file: %s", strerror(errno));
        return false;
    }
    if (!sandbox_warm_up_crypto()) {
        service_say(service, "libcrypto does not work");
        return false;
    }
    *paths = (struct sandbox_path){queue, SANDBOX_PATH_READ | SANDBOX_PATH_WRITE};
    service->profile.paths = paths;
    service->profile.path_count = 1;
    if (service->is_root)
        service->profile.root_directory = queue;
    return true;
}

static bool begin(struct service *service)
{
    uint8_t seed[16];
    random_bytes(seed, sizeof(seed));
    qmgr.service = service;
    qmgr.loop = service->loop;
    qmgr.intake_state = outcome_temporary(451, 3, 0, "Error: queue file write error");
    map_init(&qmgr.messages, seed);
    source_init(&qmgr);
    recovered_init(&qmgr);
    origin_init(&qmgr);
    list_init(&qmgr.intake_peers);
    list_init(&qmgr.unrouted);
    list_init(&qmgr.bouncers);
    list_init(&qmgr.tools);
    list_init(&qmgr.unreported);
    list_init(&qmgr.orphans);
    poison_init(&qmgr);
    qmgr.next_delivery = clock_realtime_us(); /* never the number of an earlier qmgr's delivery */
    qmgr.pool = pool_create(service->loop, qmgr.settings->queue_threads);
    /* The other half is for ids, connections, and what is on its way to an agent: without these
     * nothing moves. */
    qmgr.ready_limit = file_descriptor_limit() / 2;
    if (!qmgr.pool || !schedule_init(&qmgr) || scan_start(&qmgr) != 0) {
        service_say(service, "cannot start: out of memory or threads");
        return false;
    }
    service->state = &qmgr;
    return true;
}

static void on_listener(struct service *service, struct span endpoint, int descriptor)
{
    (void)service;
    listener_start(&qmgr, descriptor,
                   span_equals(endpoint, SPAN("public/showq")) ? showq_take : tool_peer_take);
}

static void on_peer(struct service *service, const struct service_peer *peer, int descriptor)
{
    (void)service;
    switch ((int)peer->role) {
    case IPC_ROLE_SMTPD:
    case IPC_ROLE_SUBMITD:
    case IPC_ROLE_PICKUP:
    case IPC_ROLE_REPORTD:
        intake_peer_attach(&qmgr, peer->role, descriptor);
        break;
    case IPC_ROLE_BOUNCE: /* it brings reports, and is asked for them */
        if (peer->is_server)
            intake_peer_attach(&qmgr, peer->role, descriptor);
        else
            report_attach(&qmgr, peer->process_number, descriptor);
        break;
    case IPC_ROLE_VERIFY:
        probe_attach(&qmgr, descriptor);
        break;
    case IPC_ROLE_ADDRD:
        route_attach(&qmgr, descriptor);
        break;
    case IPC_ROLE_LOCAL: /* it makes mail of what it forwards, and is given mail */
        if (peer->is_server)
            intake_peer_attach(&qmgr, peer->role, descriptor);
        else
            agent_attach(&qmgr, peer, descriptor);
        break;
    case IPC_ROLE_SMTP:
    case IPC_ROLE_LMTP:
    case IPC_ROLE_VIRTUAL:
    case IPC_ROLE_ERROR:
    case IPC_ROLE_DISCARD:
    case IPC_ROLE_PIPE:
        agent_attach(&qmgr, peer, descriptor);
        break;
    default:
        file_close(descriptor);
        break;
    }
}

/* After the hooks of this turn: the channels have sent what the last jobs answered. */
static void leave(struct loop_hook *hook)
{
    (void)hook;
    service_leave(qmgr.service, 0);
}

static void leave_when_idle(void *context)
{
    (void)context;
    if (pool_pending_count(qmgr.pool) == 0 || clock_monotonic_ms() >= qmgr.drain_deadline_ms) {
        qmgr.leave_hook.run = leave;
        loop_hook_request(qmgr.loop, &qmgr.leave_hook);
        return;
    }
    loop_timer_set(&qmgr.drain_timer, clock_deadline_after(DRAIN_POLL_MS));
}

/* Everything that matters is on disk: what is in flight is found there again by the next one. */
static void drain(struct service *service)
{
    loop_timer_init(&qmgr.drain_timer, qmgr.loop, leave_when_idle, service);
    qmgr.drain_deadline_ms = clock_deadline_after(DRAIN_MS);
    leave_when_idle(service);
}

static void on_poison(struct service *service, const struct ipc_poison *poison)
{
    (void)service;
    poison_take(&qmgr, poison);
}

int main(void)
{
    static const struct service_definition definition = {
        .program = "qmgr",
        .part = &conf_part_qmgr,
        .promises = SANDBOX_QUEUE_DIRECTORY | SANDBOX_THREADS | SANDBOX_ACCEPT,
        .descriptor_limit = DESCRIPTORS,
        .keeps_root = true,
        .prepare = prepare,
        .begin = begin,
        .on_listener = on_listener,
        .on_peer = on_peer,
        .drain = drain,
        .on_poison = on_poison,
    };
    return service_main(&definition);
}
