/* addrd/questions - see questions.h. */
#include "questions.h"

#include <stdlib.h>

#include "base/map.h"
#include "expander.h"
#include "rewriter.h"
#include "search.h"
#include "system/task.h"
#include "table/names.h"

enum {
    ROUTES_MAX_BYTES = 57344,         /* IPC_RECORDS_MAX */
    QUESTION_ARENA_BYTES = 256 << 10, /* the question itself and its answer */
    ROUTES_BETWEEN_YIELDS = 32,
    REASON_MAX_BYTES = 1000,
    EXPANSION_MAX_BYTES = 49152 /* IPC_EXPANSION_MAX */
};

struct peer {
    struct questions *questions;
    struct ipc_channel *channel; /* NULL: closed; the memory goes with the last question */
    size_t open_count;
};

struct question {
    struct list_link link;
    struct peer *peer;
    uint32_t id;
    enum ipc_type type;
    struct arena arena;
    union {
        struct ipc_addr_check_recipient check;
        struct ipc_addr_route route;
        struct ipc_addr_expand expand;
        struct ipc_addr_rewrite rewrite;
        struct ipc_addr_find find;
        struct ipc_addr_lookup lookup;
    } message;
};

static void release_peer(struct peer *peer)
{
    if (!peer->channel && peer->open_count == 0)
        free(peer);
}

static void reply(struct question *question, enum ipc_type type, const void *message)
{
    if (question->peer->channel) /* else nobody waits any more */
        (void)ipc_channel_reply(question->peer->channel, question->id, type, message);
}

static void end_question(struct question *question)
{
    struct questions *questions = question->peer->questions;

    question->peer->open_count--;
    release_peer(question->peer);
    arena_destroy(&question->arena);
    free(question);
    questions->open_count--;
    if (questions->open_count == 0 && questions->on_idle)
        questions->on_idle(questions);
}

/* A reason may come from a table, and a reply line holds only so much. */
static struct outcome shortened(struct outcome outcome)
{
    outcome.reason = span_first(outcome.reason, REASON_MAX_BYTES);
    return outcome;
}

/* ---- the questions ---- */

/* As many records as fit, from the first that is not skipped on. The fingerprint is of all. */
static void put_expansion(const struct questions *questions, const struct expansion *expansion,
                          size_t skipped, struct buffer *records, uint64_t *fingerprint)
{
    struct buffer whole;

    buffer_init(&whole, NULL, EXPANDER_ARENA_BYTES);
    for (size_t i = 0; i < expansion->count; i++) {
        const struct expanded *expanded = &expansion->all[i];
        const struct ipc_addr_expanded record = {.address = expanded->address,
                                                 .original = expanded->original,
                                                 .is_copy = expanded->is_copy};
        const size_t before = whole.length;
        ipc_records_append(IPC_ADDR_EXPANDED, &record, &whole);
        if (i < skipped || !buffer_ok(records))
            continue;
        buffer_append_span(records, span_after(buffer_span(&whole), before));
    }
    *fingerprint =
        buffer_ok(&whole) ? map_siphash(questions->resolver->seed, buffer_span(&whole)) : 0;
    buffer_release(&whole);
}

/* Where the recipient stands for itself alone, and the envelope says so already. */
static bool is_plain(const struct expansion *expansion, struct span recipient)
{
    return expansion->count == 1 && expansion->all[0].original.length == 0 &&
           span_equals(expansion->all[0].address, recipient);
}

