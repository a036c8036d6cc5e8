/* keyd/succession - see succession.h. */
#include "succession.h"

#include <stdlib.h>

#include "heirloom.h"
#include "system/clock.h"
#include "system/file.h"

enum {
    NOBODY_MS = 200,  /* whoever is there is known by then: master tells at once */
    ANSWER_MS = 3000, /* of an elder */
    QUESTIONS_MAX = 200,
    UNASKED_MS = 3000 /* how long one that leaves waits to be asked */
};

/* One end of a channel to another keyd. */
struct relative {
    struct list_link link;
    struct succession *succession;
    struct ipc_channel *channel;
    uint32_t process_number;
    bool is_heir;
    bool has_asked;
};

/* A question to an elder. */
struct bequest {
    struct succession *succession;
    struct key_set *set; /* of a service or of a name: the vault's, which stay */
    const char *whose;
    struct span name;
    uint32_t process_number;
};

static const char of_service[] = "service", of_name[] = "tls_server_sni_maps";

/* ---- the elders ---- */

static void settle(struct succession *succession)
{
    if (succession->is_settled || succession->pending_count > 0)
        return;
    succession->is_settled = true;
    vault_complain(succession->vault);
    key_server_stop_holding(succession->server);
}

static void on_answer(enum ipc_call_result result, void *reply, void *context)
{
    struct bequest *bequest = context;
    struct succession *succession = bequest->succession;
    const struct ipc_key_estate_reply *estate = reply;
    struct tls_chains chains;
    tls_chains_init(&chains, bequest->whose, 0, NULL, NULL);
    if (result == IPC_CALL_OK)
        heirlooms_read(estate->keys, &chains);
    if (vault_inherit(succession->vault, bequest->set, bequest->whose, bequest->name, &chains,
                      bequest->process_number))
        key_server_tell_changed(succession->server, bequest->whose == of_name);
    tls_chains_clear(&chains);
    free(bequest);
    succession->pending_count--;
    settle(succession);
}

static void ask(struct relative *elder, const char *prefix, const struct bequest *wanted)
{
    const struct ipc_key_estate question = {.prefix = span_from_string(prefix),
                                            .service = wanted->name};
    struct bequest *bequest = malloc(sizeof(*bequest));
    if (!bequest)
        return;
    *bequest = *wanted;
    if (ipc_channel_call_async(elder->channel, IPC_KEY_ESTATE, &question, IPC_KEY_ESTATE_REPLY,
                               clock_deadline_after(ANSWER_MS), on_answer, bequest))
        elder->succession->pending_count++;
    else
        free(bequest);
}

/* Names are many: those are asked about that have nothing else. */
static bool ask_for_name(void *context, struct span list, struct key_set *set)
{
    struct relative *elder = context;
    const struct bequest wanted = {elder->succession, set, of_name, list, elder->process_number};
    if (set->status == TLS_KEY_STATUS_BROKEN || set->is_inherited)
        ask(elder, "", &wanted);
    return elder->succession->pending_count < QUESTIONS_MAX;
}

static void ask_for_all(struct relative *elder)
{
    struct succession *succession = elder->succession;
    LIST_FOR_EACH (&succession->vault->services, link) {
        const struct vault_service *service = LIST_ITEM(link, struct vault_service, link);
        const struct bequest wanted = {succession, service->own, of_service, service->name,
                                       elder->process_number};
        if (service->is_first)
            ask(elder, service->settings.prefix, &wanted);
    }
    name_files_each(succession->vault->files, ask_for_name, elder);
}

/* ---- the heirs ---- */

static const struct key_set *find_set(const struct vault *vault,
                                      const struct ipc_key_estate *question)
{
    if (span_is_empty(question->prefix))
        return name_files_find(vault->files, question->service);
    const struct vault_service *service =
        vault_find_service_of(vault, question->prefix, question->service);
    return service ? service->own : NULL;
}

