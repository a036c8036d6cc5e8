/* tests/lib/ipc/channel - calls, descriptors, permissions, full queues and broken peers. */
#include "../../test.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/channel.h"
#include "system/task.h"

static struct loop *loop;
static struct ipc_channel *client, *server;
static int ends[2];
static const char *close_reason;
static size_t served_count;
static uint32_t held_id;
static bool is_held_call_over;

static void serve(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    (void)context;
    served_count++;
    if (delivery->type == IPC_DNS_QUERY) {
        const struct ipc_dns_query *query = delivery->message;
        if (query->type == 99) { /* hold it */
            held_id = delivery->id;
            return;
        }
        const struct ipc_dns_reply reply = {
            .ttl_s = query->type, .canonical_name = query->name, .reason = SPAN("fine")};
        const bool is_sent = ipc_channel_reply(channel, delivery->id, IPC_DNS_REPLY, &reply);
        assert_int_equal(is_sent, delivery->id != 0);
    } else if (delivery->type == IPC_QUEUE_GRANT) {
        struct ipc_queue_grant *grant = delivery->message;
        assert_int_equal(write(grant->content, "x", 1), 1);
    }
}

static void note_close(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)context;
    close_reason = reason;
    if (channel == server)
        ipc_channel_destroy(&server);
    else
        ipc_channel_destroy(&client);
    loop_stop(loop);
}

static const struct ipc_permission permissions[] = {
    {IPC_DNS_QUERY, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_GRANT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_PING, IPC_ROLE_BIT(IPC_ROLE_MASTER)},
    {0, 0},
};
static const struct ipc_channel_handlers server_handlers = {serve, note_close, permissions};
static const struct ipc_channel_handlers client_handlers = {NULL, note_close, NULL};