static void answer_check(struct question *question)
{
    const struct ipc_addr_check_recipient *asked = &question->message.check;
    const struct questions *questions = question->peer->questions;
    struct expansion expansion;
    struct addr_check check;
    struct arena arena;
    struct buffer records;

    arena_init(&arena, EXPANDER_ARENA_BYTES, 0);
    buffer_init(&records, NULL, EXPANSION_MAX_BYTES);
    resolver_check_recipient(questions->resolver, asked->recipient, asked->sender, asked->flags,
                             &arena, &check, &expansion);
    struct ipc_addr_check_recipient_reply message = {
        .class = check.class,
        .outcome = shortened(check.outcome),
        .refusal = check.refusal,
        .unknown_class = check.unknown_class,
        .recipient = check.recipient,
        .new_sender = expansion.sender,
        .sender_outcome = shortened(check.sender_outcome),
        .sender_class = check.sender_class,
        .rewrites_headers =
            !(asked->flags & ADDR_EXPAND_NOTHING) && rewriter_is_needed(questions->resolver)};
    if ((check.outcome.kind != OUTCOME_TEMPORARY || check.refusal) && expansion.count > 0 &&
        !is_plain(&expansion, check.recipient)) {
        put_expansion(questions, &expansion, 0, &records, &message.fingerprint);
        message.recipients = buffer_span(&records);
        message.total = (uint32_t)expansion.count;
    }
    reply(question, IPC_ADDR_CHECK_RECIPIENT_REPLY, &message);
    buffer_release(&records);
    arena_destroy(&arena);
}

static void answer_expand(struct question *question)
{
    const struct ipc_addr_expand *asked = &question->message.expand;
    const struct questions *questions = question->peer->questions;
    struct expansion expansion;
    struct arena arena;
    struct buffer records;

    arena_init(&arena, EXPANDER_ARENA_BYTES, 0);
    buffer_init(&records, NULL, EXPANSION_MAX_BYTES);
    expander_expand_named(questions->resolver, asked->recipient, asked->sender, asked->flags,
                          &arena, &expansion);
    struct ipc_addr_expand_reply message = {.outcome = shortened(expansion.outcome),
                                            .new_sender = expansion.sender,
                                            .rewrites_headers =
                                                !(asked->flags & ADDR_EXPAND_NOTHING) &&
                                                rewriter_is_needed(questions->resolver)};
    if (outcome_is_ok(&expansion.outcome) && !is_plain(&expansion, asked->recipient)) {
        put_expansion(questions, &expansion, asked->skipped, &records, &message.fingerprint);
        message.recipients = buffer_span(&records);
        message.total = (uint32_t)expansion.count;
    }
    reply(question, IPC_ADDR_EXPAND_REPLY, &message);
    buffer_release(&records);
    arena_destroy(&arena);
}

/* False when the answer is full or *outcome says that it ends here. */
static bool rewrite_one(struct question *question, struct span address, struct buffer *addresses,
                        struct outcome *outcome)
{
    struct arena arena;
    struct span rewritten;

    arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
    *outcome = rewriter_rewrite(question->peer->questions->resolver,
                                (enum addr_rewriting)question->message.rewrite.kind, address,
                                &arena, &rewritten);
    const size_t length = addresses->length;
    if (outcome_is_ok(outcome)) {
        const struct ipc_addr_recipient record = {.address = rewritten};
        ipc_records_append(IPC_ADDR_RECIPIENT, &record, addresses);
    }
    arena_destroy(&arena);
    if (buffer_ok(addresses))
        return outcome_is_ok(outcome);
    addresses->length = length;
    addresses->has_failed = false;
    return false;
}

static void answer_rewrite(struct question *question)
{
    struct span rest = question->message.rewrite.addresses;
    struct ipc_addr_recipient address;
    struct buffer addresses;
    struct outcome outcome = outcome_ok();

    buffer_init(&addresses, &question->arena, ROUTES_MAX_BYTES);
    for (size_t i = 1; rest.length && question->message.rewrite.kind < ADDR_REWRITING_COUNT; i++) {
        if (ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &address) != PARSE_OK ||
            !rewrite_one(question, address.address, &addresses, &outcome))
            break;
        if (i % ROUTES_BETWEEN_YIELDS == 0)
            task_yield();
    }
    const struct ipc_addr_rewrite_reply message = {.outcome = addresses.length ? outcome_ok()
                                                                               : shortened(outcome),
                                                   .addresses = buffer_span(&addresses)};
    reply(question, IPC_ADDR_REWRITE_REPLY, &message);
}

