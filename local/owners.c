/* local/owners - see owners.h. */
#include "owners.h"

#include "deliverer.h"
#include "owner.h"
#include "system/clock.h"

enum { ASK_TIMEOUT_MS = 60000, ADDRESSES_MAX_BYTES = 49152, ANSWER_ARENA_BYTES = 16 << 20 };

/* ---- in the dispatcher ---- */

/* One message's recipients; in its arena. */
struct question {
    struct dispatch *dispatch;
    struct agent_recipient **recipients;
    struct agent_recipient **members; /* of the group that is being sent */
    uint32_t *groups;                 /* of each recipient; 0: none, or sent already */
    size_t count;
};

static struct question *make_question(struct agent_message *message, struct dispatch *dispatch)
{
    struct arena *arena = &message->arena;
    const size_t most = message->recipient_count;
    struct question *question = arena_alloc(arena, sizeof(*question));
    if (!question)
        return NULL;
    *question =
        (struct question){.dispatch = dispatch,
                          .recipients = arena_alloc(arena, most * sizeof(struct agent_recipient *)),
                          .members = arena_alloc(arena, most * sizeof(struct agent_recipient *)),
                          .groups = arena_alloc(arena, most * sizeof(uint32_t))};
    return question->recipients && question->members && question->groups ? question : NULL;
}

static void send_alone(struct dispatch *dispatch, struct agent_recipient *recipient)
{
    dispatch_send(dispatch, recipient, recipient->recipient, false);
}

/* To a worker that is there for one of them, or a new one for the first. */
static void send_group(struct question *question, size_t first)
{
    const uint32_t group = question->groups[first];
    struct span key = question->recipients[first]->recipient;
    size_t count = 0;
    for (size_t i = first; i < question->count; i++) {
        if (question->groups[i] != group)
            continue;
        question->groups[i] = 0;
        question->members[count] = question->recipients[i];
        if (dispatch_has_worker(question->dispatch, question->members[count]->recipient))
            key = question->members[count]->recipient;
        count++;
    }
    dispatch_send_each(question->dispatch, question->members, count, key);
}

/* Whoever the answer does not know is looked up, and refused, by a worker of its own. */
static void on_answer(enum ipc_call_result result, void *reply, void *context)
{
    struct question *question = context;
    const struct ipc_owners_ask_reply *answer = reply;
    struct span rest = result == IPC_CALL_OK ? answer->owners : span_empty();
    for (size_t i = 0; i < question->count; i++) {
        struct ipc_owner owner = {.group = 0};
        if (rest.length == 0 || ipc_records_next(&rest, IPC_OWNER, &owner) != PARSE_OK)
            rest = span_empty();
        question->groups[i] = owner.group;
        if (owner.group == 0)
            send_alone(question->dispatch, question->recipients[i]);
    }
    for (size_t i = 0; i < question->count; i++)
        if (question->groups[i] != 0)
            send_group(question, i);
}

static bool ask(struct question *question)
{
    struct buffer addresses;
    bool is_asked = false;
    buffer_init(&addresses, NULL, ADDRESSES_MAX_BYTES);
    for (size_t i = 0; i < question->count; i++) {
        const struct ipc_addr_recipient record = {.address = question->recipients[i]->recipient};
        ipc_records_append(IPC_ADDR_RECIPIENT, &record, &addresses);
    }
    const struct ipc_owners_ask message = {.recipients = buffer_span(&addresses)};
    if (buffer_ok(&addresses))
        is_asked = dispatch_ask(question->dispatch, SPAN(OWNERS_KEY), IPC_OWNERS_ASK, &message,
                                IPC_OWNERS_ASK_REPLY, clock_deadline_after(ASK_TIMEOUT_MS),
                                on_answer, question);
    buffer_release(&addresses);
    return is_asked;
}

void owners_deliver(struct agent_message *message, void *context)
{
    struct question *question =
        message->recipient_count > 1 ? make_question(message, context) : NULL;
    if (!question) {
        dispatch_deliver(message, context);
        return;
    }
    for (size_t i = 0; i < message->recipient_count; i++) {
        struct agent_recipient *recipient = &message->recipients[i];
        if (span_is_empty(recipient->mailbox))
            agent_finish(recipient, deliverer_unknown_user(recipient));
        else
            question->recipients[question->count++] = recipient;
    }
    if (question->count > 1 && ask(question))
        return;
    for (size_t i = 0; i < question->count; i++)
        send_alone(context, question->recipients[i]);
}

/* ---- in the process that is asked ---- */

struct known_owner {
    struct owner owner;
    uint32_t group; /* the number of the first recipient with that owner, from 1 on; 0: none */
};

static uint32_t find_group(const struct known_owner *known, size_t count)
{
    const struct known_owner *last = &known[count];
    for (size_t i = 0; i < count; i++)
        if (known[i].group != 0 && known[i].owner.uid == last->owner.uid &&
            known[i].owner.gid == last->owner.gid)
            return known[i].group;
    return (uint32_t)count + 1;
}

static void add_groups(struct span recipients, const struct owner_tables *tables,
                       struct arena *arena, struct buffer *groups)
{
    struct ipc_addr_recipient record;
    struct span rest = recipients;
    size_t most = 0;
    while (rest.length > 0 && ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &record) == PARSE_OK)
        most++;
    struct known_owner *known = arena_alloc(arena, (most + 1) * sizeof(*known));
    for (size_t count = 0; known && count < most &&
                           ipc_records_next(&recipients, IPC_ADDR_RECIPIENT, &record) == PARSE_OK;
         count++) {
        struct span error;
        known[count] = (struct known_owner){.group = 0};
        if (owner_find(tables, record.address, arena, &known[count].owner, &error) == OWNER_FOUND)
            known[count].group = find_group(known, count);
        const struct ipc_owner owner = {.group = known[count].group};
        ipc_records_append(IPC_OWNER, &owner, groups);
    }
}

void owners_answer(struct ipc_channel *channel, const struct ipc_delivery *question,
                   const struct conf_virtual *settings)
{
    const struct ipc_owners_ask *ask_message = question->message;
    struct owner_tables tables;
    struct arena arena;
    struct buffer groups;
    arena_init(&arena, ANSWER_ARENA_BYTES, 0);
    buffer_init(&groups, &arena, IPC_RECORDS_MAX);
    if (owner_open(settings, &tables)) {
        add_groups(ask_message->recipients, &tables, &arena, &groups);
        owner_close(&tables);
    }
    const struct ipc_owners_ask_reply reply = {.owners = buffer_ok(&groups) ? buffer_span(&groups)
                                                                            : span_empty()};
    (void)ipc_channel_reply(channel, question->id, IPC_OWNERS_ASK_REPLY, &reply); /* or it closes */
    arena_destroy(&arena);
}
