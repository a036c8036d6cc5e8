/* tests/lib/ipc/helper - a channel to a helper: one takes another's place, and one that ends, or
 * that speaks unasked, is there no more. */
#include "../../test.h"

#include <sys/socket.h>
#include <unistd.h>

#include "ipc/helper.h"

static struct loop *loop;
static struct ipc_channel *place;
static struct ipc_channel *helper; /* the other end of the latest */

static void on_helper_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)reason;
    (void)context;
    if (channel == helper)
        ipc_channel_destroy(&helper);
    else
        ipc_channel_destroy(&channel);
    loop_stop(loop);
}

static void on_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    const struct ipc_table_lookup_reply reply = {.value = SPAN("yes")};
    (void)context;
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_TABLE_LOOKUP_REPLY, &reply));
}

static void attach(void)
{
    static const struct ipc_permission permissions[] = {
        {IPC_TABLE_LOOKUP, IPC_ROLE_BIT(IPC_ROLE_SMTPD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_question, on_helper_closed,
                                                         permissions};
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    helper = ipc_channel_create(loop, ends[0], IPC_ROLE_SMTPD, &handlers, NULL);
    ipc_helper_attach(&place, loop, ends[1], IPC_ROLE_ADDRD);
    assert_true(helper && place);
}

static void on_answer(enum ipc_call_result result, void *message, void *context)
{
    (void)message;
    *(enum ipc_call_result *)context = result;
    loop_stop(loop);
}

static void ask(enum ipc_call_result *result)
{
    const struct ipc_table_lookup question = {.key = SPAN("x")};
    *result = IPC_CALL_TIMED_OUT;
    assert_true(ipc_channel_call_async(place, IPC_TABLE_LOOKUP, &question, IPC_TABLE_LOOKUP_REPLY,
                                       CLOCK_NEVER, on_answer, result));
}

static void on_time(void *context)
{
    (void)context;
    loop_stop(loop);
}

static void run_shortly(void)
{
    struct loop_timer timer;
    loop_timer_init(&timer, loop, on_time, NULL);
    loop_timer_set(&timer, clock_deadline_after(10));
    loop_run(loop);
    loop_timer_release(&timer);
}

static void test_life(void **state)
{
    enum ipc_call_result result;
    (void)state;
    loop = loop_create();
    attach();
    ask(&result);
    loop_run(loop);
    assert_int_equal(result, IPC_CALL_OK);

    /* Another in its place: what the first was asked has failed. */
    struct ipc_channel *first = place;
    ask(&result);
    attach();
    assert_int_equal(result, IPC_CALL_CLOSED);
    assert_ptr_not_equal(place, first);
    loop_run(loop); /* the first helper hears of it */
    ask(&result);
    loop_run(loop);
    assert_int_equal(result, IPC_CALL_OK);

    /* It ends, and there is none. */
    ipc_channel_destroy(&helper);
    while (place)
        run_shortly();
    attach();

    /* What it says unasked is not listened to. */
    const struct ipc_table_lookup unasked = {.key = SPAN("x")};
    assert_true(ipc_channel_send(helper, IPC_TABLE_LOOKUP, &unasked));
    loop_run(loop);
    assert_null(place);
    loop_destroy(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