static void reply_found(struct question *question, bool has_failed, struct span value)
{
    const struct ipc_addr_find_reply failure = {.outcome = shortened(resolver_lookup_failure()),
                                                .value = span_empty()};
    const struct ipc_addr_find_reply message = {.outcome = outcome_ok(),
                                                .value = value.bytes ? value : span_empty()};
    /* A value may be one that no message can carry: too long, or no text. */
    if (has_failed ||
        (question->peer->channel && !ipc_channel_try_reply(question->peer->channel, question->id,
                                                           IPC_ADDR_FIND_REPLY, &message)))
        reply(question, IPC_ADDR_FIND_REPLY, &failure);
}

static void answer_find(struct question *question)
{
    struct resolver *resolver = question->peer->questions->resolver;
    struct search search = {.resolver = resolver, .arena = &question->arena};
    struct span rest = question->message.find.keys, value = {NULL, 0};
    struct ipc_addr_recipient key;
    if (question->message.find.table >= ADDR_AGENT_TABLE_COUNT)
        search.has_failed = true;
    while (!search.has_failed && !value.bytes && rest.length) {
        if (ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &key) != PARSE_OK)
            break;
        value = search_key(&search, resolver->tables.of_agents[question->message.find.table],
                           key.address);
    }
    reply_found(question, search.has_failed, value);
}

/* A name that no server's settings have comes from one with others than ours. */
static struct span look_up(struct search *search, const struct ipc_addr_lookup *lookup,
                           struct span key)
{
    struct span tables = lookup->tables, value = {NULL, 0}, name;
    while (!search->has_failed && !value.bytes && table_next_name(&tables, &name)) {
        struct table_list *list =
            addr_tables_asked(&search->resolver->tables, name, lookup->keeps_case);
        if (list)
            value = search_key(search, list, key);
        else
            (void)search_note(search, TABLE_ERROR, SPAN("a server asks for another's table"));
    }
    return value;
}

static void answer_lookup(struct question *question)
{
    struct search search = {.resolver = question->peer->questions->resolver,
                            .arena = &question->arena};
    struct span rest = question->message.lookup.keys, value = {NULL, 0};
    struct ipc_addr_recipient key;
    while (!search.has_failed && !value.bytes && rest.length) {
        if (ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &key) != PARSE_OK)
            search.has_failed = true;
        else
            value = look_up(&search, &question->message.lookup, key.address);
    }
    reply_found(question, search.has_failed, value);
}

static bool put_entry(struct buffer *routes, const struct ipc_addr_route_entry *entry)
{
    const size_t length = routes->length;
    ipc_records_append(IPC_ADDR_ROUTE_ENTRY, entry, routes);
    if (buffer_ok(routes))
        return true;
    routes->length = length;
    routes->has_failed = false;
    return false;
}

/* False when the reply is full. */
static bool route_one(struct question *question, struct span recipient, struct buffer *routes)
{
    struct addr_route route;
    struct arena arena;

    arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
    struct questions *questions = question->peer->questions;
    resolver_route(question->message.route.is_verification ? questions->verification
                                                           : questions->resolver,
                   recipient, question->message.route.sender, &arena, &route);
    const struct ipc_addr_route_entry entry = {.outcome = shortened(route.outcome),
                                               .transport = route.transport,
                                               .nexthop = route.nexthop,
                                               .recipient = route.recipient,
                                               .mailbox = route.mailbox};
    bool is_put = put_entry(routes, &entry);
    if (!is_put && routes->length == 0) { /* longer than a message may be: no way to go */
        const struct ipc_addr_route_entry failure = {
            .outcome = outcome_temporary(451, 3, 5, "A transport or next hop is too long"),
            .recipient = recipient};
        is_put = put_entry(routes, &failure);
    }
    arena_destroy(&arena);
    return is_put;
}