/* In the next turn: answers leave at the end of this one, and an heir asks all at once. */
static void leave_if_asked(struct succession *succession)
{
    LIST_FOR_EACH (&succession->relatives, link) {
        const struct relative *relative = LIST_ITEM(link, struct relative, link);
        if (relative->is_heir && !relative->has_asked)
            return;
    }
    loop_timer_set(&succession->timer, clock_deadline_after(0));
}

static void on_question(struct relative *heir, uint32_t id, const struct ipc_key_estate *question)
{
    struct succession *succession = heir->succession;
    const struct key_set *set = find_set(succession->vault, question);
    struct buffer keys;
    buffer_init(&keys, NULL, IPC_RECORDS_MAX);
    keys.holds_secrets = true; /* one that grows leaves nothing behind */
    if (set && set->status == TLS_KEY_STATUS_FOUND)
        heirlooms_append(set, &keys);
    const struct ipc_key_estate_reply reply = {.keys = buffer_ok(&keys) ? buffer_span(&keys)
                                                                        : span_empty()};
    if (id != 0)
        (void)ipc_channel_reply(heir->channel, id, IPC_KEY_ESTATE_REPLY,
                                &reply); /* or it is gone */
    buffer_release(&keys);
    heir->has_asked = true;
    if (succession->done)
        leave_if_asked(succession);
}

static void on_timer(void *context)
{
    struct succession *succession = context;
    if (succession->done)
        succession->done(succession->context);
    else
        settle(succession);
}

void succession_finish(struct succession *succession, void (*done)(void *context), void *context)
{
    succession->done = done;
    succession->context = context;
    loop_timer_set(&succession->timer, clock_deadline_after(UNASKED_MS));
    leave_if_asked(succession);
}

/* ---- both ---- */

static void on_message(struct ipc_channel *channel UNUSED, const struct ipc_delivery *delivery,
                       void *context)
{
    struct relative *relative = context;
    if (delivery->type == IPC_KEY_ESTATE && relative->is_heir)
        on_question(relative, delivery->id, delivery->message);
}

static void drop(struct relative *relative)
{
    list_remove(&relative->succession->relatives, &relative->link);
    ipc_channel_destroy(&relative->channel);
    free(relative);
}

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    drop(context);
}

void succession_add_peer(struct succession *succession, const struct service_peer *who,
                         int descriptor)
{
    static const struct ipc_permission from_heirs[] = {
        {IPC_KEY_ESTATE, IPC_ROLE_BIT(IPC_ROLE_KEYD)},
        {0, 0},
    };
    static const struct ipc_permission from_elders[] = {{0, 0}};
    static const struct ipc_channel_handlers of_heirs = {on_message, on_closed, from_heirs};
    static const struct ipc_channel_handlers of_elders = {on_message, on_closed, from_elders};
    struct relative *relative = calloc(1, sizeof(*relative));
    if (!relative) {
        file_close(descriptor);
        return;
    }
    relative->succession = succession;
    relative->process_number = who->process_number;
    relative->is_heir = who->is_server; /* we answer */
    relative->channel = ipc_channel_create(succession->loop, descriptor, IPC_ROLE_KEYD,
                                           relative->is_heir ? &of_heirs : &of_elders, relative);
    if (!relative->channel) {
        free(relative);
        return;
    }
    ipc_channel_set_secret(relative->channel);
    list_append(&succession->relatives, &relative->link);
    succession->server->has_relatives = true;
    if (!relative->is_heir)
        ask_for_all(relative);
}

void succession_init(struct succession *succession, struct loop *loop, struct vault *vault,
                     struct key_server *server)
{
    *succession = (struct succession){.loop = loop, .vault = vault, .server = server};
    list_init(&succession->relatives);
    loop_timer_init(&succession->timer, loop, on_timer, succession);
    loop_timer_set(&succession->timer, clock_deadline_after(NOBODY_MS));
    key_server_hold(server);
}
