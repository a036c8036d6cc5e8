/* tests/keyd/turns - processes that ask keyd for more than they should, beside others. */
#include "../test.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "certificates.h"
#include "fixture.h"
#include "system/task.h"
#include "tls/keys.h"

enum { WAIT_MS = 15000 };

static void start(void)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/own", directory);
    write_chain(path, "RSA", "own");
    fixture_start(path, "", "");
}

static void on_message(struct ipc_channel *channel UNUSED,
                       const struct ipc_delivery *delivery UNUSED, void *context UNUSED)
{
}

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED,
                      void *context UNUSED)
{
}

static const struct ipc_permission permissions[] = {{IPC_KEY_TICKETS, IPC_ROLE_BIT(IPC_ROLE_KEYD)},
                                                    {0, 0}};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

/* A process of smtpd. */
static struct ipc_channel *join(void)
{
    int ends[2];
    const struct service_peer who = {.role = IPC_ROLE_SMTPD, .service = SPAN("smtp")};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    key_server_add_peer(&server, &who, ends[0]);
    struct ipc_channel *channel = ipc_channel_create(loop, ends[1], IPC_ROLE_KEYD, &handlers, NULL);
    assert_non_null(channel);
    return channel;
}

/* ---- one that asks too much ---- */

static size_t greedy_count, greedy_before_modest;

static void on_greedy_done(enum ipc_call_result result, void *reply, void *context)
{
    const struct ipc_key_sign_reply *message = reply;
    (void)context;
    assert_int_equal(result, IPC_CALL_OK);
    assert_true(message->signature.length > 0);
    greedy_count++;
}

static void stop_when_served(void *wanted)
{
    while (greedy_count < *(const size_t *)wanted)
        (void)task_sleep(1);
    loop_stop(loop);
}

static bool is_all_served(size_t count)
{
    assert_non_null(task_start(loop, "waiting", stop_when_served, &count));
    loop_run(loop);
    return greedy_count == count;
}

static void on_modest_done(enum ipc_call_result result, void *reply, void *context)
{
    const struct ipc_key_sign_reply *message = reply;
    (void)context;
    assert_int_equal(result, IPC_CALL_OK);
    assert_true(message->signature.length > 0);
    greedy_before_modest = greedy_count;
    loop_stop(loop);
}