static void answer_route(struct question *question)
{
    struct span rest = question->message.route.recipients;
    struct ipc_addr_recipient recipient;
    struct buffer routes;

    buffer_init(&routes, &question->arena, ROUTES_MAX_BYTES);
    for (size_t i = 1; rest.length; i++) {
        if (ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &recipient) != PARSE_OK ||
            !route_one(question, recipient.address, &routes))
            break;
        if (i % ROUTES_BETWEEN_YIELDS == 0)
            task_yield();
    }
    const struct ipc_addr_route_reply message = {.routes = buffer_span(&routes)};
    reply(question, IPC_ADDR_ROUTE_REPLY, &message);
}

static void answer(struct question *question)
{
    switch (question->type) {
    case IPC_ADDR_CHECK_RECIPIENT:
        answer_check(question);
        break;
    case IPC_ADDR_EXPAND:
        answer_expand(question);
        break;
    case IPC_ADDR_REWRITE:
        answer_rewrite(question);
        break;
    case IPC_ADDR_FIND:
        answer_find(question);
        break;
    case IPC_ADDR_LOOKUP:
        answer_lookup(question);
        break;
    default:
        answer_route(question);
        break;
    }
    end_question(question);
}

/* ---- the server ---- */

/* Most questions are answered from memory, without waiting: one task answers what is there, one
 * question after the other, instead of a task for each. One that has to wait, or to let others run,
 * hands the rest to another task first, so that no question waits for another's table. */

static bool start_server(struct questions *questions);

static void before_waiting(void *context)
{
    struct questions *questions = context;
    if (questions->server != task_current())
        return;
    questions->server = NULL;
    if (!list_is_empty(&questions->waiting) && !start_server(questions))
        questions->server = task_current(); /* no memory: they wait for it, after all */
}

static void serve(void *argument)
{
    struct questions *questions = argument;
    task_before_waiting(before_waiting, questions);
    while (questions->server == task_current()) {
        struct question *question = LIST_ITEM(list_pop(&questions->waiting), struct question, link);
        if (question)
            answer(question);
        else
            questions->server = NULL;
    }
}

static bool start_server(struct questions *questions)
{
    questions->server = task_start(questions->loop, "questions", serve, questions);
    return questions->server != NULL;
}

/* ---- the channels ---- */

static void refuse(struct peer *peer, const struct ipc_delivery *delivery)
{
    const struct outcome outcome = outcome_temporary(451, 3, 2, "Too many questions at once");
    struct ipc_addr_check_recipient_reply check = {.outcome = outcome,
                                                   .sender_outcome = outcome_ok()};
    const struct ipc_addr_expand_reply expand = {.outcome = outcome};
    const struct ipc_addr_rewrite_reply rewrite = {.outcome = outcome};
    const struct ipc_addr_find_reply find = {.outcome = outcome, .value = span_empty()};
    const struct ipc_addr_route_reply route = {.routes = span_empty()};
    enum ipc_type type = IPC_ADDR_ROUTE_REPLY;
    const void *message = &route;

    if (delivery->type == IPC_ADDR_CHECK_RECIPIENT) {
        check.recipient = ((const struct ipc_addr_check_recipient *)delivery->message)->recipient;
        type = IPC_ADDR_CHECK_RECIPIENT_REPLY;
        message = &check;
    } else if (delivery->type == IPC_ADDR_EXPAND) {
        type = IPC_ADDR_EXPAND_REPLY;
        message = &expand;
    } else if (delivery->type == IPC_ADDR_REWRITE) {
        type = IPC_ADDR_REWRITE_REPLY;
        message = &rewrite;
    } else if (delivery->type == IPC_ADDR_FIND || delivery->type == IPC_ADDR_LOOKUP) {
        type = IPC_ADDR_FIND_REPLY;
        message = &find;
    }
    (void)ipc_channel_reply(peer->channel, delivery->id, type, message); /* or it is gone */
}

