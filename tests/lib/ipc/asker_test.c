/* tests/lib/ipc/asker - questions that wait: for news, for too long, and for a client that goes. */
#include "../../test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/asker.h"
#include "system/clock.h"

enum { SHORT_MS = 20, LONG_MS = 60 * 1000, QUESTIONS_MAX = 4 };

static struct loop *loop;
static struct ipc_channel *client;
static struct list line;
static int subject;

/* ---- the server: a key says how long it takes ---- */

static void answer(const struct ipc_asker *asker, uint32_t id, const char *text)
{
    const struct ipc_table_lookup_reply reply = {.value = span_from_string(text)};
    assert_ptr_equal(asker->server, &line);
    assert_true(ipc_channel_reply(asker->channel, id, IPC_TABLE_LOOKUP_REPLY, &reply));
}

static void on_question(struct ipc_asker *asker, const struct ipc_delivery *delivery)
{
    const struct ipc_table_lookup *question = delivery->message;
    const bool is_short = span_equals(question->key, SPAN("short"));
    if (span_equals(question->key, SPAN("now")))
        answer(asker, delivery->id, "now");
    else
        assert_true(ipc_asker_wait(asker, delivery->id, &line, &subject,
                                   clock_deadline_after(is_short ? SHORT_MS : LONG_MS)));
    if (line.count == QUESTIONS_MAX)
        loop_stop(loop);
}

static void on_waited(struct ipc_waiter *waiter)
{
    assert_ptr_equal(waiter->subject, &subject);
    answer(waiter->asker, waiter->request_id, "waited");
}

static void spread_news(void)
{
    struct ipc_waiter *waiter;
    while ((waiter = ipc_waiter_first(&line)) != NULL) {
        answer(waiter->asker, waiter->request_id, "news");
        ipc_waiter_end(waiter);
    }
}

/* ---- the client ---- */

struct question {
    char value[16]; /* of the reply; "lost" */
};
static size_t open_count;

static void on_answer(enum ipc_call_result result, void *message, void *context)
{
    const struct ipc_table_lookup_reply *reply = message;
    struct question *question = context;
    const struct span value = result == IPC_CALL_OK ? reply->value : SPAN("lost");
    (void)snprintf(question->value, sizeof(question->value), "%.*s", SPAN_PRINTF(value));
    if (--open_count == 0)
        loop_stop(loop);
}

static void ask(struct question *question, const char *key)
{
    const struct ipc_table_lookup message = {.table = 0, .key = span_from_string(key)};
    *question = (struct question){.value = ""};
    open_count++;
    assert_true(ipc_channel_call_async(client, IPC_TABLE_LOOKUP, &message, IPC_TABLE_LOOKUP_REPLY,
                                       CLOCK_NEVER, on_answer, question));
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason;
    (void)context;
    ipc_channel_destroy(&client);
    loop_stop(loop);
}

static int set_up(void **state)
{
    static const struct ipc_permission permissions[] = {
        {IPC_TABLE_LOOKUP, IPC_ROLE_BIT(IPC_ROLE_SMTPD)}, {0, 0}};
    static const struct ipc_asker_rules rules = {permissions, on_question, on_waited};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, NULL};
    int ends[2];
    (void)state;
    loop = loop_create();
    list_init(&line);
    open_count = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ipc_asker_create(loop, ends[0], IPC_ROLE_SMTPD, &rules, &line);
    client = ipc_channel_create(loop, ends[1], IPC_ROLE_VERIFY, &handlers, NULL);
    assert_non_null(client);
    return 0;
}

static void on_deadline(void *context)
{
    (void)context;
    loop_stop(loop);
}

/* The server hears that its client is gone. */
static void let_go(void)
{
    struct loop_timer timer;
    ipc_channel_destroy(&client);
    loop_timer_init(&timer, loop, on_deadline, NULL);
    while (!list_is_empty(&line)) {
        loop_timer_set(&timer, clock_deadline_after(SHORT_MS));
        loop_run(loop);
    }
    loop_timer_set(&timer, clock_deadline_after(SHORT_MS));
    loop_run(loop);
    loop_timer_release(&timer);
}

static int tear_down(void **state)
{
    (void)state;
    let_go();
    loop_destroy(&loop);
    return 0;
}

/* ---- tests ---- */

static void test_answers(void **state)
{
    struct question questions[3];
    (void)state;
    ask(&questions[0], "short");
    ask(&questions[1], "now");
    ask(&questions[2], "short");
    loop_run(loop);
    assert_string_equal(questions[0].value, "waited");
    assert_string_equal(questions[1].value, "now");
    assert_string_equal(questions[2].value, "waited");
    assert_true(list_is_empty(&line));
}

static void test_news(void **state)
{
    struct question questions[QUESTIONS_MAX];
    (void)state;
    assert_null(ipc_waiter_first(&line));
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        ask(&questions[i], "long");
    loop_run(loop); /* until all wait */
    spread_news();
    assert_true(list_is_empty(&line));
    loop_run(loop);
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        assert_string_equal(questions[i].value, "news");
}

/* News that come later find nobody whom they could reach no more. */
static void test_client_goes(void **state)
{
    struct question questions[QUESTIONS_MAX];
    (void)state;
    for (size_t i = 0; i < QUESTIONS_MAX; i++)
        ask(&questions[i], "long");
    loop_run(loop);
    assert_int_equal(line.count, QUESTIONS_MAX);
    let_go();
    assert_string_equal(questions[0].value, "lost");
    assert_true(list_is_empty(&line));
    spread_news();
}

static void test_what_is_not_permitted(void **state)
{
    static const struct ipc_nursery_want message = {.place = 0};
    (void)state;
    assert_true(ipc_channel_send(client, IPC_NURSERY_WANT, &message));
    loop_run(loop);
    assert_null(client); /* closed by the server */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_client_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_permitted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
