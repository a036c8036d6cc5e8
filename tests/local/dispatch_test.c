/* tests/local/dispatch - who works for whom: the test plays the root part and its workers, which
 * keep to nothing. The clock is the test's. */
#include "../test.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../../local/dispatch.h"
#include "system/file.h"

enum {
    WORKERS_MAX = 16,
    ERRANDS_MAX = 64,
    TURNS = 50,
    WORKER_LIMIT = 4,
    HALF_MINUTE_MS = 30000,
    TIME_LIMIT_MS = 600000
};

struct played {
    struct ipc_channel *channel; /* NULL: it was sent home */
    char key[32];
    uint64_t last_delivery;
    size_t delivery_count;
};

static struct loop *loop;
static struct ipc_channel *root_part;
static struct dispatch *dispatch;
static struct played workers[WORKERS_MAX];
static size_t worker_count;
static struct agent_message message;
static struct agent_recipient recipients[ERRANDS_MAX];
static size_t recipient_count;
static size_t result_count;
static const struct ipc_channel *asker; /* whose request waits for an answer */
static int64_t passed_ms;

/* What tests before this one made: a dispatcher lives as long as its process does. */
static struct dispatch *former[ERRANDS_MAX];
static size_t former_count;

/* Every library's: half a minute is not to be waited for. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
    const long result = syscall(SYS_clock_gettime, clock, now);
    now->tv_sec += passed_ms / 1000;
    return (int)result;
}

/* ---- workers ---- */

static void on_errand(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                      void *context)
{
    struct played *worker = context;
    (void)channel;
    if (delivery->type != IPC_DELIVER)
        return;
    worker->last_delivery = ((const struct ipc_deliver *)delivery->message)->delivery;
    worker->delivery_count++;
}

static void on_sent_home(struct ipc_channel *channel, const char *reason, void *context)
{
    struct played *worker = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&worker->channel);
}

static void on_want(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    static const struct ipc_permission permissions[] = {
        {IPC_DELIVER, IPC_ROLE_BIT(IPC_ROLE_LOCAL)},
        {IPC_DELIVER_ACKNOWLEDGE, IPC_ROLE_BIT(IPC_ROLE_LOCAL)},
        {IPC_ALIAS_ASK, IPC_ROLE_BIT(IPC_ROLE_LOCAL)},
        {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_errand, on_sent_home, permissions};
    struct ipc_worker_want *want = delivery->message;
    struct played *worker = &workers[worker_count++];
    (void)context;
    assert_true(worker_count <= WORKERS_MAX);
    (void)snprintf(worker->key, sizeof(worker->key), "%.*s", SPAN_PRINTF(want->key));
    worker->channel = ipc_channel_create(loop, want->socket, IPC_ROLE_LOCAL, &handlers, worker);
    assert_non_null(worker->channel);
    want->socket = -1;
    const struct ipc_worker_reply reply = {.outcome = outcome_ok()};
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_WORKER_REPLY, &reply));
}

static void on_root_part_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)context;
    fail_msg("the root part's channel closed: %s", reason);
}

static void on_no_answer(enum ipc_call_result result, void *reply, void *context)
{
    (void)reply;
    (void)context;
    assert_int_equal(result, IPC_CALL_CLOSED);
}

static void on_too_late(enum ipc_call_result result, void *reply, void *context)
{
    (void)reply;
    (void)context;
    assert_int_equal(result, IPC_CALL_TIMED_OUT);
}

static void tell(struct played *worker, uint32_t index)
{
    struct buffer records;
    const struct ipc_recipient_result one = {.index = index, .outcome = outcome_ok()};
    buffer_init(&records, NULL, 4096);
    ipc_records_append(IPC_RECIPIENT_RESULT, &one, &records);
    const struct ipc_deliver_result result = {.queue_id = SPAN("id"),
                                              .delivery = worker->last_delivery,
                                              .serial = 1,
                                              .results = buffer_span(&records),
                                              .is_last = true,
                                              .site = outcome_ok()};
    assert_true(ipc_channel_send(worker->channel, IPC_DELIVER_RESULT, &result));
    buffer_release(&records);
}

/* ---- the dispatcher's ---- */

static void on_result(struct agent_recipient *recipient, const struct ipc_recipient_result *result,
                      void *context)
{
    (void)recipient;
    (void)result;
    (void)context;
    result_count++;
}

static void on_request(struct agent_recipient *recipient, struct span key,
                       struct ipc_channel *channel, const struct ipc_delivery *request,
                       void *context)
{
    (void)recipient;
    (void)key;
    (void)request;
    (void)context;
    asker = channel;
}

static void on_worker_gone(const struct ipc_channel *channel, void *context)
{
    (void)context;
    if (asker == channel)
        asker = NULL;
}

static bool has_to_wait;

static bool is_waiting(const struct agent_recipient *recipient, void *context)
{
    (void)recipient;
    (void)context;
    return has_to_wait;
}

static struct loop_timer turn_timer;
static int turns_left;