static int set_up(void **state)
{
    (void)state;
    loop = loop_create();
    close_reason = NULL;
    served_count = 0;
    if (!loop || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
        return -1;
    server = ipc_channel_create(loop, ends[0], IPC_ROLE_SMTPD, &server_handlers, NULL);
    client = ipc_channel_create(loop, ends[1], IPC_ROLE_DNSD, &client_handlers, NULL);
    return server && client ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ipc_channel_destroy(&client);
    ipc_channel_destroy(&server);
    loop_destroy(&loop);
    return 0;
}

static size_t calls_left;

static void call_many(void *argument)
{
    struct arena arena;
    (void)argument;
    arena_init(&arena, 4096, 0);
    for (uint32_t i = 0; i < 20; i++) {
        const struct ipc_dns_query query = {.name = SPAN("example.org"), .type = i};
        struct ipc_dns_reply reply;
        assert_int_equal(ipc_channel_call(client, IPC_DNS_QUERY, &query, IPC_DNS_REPLY, &reply,
                                          &arena, clock_deadline_after(2000)),
                         IPC_CALL_OK);
        assert_int_equal(reply.ttl_s, i);
        assert_span_is("name", reply.canonical_name, "example.org");
        arena_reset(&arena);
    }
    arena_destroy(&arena);
    if (--calls_left == 0)
        loop_stop(loop);
}

static void test_many_calls(void **state)
{
    (void)state;
    calls_left = 100;
    for (size_t i = 0; i < 100; i++)
        assert_non_null(task_start(loop, "caller", call_many, NULL));
    loop_run(loop);
    assert_int_equal(served_count, 2000);
}

static void call_held(void *argument)
{
    struct arena arena;
    struct ipc_dns_reply reply;
    const struct ipc_dns_query query = {.name = SPAN("slow"), .type = 99};
    const enum ipc_call_result *expected = argument;
    arena_init(&arena, 4096, 0);
    assert_int_equal(ipc_channel_call(client, IPC_DNS_QUERY, &query, IPC_DNS_REPLY, &reply, &arena,
                                      clock_deadline_after(30)),
                     *expected);
    arena_destroy(&arena);
    is_held_call_over = true;
    loop_stop(loop);
}

static void test_deadline_and_late_reply(void **state)
{
    (void)state;
    enum ipc_call_result expected = IPC_CALL_TIMED_OUT;
    assert_non_null(task_start(loop, "caller", call_held, &expected));
    loop_run(loop);
    /* The reply that comes too late is dropped, the channel lives on. */
    const struct ipc_dns_reply reply = {.ttl_s = 1};
    assert_true(ipc_channel_reply(server, held_id, IPC_DNS_REPLY, &reply));
    calls_left = 1;
    assert_non_null(task_start(loop, "caller", call_many, NULL));
    loop_run(loop);
    assert_null(close_reason);
}

static void test_close_fails_calls(void **state)
{
    (void)state;
    enum ipc_call_result expected = IPC_CALL_CLOSED;
    assert_non_null(task_start(loop, "caller", call_held, &expected));
    is_held_call_over = false;
    assert_int_equal(shutdown(ends[0], SHUT_RDWR), 0);
    while (!is_held_call_over) /* note_close() stops the loop, too */
        loop_run(loop);
    assert_non_null(close_reason);
}

static void test_descriptor_travels(void **state)
{
    (void)state;
    int pipes[2];
    char byte = 0;
    assert_int_equal(pipe(pipes), 0);
    const struct ipc_queue_grant grant = {.queue_id = SPAN("abc"), .content = pipes[1]};
    assert_true(ipc_channel_send(client, IPC_QUEUE_GRANT, &grant));
    calls_left = 1;
    assert_non_null(task_start(loop, "caller", call_many, NULL));
    loop_run(loop);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(read(pipes[0], &byte, 1), 0); /* every copy of the other end is closed */
    (void)close(pipes[0]);
}

static void test_forbidden_message_closes(void **state)
{
    (void)state;
    const struct ipc_ping ping = {.serial = 1};
    assert_true(ipc_channel_send(client, IPC_PING, &ping));
    loop_run(loop);
    assert_string_equal(close_reason, "a message that this peer may not send");
    assert_int_equal(served_count, 0);
}

static void test_full_queue_refuses(void **state)
{
    (void)state;
    const struct ipc_queue_abandon message = {.queue_id = SPAN("0123456789")};
    size_t sent = 0;
    while (sent < 1000000 && ipc_channel_send(client, IPC_QUEUE_ABANDON, &message))
        sent++;
    assert_true(sent > 1000 && sent < 1000000);
    assert_true(ipc_channel_queued_bytes(client) < (1 << 20) + 1024);
}

/* A peer that speaks nonsense: each packet closes the channel without further harm. */
static void test_malformed_packets(void **state)
{
    (void)state;
    static const char *const packets[] = {"", "PHIPC1", "nonsense that is longer than a header"};
    ipc_channel_destroy(&client); /* or its own end would be the first to be told */
    for (size_t i = 0; i < ARRAY_LENGTH(packets); i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        ipc_channel_destroy(&server);
        server = ipc_channel_create(loop, pair[0], IPC_ROLE_SMTPD, &server_handlers, NULL);
        close_reason = NULL;
        assert_int_equal(send(pair[1], packets[i], strlen(packets[i]), MSG_NOSIGNAL),
                         (ssize_t)strlen(packets[i]));
        loop_run(loop);
        assert_non_null(close_reason);
        (void)close(pair[1]);
    }
}

/* A server that does not look cannot be made to abort by a number that it cannot answer. */
static void test_question_without_a_number(void **state)
{
    (void)state;
    const struct ipc_dns_query query = {.name = SPAN("example.org"), .type = 1};
    assert_true(ipc_channel_send(client, IPC_DNS_QUERY, &query));
    loop_run(loop);
    assert_int_equal(served_count, 1);
    assert_non_null(close_reason);
}

/* An answer that no message can carry is its maker's trouble alone. */
static void test_reply_that_does_not_fit(void **state)
{
    (void)state;
    static const uint8_t bytes[300];
    const struct ipc_dns_reply long_one = {.canonical_name = span_of(bytes, sizeof(bytes))};
    enum ipc_call_result expected = IPC_CALL_TIMED_OUT;
    assert_non_null(task_start(loop, "caller", call_held, &expected));
    loop_run(loop);
    assert_false(ipc_channel_try_reply(server, held_id, IPC_DNS_REPLY, &long_one));
    calls_left = 1;
    assert_non_null(task_start(loop, "caller", call_many, NULL));
    loop_run(loop);
    assert_null(close_reason);
    /* Who does not look leaves a question open for ever: that ends the channel. */
    assert_false(ipc_channel_reply(server, held_id, IPC_DNS_REPLY, &long_one));
    loop_run(loop);
    assert_non_null(close_reason);
}

/* What came with a packet that closes the channel is closed, too. */
static void test_descriptors_of_malformed_packets(void **state)
{
    (void)state;
    static const char *const packets[] = {"", "nonsense"};
    ipc_channel_destroy(&client);
    for (size_t i = 0; i < ARRAY_LENGTH(packets); i++) {
        int pair[2], pipe_ends[2];
        union {
            struct cmsghdr header;
            uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control = {.bytes = {0}};
        struct iovec piece = {(void *)(uintptr_t)packets[i], strlen(packets[i])};
        const struct msghdr message = {.msg_iov = &piece,
                                       .msg_iovlen = 1,
                                       .msg_control = control.bytes,
                                       .msg_controllen = sizeof(control.bytes)};
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        assert_int_equal(pipe(pipe_ends), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
        memcpy(CMSG_DATA(&control.header), &pipe_ends[1], sizeof(int));
        ipc_channel_destroy(&server);
        server = ipc_channel_create(loop, pair[0], IPC_ROLE_SMTPD, &server_handlers, NULL);
        close_reason = NULL;
        assert_true(sendmsg(pair[1], &message, MSG_NOSIGNAL) >= 0);
        (void)close(pipe_ends[1]);
        loop_run(loop);
        assert_non_null(close_reason);
        /* Nobody holds the end for writing any more. */
        struct pollfd poll_end = {.fd = pipe_ends[0], .events = POLLIN};
        assert_int_equal(poll(&poll_end, 1, 0), 1);
        assert_true(poll_end.revents & POLLHUP);
        (void)close(pipe_ends[0]);
        (void)close(pair[1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_many_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deadline_and_late_reply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_close_fails_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptor_travels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forbidden_message_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_question_without_a_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reply_that_does_not_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_packets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors_of_malformed_packets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
