/* addrd/questions - see questions.h. */
#include "questions.h"

#include <stdlib.h>

#include "system/task.h"

enum {
    ROUTES_MAX_BYTES = 57344,         /* IPC_RECORDS_MAX */
    QUESTION_ARENA_BYTES = 256 << 10, /* the question itself and its answer */
    ROUTES_BETWEEN_YIELDS = 32,
    REASON_MAX_BYTES = 1000
};

struct peer {
    struct questions *questions;
    struct ipc_channel *channel; /* NULL: closed; the memory goes with the last question */
    size_t open_count;
};

struct question {
    struct peer *peer;
    uint32_t id;
    enum ipc_type type;
    struct arena arena;
    union {
        struct ipc_addr_check_recipient check;
        struct ipc_addr_route route;
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

static void answer_check(struct question *question)
{
    const struct ipc_addr_check_recipient *asked = &question->message.check;
    struct addr_check check;
    struct arena arena;

    arena_init(&arena, RESOLVER_ARENA_BYTES, 0);
    resolver_check_recipient(question->peer->questions->resolver, asked->recipient, asked->sender,
                             &arena, &check);
    const struct ipc_addr_check_recipient_reply message = {
        .class = check.class, .outcome = shortened(check.outcome), .recipient = check.recipient};
    reply(question, IPC_ADDR_CHECK_RECIPIENT_REPLY, &message);
    arena_destroy(&arena);
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
    resolver_route(question->peer->questions->resolver, recipient, question->message.route.sender,
                   &arena, &route);
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

static void run_question(void *argument)
{
    struct question *question = argument;
    if (question->type == IPC_ADDR_CHECK_RECIPIENT)
        answer_check(question);
    else
        answer_route(question);
    end_question(question);
}

/* ---- the channels ---- */

static void refuse(struct peer *peer, const struct ipc_delivery *delivery)
{
    const struct outcome outcome = outcome_temporary(451, 3, 2, "Too many questions at once");

    if (delivery->type == IPC_ADDR_CHECK_RECIPIENT) {
        const struct ipc_addr_check_recipient *asked = delivery->message;
        const struct ipc_addr_check_recipient_reply message = {.outcome = outcome,
                                                               .recipient = asked->recipient};
        (void)ipc_channel_reply(peer->channel, delivery->id, IPC_ADDR_CHECK_RECIPIENT_REPLY,
                                &message); /* or the channel is gone */
    } else {
        const struct ipc_addr_route_reply message = {.routes = span_empty()};
        (void)ipc_channel_reply(peer->channel, delivery->id, IPC_ADDR_ROUTE_REPLY, &message);
    }
}

static struct question *begin_question(struct peer *peer, const struct ipc_delivery *delivery)
{
    struct question *question =
        peer->questions->open_count < QUESTIONS_OPEN_MAX ? calloc(1, sizeof(*question)) : NULL;
    if (!question)
        return NULL;
    question->peer = peer;
    question->id = delivery->id;
    question->type = delivery->type;
    arena_init(&question->arena, QUESTION_ARENA_BYTES, 0);
    if (delivery->type == IPC_ADDR_CHECK_RECIPIENT)
        memcpy(&question->message.check, delivery->message, sizeof(question->message.check));
    else
        memcpy(&question->message.route, delivery->message, sizeof(question->message.route));
    if (ipc_copy_spans(delivery->type, &question->message, &question->arena) &&
        task_start(peer->questions->loop, "question", run_question, question))
        return question;
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

static const struct ipc_permission permissions[] = {
    {IPC_ADDR_CHECK_RECIPIENT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
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

void questions_init(struct questions *questions, struct loop *loop, struct resolver *resolver)
{
    *questions = (struct questions){.loop = loop, .resolver = resolver};
}
