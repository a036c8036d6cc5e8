/* master/listeners - see listeners.h. */
#include "listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "system/clock.h"
#include "system/file.h"

void listeners_init(struct listeners *listeners)
{
    list_init(&listeners->list);
}

static struct listener *find(const struct listeners *listeners, const char *text)
{
    LIST_FOR_EACH (&listeners->list, link) {
        struct listener *listener = LIST_ITEM(link, struct listener, link);
        if (strcmp(listener->text, text) == 0)
            return listener;
    }
    return NULL;
}

const struct listener *listeners_find(const struct listeners *listeners, const char *text)
{
    return find(listeners, text);
}

static void drop(struct listeners *listeners, struct listener *listener)
{
    list_remove(&listeners->list, &listener->link);
    file_close(listener->socket);
    free(listener->text);
    free(listener);
}

static bool add(struct listeners *listeners, const char *text, int descriptor, uint32_t generation,
                bool is_new)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    char *copy = strdup(text);
    if (!listener || !copy) {
        file_close(descriptor);
        free(listener);
        free(copy);
        return false;
    }
    *listener = (struct listener){
        .text = copy, .socket = descriptor, .generation = generation, .is_new = is_new};
    list_append(&listeners->list, &listener->link);
    return true;
}

int listeners_bind_unix(int directory, const char *name, int type, unsigned mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Through the descriptor: the path may be longer than an address may be. */
    const int length = snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s",
                                directory, name);
    if (length < 0 || (size_t)length >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (unlinkat(directory, name, 0) != 0 && errno != ENOENT)
        return -1;
    const int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    if (bind(descriptor, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        fchmodat(directory, name, mode, 0) != 0 || listen(descriptor, SOMAXCONN) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

enum { MODE_ANYONE = 0666, MODE_GROUP = 0660 };
enum { BUSY_RETRY_MS = 50, BUSY_PATIENCE_MS = 2000, FIRST_GENERATION = 1 };

/* Nobody can connect to it yet. */
static int bind_socket(const struct endpoint *endpoint)
{
    const int family = endpoint->address.any.sa_family;
    const int on = 1;
    const int descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (family == AF_INET6 &&
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) != 0) ||
        bind(descriptor, &endpoint->address.any, endpoint->length) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

static int bind_endpoint(const struct endpoint *endpoint)
{
    const int descriptor = bind_socket(endpoint);
    if (descriptor < 0 || listen(descriptor, SOMAXCONN) == 0)
        return descriptor;
    file_close(descriptor);
    return -1;
}

/* At a start, children of a master that was killed a moment ago may still be on their way out. */
static int bind_patiently(const struct endpoint *endpoint, uint32_t generation)
{
    const int64_t deadline_ms =
        clock_deadline_after(generation == FIRST_GENERATION ? BUSY_PATIENCE_MS : 0);
    int descriptor;
    while ((descriptor = bind_endpoint(endpoint)) < 0 && errno == EADDRINUSE &&
           clock_monotonic_ms() < deadline_ms) {
        (void)usleep(BUSY_RETRY_MS * 1000);
        errno = EADDRINUSE;
    }
    return descriptor;
}

static const char *advice_for(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "another program listens there: stop it, or choose another port in master.cf";
    case EACCES:
        return "ports below 1024 are root's: start as root, or choose another port in master.cf";
    case EADDRNOTAVAIL:
        return "this machine has no such address: correct master.cf or inet_interfaces";
    default:
        return strerror(error);
    }
}

static void note_refusal(const struct endpoint *endpoint, int error, struct conf_notices *notices)
{
    conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot listen on %s: %s", endpoint->text,
                    advice_for(error));
}

/* A machine without IPv6. */
static bool is_excused(const struct endpoint *endpoint, int error)
{
    return endpoint->is_optional && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

void listeners_rehearse(const struct plan *plan, bool is_running, struct conf_notices *notices)
{
    for (size_t i = 0; i < plan->service_count; i++)
        for (size_t j = 0; j < plan->services[i]->endpoint_count; j++) {
            const struct endpoint *endpoint = &plan->services[i]->endpoints[j];
            if (endpoint->length == 0)
                continue;
            const int descriptor = bind_socket(endpoint);
            if (descriptor < 0 && !is_excused(endpoint, errno) &&
                !(is_running && errno == EADDRINUSE))
                note_refusal(endpoint, errno, notices);
            file_close(descriptor);
        }
}

static void open_endpoint(struct listeners *listeners, const struct endpoint *endpoint,
                          uint32_t generation, struct conf_notices *notices)
{
    struct listener *known = find(listeners, endpoint->text);
    if (known) {
        known->generation = generation;
        return;
    }
    const int descriptor = bind_patiently(endpoint, generation);
    if (descriptor < 0 && is_excused(endpoint, errno))
        return;
    if (descriptor < 0)
        note_refusal(endpoint, errno, notices);
    else if (!add(listeners, endpoint->text, descriptor, generation, true))
        conf_notice_add(notices, CONF_NOTICE_ERROR, "out of memory");
}

static bool is_for_anyone(struct span users)
{
    return span_equals(span_trim_spaces(users), SPAN("static:anyone"));
}

/* Everybody may knock, and the server looks at who it is; but where the operator has made a list of
 * users only the command that reads the list gets through, by its group. */
static bool guard_public(const struct plan *plan, const char *name, bool may_flush, int directory)
{
    const struct conf_master_settings *settings = &plan->settings;
    if ((!may_flush || is_for_anyone(settings->authorized_flush_users)) &&
        is_for_anyone(settings->authorized_mailq_users))
        return fchmodat(directory, name, MODE_ANYONE, 0) == 0;
    return (geteuid() != 0 || fchownat(directory, name, (uid_t)-1, plan->drop_owner.gid, 0) == 0) &&
           fchmodat(directory, name, MODE_GROUP, 0) == 0;
}

/* Everybody may knock: a server of tools looks at who it is, one of mail takes mail for us only. */
static void open_public(struct listeners *listeners, const char *text, int type, unsigned mode,
                        uint32_t generation, int directory, struct conf_notices *notices)
{
    struct listener *known = find(listeners, text);
    if (known) {
        known->generation = generation;
        return;
    }
    const int descriptor = listeners_bind_unix(directory, text + sizeof("public/") - 1, type, mode);
    if (descriptor < 0)
        conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot listen on %s: %s", text,
                        strerror(errno));
    else if (!add(listeners, text, descriptor, generation, true))
        conf_notice_add(notices, CONF_NOTICE_ERROR, "out of memory");
}

/* A socket of the queue manager; type: SOCK_SEQPACKET for commands, SOCK_STREAM for those who only
 * read the list. name: NULL for none. */
static void open_guarded(struct listeners *listeners, const struct plan *plan, const char *name,
                         int type, uint32_t generation, int directory, struct conf_notices *notices)
{
    char text[ENDPOINT_TEXT_BYTES];
    if (!name)
        return;
    (void)snprintf(text, sizeof(text), "public/%s", name);
    open_public(listeners, text, type, MODE_GROUP, generation, directory, notices);
    if (find(listeners, text) && !guard_public(plan, name, type == SOCK_SEQPACKET, directory))
        conf_notice_add(notices, CONF_NOTICE_ERROR, "cannot guard %s: %s", text, strerror(errno));
}

bool listeners_open(struct listeners *listeners, const struct plan *plan, uint32_t generation,
                    int public_directory, struct conf_notices *notices)
{
    const size_t errors_before = notices->error_count;
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = plan->services[i];
        for (size_t j = 0; j < service->endpoint_count; j++)
            if (service->endpoints[j].length == 0)
                open_public(listeners, service->endpoints[j].text, SOCK_STREAM, MODE_ANYONE,
                            generation, public_directory, notices);
            else
                open_endpoint(listeners, &service->endpoints[j], generation, notices);
        open_guarded(listeners, plan, service->program->public_socket, SOCK_SEQPACKET, generation,
                     public_directory, notices);
        open_guarded(listeners, plan, service->program->public_stream, SOCK_STREAM, generation,
                     public_directory, notices);
    }
    if (notices->error_count == errors_before)
        return true;
    listeners_abandon(listeners, generation);
    return false;
}