/* A process that was taken over asks for as many signatures as it may: others wait for few. */
static void test_greedy(void **state)
{
    enum { MANY = 500 };
    (void)state;
    struct ipc_channel *channels[2];
    uint8_t input[98 + 32];
    start();
    const struct vault_service *own = vault_find_service(&vault, IPC_ROLE_SMTPD, SPAN("smtp"));
    memset(input, ' ', 64);
    memcpy(input + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(input + 98, 'h', 32);
    const struct ipc_key_sign question = {.key = span_of(own->own->chains.items[0].digest, 32),
                                          .scheme = 0x0804,
                                          .input = span_of(input, sizeof(input))};
    for (size_t i = 0; i < 2; i++)
        channels[i] = join();
    greedy_count = 0;
    for (size_t i = 0; i < MANY; i++)
        assert_true(ipc_channel_call_async(channels[0], IPC_KEY_SIGN, &question, IPC_KEY_SIGN_REPLY,
                                           CLOCK_NEVER, on_greedy_done, NULL));
    assert_true(ipc_channel_call_async(channels[1], IPC_KEY_SIGN, &question, IPC_KEY_SIGN_REPLY,
                                       CLOCK_NEVER, on_modest_done, NULL));
    loop_run(loop);
    assert_true(greedy_before_modest < MANY / 10);
    ipc_channel_destroy(&channels[1]);
    assert_true(is_all_served(MANY));
    ipc_channel_destroy(&channels[0]);
}

/* ---- one that asks more than is kept ---- */

/* First what takes its time, then what takes room, then what may find none. */
enum { FLOOD_SLOW = 300, FLOOD_LARGE = 600, FLOOD_ALL = 1000, FLOOD_BYTES = 16000 };

static size_t flood_asked, flood_ended, flood_unanswered;
static uint8_t flood_key[32];

static void on_flood_done(enum ipc_call_result result, void *reply, void *context)
{
    (void)reply;
    (void)context;
    flood_ended++;
    flood_unanswered += result == IPC_CALL_TIMED_OUT;
}

static bool ask_in_flood(struct ipc_channel *channel)
{
    static uint8_t bytes[FLOOD_BYTES];
    static char name[200];
    memset(bytes, ' ', 64);
    memcpy(bytes + 64, "TLS 1.3, server CertificateVerify", 34);
    memset(name, 'x', sizeof(name));
    const struct ipc_key_sign sign = {
        .key = span_of(flood_key, sizeof(flood_key)),
        .scheme = 0x0804,
        .input = span_of(bytes, flood_asked < FLOOD_SLOW ? 98 + 32 : FLOOD_BYTES),
        .name = span_empty()};
    const struct ipc_key_certificates certificates = {.name = span_of(name, sizeof(name))};
    return flood_asked < FLOOD_LARGE
               ? ipc_channel_call_async(channel, IPC_KEY_SIGN, &sign, IPC_KEY_SIGN_REPLY,
                                        clock_deadline_after(WAIT_MS), on_flood_done, NULL)
               : ipc_channel_call_async(channel, IPC_KEY_CERTIFICATES, &certificates,
                                        IPC_KEY_CERTIFICATES_REPLY, clock_deadline_after(WAIT_MS),
                                        on_flood_done, NULL);
}

static void flood(void *argument)
{
    struct ipc_channel *channel = argument;
    while (flood_asked < FLOOD_ALL && ipc_channel_is_open(channel))
        if (ask_in_flood(channel))
            flood_asked++;
        else
            (void)task_sleep(1);
    while (flood_ended < flood_asked)
        (void)task_sleep(1);
    _exit(flood_asked > FLOOD_LARGE && flood_unanswered == 0 ? 0 : 1);
}

/* A process that was taken over, at the other end. */
static NORETURN void run_flood(int descriptor)
{
    struct loop *own_loop = loop_create();
    struct ipc_channel *channel =
        own_loop ? ipc_channel_create(own_loop, descriptor, IPC_ROLE_KEYD, &handlers, NULL) : NULL;
    if (channel && task_start(own_loop, "flood", flood, channel))
        loop_run(own_loop);
    _exit(2);
}

static void await_child(void *argument)
{
    int *status = argument;
    while (waitpid(-1, status, WNOHANG) == 0)
        (void)task_sleep(1);
    loop_stop(loop);
}

static void on_one_done(enum ipc_call_result result, void *reply, void *context)
{
    const struct ipc_key_certificates_reply *message = reply;
    (void)context;
    assert_int_equal(result, IPC_CALL_OK);
    assert_int_equal(message->status, TLS_KEY_STATUS_FOUND);
    loop_stop(loop);
}

static void ask_for_one(void)
{
    const struct ipc_key_certificates question = {.name = span_empty()};
    struct ipc_channel *channel = join();
    assert_true(ipc_channel_call_async(channel, IPC_KEY_CERTIFICATES, &question,
                                       IPC_KEY_CERTIFICATES_REPLY, clock_deadline_after(WAIT_MS),
                                       on_one_done, NULL));
    loop_run(loop);
    ipc_channel_destroy(&channel);
}

/* Each question is answered, or the channel closes; and others go on. */
static void test_flood(void **state)
{
    (void)state;
    const struct service_peer who = {.role = IPC_ROLE_SMTPD, .service = SPAN("smtp")};
    int ends[2], status = -1;
    start();
    const struct vault_service *own = vault_find_service(&vault, IPC_ROLE_SMTPD, SPAN("smtp"));
    memcpy(flood_key, own->own->chains.items[0].digest, sizeof(flood_key));
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        run_flood(ends[1]);
    }
    (void)close(ends[1]);
    key_server_add_peer(&server, &who, ends[0]);
    assert_non_null(task_start(loop, "waiting", await_child, &status));
    loop_run(loop);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    ask_for_one();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_greedy, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(test_flood, fixture_set_up, fixture_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
