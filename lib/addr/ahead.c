/* addr/ahead - see ahead.h. */
#include "addr/ahead.h"

#include <stdlib.h>

#include "addr/recent.h"
#include "system/task.h"

enum { ANSWER_BYTES = 128 << 10 /* one message, and its question */ };

struct question {
    struct list_link link;
    bool is_forgotten; /* the callback frees it */
    bool is_over;
    bool is_answered;
    struct task *waiter;
    struct addr_client *client;
    int64_t asked_ms;
    struct arena arena;
    struct ipc_addr_check_recipient asked;
    struct ipc_addr_check_recipient_reply reply;
};

void addr_ahead_init(struct addr_ahead *ahead)
{
    list_init(&ahead->questions);
}

static void free_question(struct question *question)
{
    arena_destroy(&question->arena);
    free(question);
}

static void forget(struct question *question)
{
    if (question->is_over)
        free_question(question);
    else
        question->is_forgotten = true;
}

void addr_ahead_forget(struct addr_ahead *ahead)
{
    for (struct list_link *link; (link = list_pop(&ahead->questions));)
        forget(CONTAINER_OF(link, struct question, link));
}

static void on_reply(enum ipc_call_result result, void *message, void *context)
{
    struct question *question = context;
    question->is_over = true;
    if (question->is_forgotten) {
        free_question(question);
        return;
    }
    if (result == IPC_CALL_OK) {
        if (question->client->recent)
            addr_recent_keep(question->client->recent, &question->asked, message,
                             question->asked_ms);
        question->reply = *(struct ipc_addr_check_recipient_reply *)message;
        question->is_answered =
            ipc_copy_spans(IPC_ADDR_CHECK_RECIPIENT_REPLY, &question->reply, &question->arena);
    }
    if (question->waiter)
        task_wake(question->waiter);
}

static bool is_known(struct question *question)
{
    return question->client->recent && addr_recent_find(question->client->recent, &question->asked,
                                                        question->asked_ms, &question->arena);
}

void addr_ahead_ask(struct addr_ahead *ahead, struct addr_client *client, struct span recipient,
                    struct span sender, unsigned flags, int64_t deadline_ms)
{
    struct question *question = client->channel ? malloc(sizeof(*question)) : NULL;
    if (!question)
        return;
    *question =
        (struct question){.client = client,
                          .asked_ms = clock_monotonic_ms(),
                          .asked = {.recipient = recipient, .sender = sender, .flags = flags}};
    arena_init(&question->arena, ANSWER_BYTES, 0);
    if (!is_known(question) &&
        ipc_copy_spans(IPC_ADDR_CHECK_RECIPIENT, &question->asked, &question->arena) &&
        ipc_channel_call_async(client->channel, IPC_ADDR_CHECK_RECIPIENT, &question->asked,
                               IPC_ADDR_CHECK_RECIPIENT_REPLY, deadline_ms, on_reply, question))
        list_append(&ahead->questions, &question->link);
    else
        free_question(question);
}

static bool is_same(const struct ipc_addr_check_recipient *left,
                    const struct ipc_addr_check_recipient *right)
{
    return left->flags == right->flags && span_equals(left->recipient, right->recipient) &&
           span_equals(left->sender, right->sender);
}

bool addr_ahead_take(struct addr_ahead *ahead, const struct ipc_addr_check_recipient *asked,
                     int64_t deadline_ms, struct arena *arena,
                     struct ipc_addr_check_recipient_reply *reply)
{
    enum task_wake wake = TASK_WOKEN;
    struct question *question;
    while ((question = LIST_ITEM(list_pop(&ahead->questions), struct question, link)) != NULL &&
           !is_same(&question->asked, asked))
        forget(question);
    if (!question)
        return false;
    question->waiter = task_current();
    while (!question->is_over && wake == TASK_WOKEN)
        wake = task_park(deadline_ms);
    question->waiter = NULL;
    *reply = question->reply;
    const bool is_answered =
        question->is_answered && ipc_copy_spans(IPC_ADDR_CHECK_RECIPIENT_REPLY, reply, arena);
    forget(question);
    return is_answered;
}