/* The question's own copy of what was asked. */
static void keep_message(struct question *question, const void *message)
{
    switch (question->type) {
    case IPC_ADDR_CHECK_RECIPIENT:
        memcpy(&question->message.check, message, sizeof(question->message.check));
        break;
    case IPC_ADDR_EXPAND:
        memcpy(&question->message.expand, message, sizeof(question->message.expand));
        break;
    case IPC_ADDR_REWRITE:
        memcpy(&question->message.rewrite, message, sizeof(question->message.rewrite));
        break;
    case IPC_ADDR_FIND:
        memcpy(&question->message.find, message, sizeof(question->message.find));
        break;
    case IPC_ADDR_LOOKUP:
        memcpy(&question->message.lookup, message, sizeof(question->message.lookup));
        break;
    default:
        memcpy(&question->message.route, message, sizeof(question->message.route));
        break;
    }
}

static struct question *begin_question(struct peer *peer, const struct ipc_delivery *delivery)
{
    struct questions *questions = peer->questions;
    struct question *question =
        questions->open_count < QUESTIONS_OPEN_MAX ? malloc(sizeof(*question)) : NULL;
    if (!question)
        return NULL;
    *question = (struct question){.peer = peer, .id = delivery->id, .type = delivery->type};
    arena_init(&question->arena, QUESTION_ARENA_BYTES, 0);
    keep_message(question, delivery->message);
    if (ipc_copy_spans(delivery->type, &question->message, &question->arena) &&
        (questions->server || start_server(questions))) {
        list_append(&questions->waiting, &question->link);
        return question;
    }
    arena_destroy(&question->arena);
    free(question);
    return NULL;
}

static void on_message(struct ipc_channel *channel UNUSED, const struct ipc_delivery *delivery,
                       void *context)
{
    struct peer *peer = context;

    if (delivery->id == 0)
        return;
    if (!begin_question(peer, delivery)) {
        refuse(peer, delivery);
        return;
    }
    peer->open_count++;
    peer->questions->open_count++;
}

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    struct peer *peer = context;
    ipc_channel_destroy(&peer->channel);
    release_peer(peer);
}

#define SERVERS (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD))
/* Whoever makes mail. */
#define INTAKE_ROLES                                                                               \
    (SERVERS | IPC_ROLE_BIT(IPC_ROLE_BOUNCE) | IPC_ROLE_BIT(IPC_ROLE_REPORTD) |                    \
     IPC_ROLE_BIT(IPC_ROLE_LOCAL) | IPC_ROLE_BIT(IPC_ROLE_PICKUP))

static const struct ipc_permission permissions[] = {
    {IPC_ADDR_CHECK_RECIPIENT, SERVERS},
    {IPC_ADDR_EXPAND, INTAKE_ROLES},
    {IPC_ADDR_REWRITE, INTAKE_ROLES | IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
    {IPC_ADDR_FIND, IPC_ROLE_BIT(IPC_ROLE_SMTP) | IPC_ROLE_BIT(IPC_ROLE_LMTP)},
    {IPC_ADDR_LOOKUP, SERVERS},
    {IPC_ADDR_ROUTE, IPC_ROLE_BIT(IPC_ROLE_QMGR)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void questions_add_peer(struct questions *questions, enum ipc_role role, int descriptor)
{
    struct peer *peer = calloc(1, sizeof(*peer));
    ASSERT(peer);
    peer->questions = questions;
    peer->channel = ipc_channel_create(questions->loop, descriptor, role, &handlers, peer);
    if (!peer->channel)
        free(peer); /* the other end sees it closed */
}

void questions_init(struct questions *questions, struct loop *loop, struct resolver *resolver,
                    struct resolver *verification)
{
    *questions =
        (struct questions){.loop = loop, .resolver = resolver, .verification = verification};
    list_init(&questions->waiting);
}