static void on_turn(void *context)
{
    (void)context;
    if (turns_left-- == 0)
        loop_stop(loop);
    else
        loop_timer_set(&turn_timer, clock_deadline_after(0));
}

/* As many turns of the loop as messages between these processes of one may need. */
static void turn(void)
{
    turns_left = TURNS;
    loop_timer_set(&turn_timer, clock_deadline_after(0));
    loop_run(loop);
}

static void send_to(const char *key)
{
    struct agent_recipient *recipient = &recipients[recipient_count];
    *recipient = (struct agent_recipient){.message = &message,
                                          .index = (uint32_t)recipient_count,
                                          .recipient = SPAN("somebody@example.test")};
    recipient_count++;
    dispatch_send(dispatch, recipient, span_from_string(key), false);
    turn();
}

static int set_up_with(size_t worker_limit, bool has_single_use)
{
    static const struct ipc_permission permissions[] = {
        {IPC_WORKER_WANT, IPC_ROLE_BIT(IPC_ROLE_LOCAL)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_want, on_root_part_closed, permissions};
    int ends[2];
    loop = loop_create();
    if (loop)
        loop_timer_init(&turn_timer, loop, on_turn, NULL);
    memset(workers, 0, sizeof(workers));
    worker_count = recipient_count = result_count = 0;
    asker = NULL;
    has_to_wait = false;
    passed_ms = 0;
    if (!loop || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -1;
    const struct dispatch_settings settings = {.role = IPC_ROLE_LOCAL,
                                               .root_part = ends[0],
                                               .worker_limit = worker_limit,
                                               .has_single_use = has_single_use,
                                               .on_result = on_result,
                                               .on_request = on_request,
                                               .is_waiting = is_waiting,
                                               .time_limit_ms = TIME_LIMIT_MS,
                                               .on_worker_gone = on_worker_gone};
    dispatch = dispatch_create(loop, &settings);
    root_part = ipc_channel_create(loop, ends[1], IPC_ROLE_LOCAL, &handlers, NULL);
    message = (struct agent_message){
        .deliver = {.queue_id = SPAN("id"), .transport = SPAN("local"), .nexthop = SPAN("here")},
        .content = {.descriptor = memfd_create("content", MFD_CLOEXEC)},
        .recipient_count = 1};
    arena_init(&message.arena, 1 << 20, 0);
    return dispatch && root_part && message.content.descriptor >= 0 ? 0 : -1;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(WORKER_LIMIT, false);
}

static int set_up_for_one(void **state)
{
    (void)state;
    return set_up_with(1, false);
}

static int set_up_for_commands(void **state)
{
    (void)state;
    return set_up_with(1, true);
}

static int tear_down(void **state)
{
    (void)state;
    former[former_count++ % ERRANDS_MAX] = dispatch;
    for (size_t i = 0; i < worker_count; i++)
        ipc_channel_destroy(&workers[i].channel);
    ipc_channel_destroy(&root_part);
    file_close(message.content.descriptor);
    arena_destroy(&message.arena);
    return 0;
}

/* ---- tests ---- */

static void test_one_worker_for_each_key(void **state)
{
    (void)state;
    send_to("alice");
    send_to("bob");
    send_to("alice");
    assert_int_equal(worker_count, 2);
    assert_string_equal(workers[0].key, "alice");
    assert_int_equal(workers[0].delivery_count, 2);
    assert_int_equal(workers[1].delivery_count, 1);
}

/* One that asks, and tells of the end before it has an answer: whoever is to answer hears that it
 * was sent home, whatever the reason. */
static void test_who_asked_is_sent_home(void **state)
{
    (void)state;
    send_to("alice");
    const struct ipc_run run = {
        .delivery = workers[0].last_delivery, .index = 0, .command = SPAN("forward 0")};
    (void)!ipc_channel_call_async(workers[0].channel, IPC_RUN, &run, IPC_RUN_REPLY,
                                  clock_deadline_after(HALF_MINUTE_MS), on_no_answer, NULL);
    turn();
    assert_non_null(asker);
    tell(&workers[0], 0);
    turn();
    assert_int_equal(result_count, 1);
    assert_non_null(workers[0].channel);
    for (size_t i = 0; i < WORKER_LIMIT; i++)
        send_to((const char *[]){"bob", "carol", "dave", "eve"}[i]);
    assert_null(workers[0].channel);
    assert_null(asker);
}

/* What it has looked up counts for half a minute, and errands that hang in one after another leave
 * half of the places to others. The last goes on with what comes: a list whose command is slow
 * holds up no other alias of its table. */
static void test_workers_whose_errands_hang(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        send_to("alice");
        passed_ms += HALF_MINUTE_MS;
    }
    assert_int_equal(worker_count, WORKER_LIMIT / 2);
    assert_int_equal(workers[0].delivery_count, 1);
    assert_int_equal(workers[1].delivery_count, 5);
    send_to("bob");
    assert_int_equal(worker_count, WORKER_LIMIT / 2 + 1);
    assert_string_equal(workers[2].key, "bob");
    assert_int_equal(workers[2].delivery_count, 1);
    tell(&workers[0], 0);
    turn();
    send_to("alice");
    assert_string_equal(workers[3].key, "alice");
    assert_int_equal(workers[3].delivery_count, 1);
}

/* Who has been at an errand for half a minute waits for something, and leaves its place to others;
 * as many times as there are places, and no more. */
static void test_slow_workers_are_not_counted(void **state)
{
    static const char names[] = "abcdefghijklmn";
    char name[] = "?";
    (void)state;
    for (size_t i = 0; i < WORKER_LIMIT; i++) {
        name[0] = names[i];
        send_to(name);
    }
    send_to("waits");
    assert_int_equal(worker_count, WORKER_LIMIT);
    passed_ms += HALF_MINUTE_MS;
    turn();
    assert_int_equal(worker_count, WORKER_LIMIT + 1);
    assert_string_equal(workers[WORKER_LIMIT].key, "waits");
    for (size_t i = WORKER_LIMIT + 1; i < ARRAY_LENGTH(names) - 1; i++) {
        name[0] = names[i];
        send_to(name);
        passed_ms += HALF_MINUTE_MS;
        turn();
    }
    assert_int_equal(worker_count, WORKER_LIMIT + DISPATCH_SLOW_MIN);
}

/* Where there is one place, a list on a file server that is away holds up neither the users nor the
 * other lists. */
static void test_a_slow_worker_where_there_is_one_place(void **state)
{
    (void)state;
    send_to("lists");
    passed_ms += HALF_MINUTE_MS;
    send_to("alice");
    assert_int_equal(worker_count, 2);
    assert_string_equal(workers[1].key, "alice");
    send_to("lists");
    assert_int_equal(worker_count, 2);
    tell(&workers[1], 1);
    turn();
    assert_int_equal(worker_count, 3);
    assert_string_equal(workers[2].key, "lists");
}

/* What is said of how many commands run at once holds for those that take their time, too. */
static void test_a_slow_command(void **state)
{
    (void)state;
    send_to("first");
    passed_ms += HALF_MINUTE_MS;
    send_to("second");
    turn();
    assert_int_equal(worker_count, 1);
    tell(&workers[0], 0);
    turn();
    assert_int_equal(worker_count, 2);
}

/* One place that becomes free is for one key, with all that waits for it, in the order of coming.
 */
static void test_who_waits_for_a_place(void **state)
{
    static const char *const first[] = {"bob", "carol", "dave", "eve"};
    static const char *const waiting[] = {"alice", "frank", "alice", "grace", "frank", "alice"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(first); i++)
        send_to(first[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(waiting); i++)
        send_to(waiting[i]);
    assert_int_equal(worker_count, WORKER_LIMIT);
    for (uint32_t i = 0; i < 3; i++) {
        tell(&workers[i], i);
        turn();
        assert_int_equal(worker_count, WORKER_LIMIT + i + 1);
    }
    assert_string_equal(workers[4].key, "alice");
    assert_int_equal(workers[4].delivery_count, 3);
    assert_string_equal(workers[5].key, "frank");
    assert_int_equal(workers[5].delivery_count, 2);
    assert_string_equal(workers[6].key, "grace");
    assert_int_equal(workers[6].delivery_count, 1);
}

/* Whose own former workers have all that he may have waits for those, and holds up nobody. */
static void test_who_waits_for_himself(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        send_to("alice");
        const struct ipc_alias_ask question = {.recipient = SPAN("somebody@example.test")};
        assert_true(dispatch_ask(dispatch, SPAN("alice"), IPC_ALIAS_ASK, &question,
                                 IPC_ALIAS_ASK_REPLY, clock_deadline_after(0), on_too_late, NULL));
        turn(); /* it is asked no more */
    }
    assert_int_equal(worker_count, 2);
    send_to("alice");
    assert_int_equal(worker_count, 2);
    send_to("bob");
    send_to("carol");
    assert_int_equal(worker_count, 4);
    send_to("dave");
    send_to("alice");
    tell(&workers[2], 3);
    turn();
    assert_string_equal(workers[4].key, "dave");
    tell(&workers[0], 0);
    turn();
    assert_string_equal(workers[5].key, "alice");
    assert_int_equal(workers[5].delivery_count, 2);
}

/* Whose command has its turn late does not hang: it would be run, and run again. */
static void test_who_waits_for_a_turn(void **state)
{
    (void)state;
    send_to("alice");
    has_to_wait = true;
    for (int i = 0; i < 3; i++) {
        passed_ms += TIME_LIMIT_MS;
        turn();
    }
    assert_non_null(workers[0].channel);
    assert_int_equal(result_count, 0);
    has_to_wait = false;
    passed_ms += TIME_LIMIT_MS;
    turn();
    assert_null(workers[0].channel);
    assert_int_equal(result_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_worker_for_each_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_asked_is_sent_home, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_workers_whose_errands_hang, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_workers_are_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_slow_worker_where_there_is_one_place, set_up_for_one,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_slow_command, set_up_for_commands, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_a_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_himself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_for_a_turn, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