bool listeners_adopt(struct listeners *listeners, const struct handover *handover)
{
    for (size_t i = 0; i < handover->listener_count; i++) {
        const struct handover_listener *adopted = &handover->listeners[i];
        char *text = strndup((const char *)adopted->text.bytes, adopted->text.length);
        const bool is_added =
            text && add(listeners, text, adopted->socket, adopted->generation, false);
        free(text);
        if (!is_added)
            return false;
    }
    return true;
}

bool listeners_hand_over(const struct listeners *listeners, struct handover *handover)
{
    LIST_FOR_EACH (&listeners->list, link) {
        const struct listener *listener = LIST_ITEM(link, struct listener, link);
        if (handover->listener_count == HANDOVER_ITEMS_MAX)
            return false;
        handover->listeners[handover->listener_count++] =
            (struct handover_listener){.socket = listener->socket,
                                       .generation = listener->generation,
                                       .text = span_from_string(listener->text)};
    }
    return true;
}

void listeners_abandon(struct listeners *listeners, uint32_t generation)
{
    LIST_FOR_EACH (&listeners->list, link) {
        struct listener *listener = LIST_ITEM(link, struct listener, link);
        if (listener->generation != generation)
            continue;
        if (listener->is_new)
            drop(listeners, listener);
        else
            listener->generation--;
    }
}

void listeners_retire(struct listeners *listeners, uint32_t generation)
{
    LIST_FOR_EACH (&listeners->list, link) {
        struct listener *listener = LIST_ITEM(link, struct listener, link);
        if (listener->generation < generation)
            drop(listeners, listener);
        else
            listener->is_new = false;
    }
}

static bool is_listening(int descriptor)
{
    int value = 0;
    socklen_t length = sizeof(value);
    /* Unsure is listening: nothing is changed. */
    return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) != 0 || value != 0;
}

void listeners_restore(const struct listeners *listeners, struct maillog *log)
{
    LIST_FOR_EACH (&listeners->list, link) {
        const struct listener *listener = LIST_ITEM(link, struct listener, link);
        if (is_listening(listener->socket))
            continue;
        const int result = listen(listener->socket, SOMAXCONN);
        maillog_text(log, LOG_LEVEL_ERROR, span_empty(),
                     "a process has made %s stop listening, as no process of ours does: %s",
                     listener->text, result == 0 ? "listening again" : strerror(errno));
    }
}

void listeners_close(struct listeners *listeners)
{
    LIST_FOR_EACH (&listeners->list, link)
        drop(listeners, LIST_ITEM(link, struct listener, link));
}
