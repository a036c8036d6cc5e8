/* tests/dnsd/dnsd - the daemon itself, in its sandbox, before a real name server; asked through
 * lib/dns. tests/dnsd/dnsd_test.sh starts that server and says where it is. */
#include "../test.h"

#include <stdlib.h>

#include "../daemon.h"
#include "conf/dnsd.h"
#include "dns/hosts.h"
#include "system/task.h"

enum { PATIENCE_MS = 20000, ARENA_BYTES = 1 << 20 };

static struct loop *loop;
static struct daemon dnsd;
static struct dns_client client;
static char main_text[256];

static void connect_client(enum ipc_role as)
{
    dns_client_attach(&client, loop, daemon_give_peer(&dnsd, as, "test", true));
    assert_non_null(client.channel);
}

static int set_up(void **state)
{
    (void)state;
    const char *port = getenv("POSTHOUSE_TEST_DNS_PORT");
    if (!port)
        return 0;
    (void)snprintf(main_text, sizeof(main_text),
                   "dns_servers = 127.0.0.1:%s\ndns_query_timeout = 1s\n", port);
    loop = loop_create();
    assert_non_null(loop);
    assert_true(daemon_start(&dnsd, loop, "dnsd/dnsd", IPC_ROLE_DNSD, &conf_part_dnsd, main_text));
    connect_client(IPC_ROLE_SMTP);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (!loop)
        return 0;
    ipc_channel_destroy(&client.channel);
    assert_true(daemon_stop(&dnsd));
    loop_destroy(&loop);
    return 0;
}

/* Runs the body as a task and the loop until it is over. */
struct run {
    void (*body)(struct arena *arena);
};

static void run_body(void *argument)
{
    const struct run *run = argument;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES, 0);
    run->body(&arena);
    arena_destroy(&arena);
    loop_stop(loop);
}

static void run(void (*body)(struct arena *arena))
{
    if (!loop)
        skip();
    struct run runner = {body};
    assert_non_null(task_start(loop, "test", run_body, &runner));
    loop_run(loop);
}

static int64_t soon(void)
{
    return clock_deadline_after(PATIENCE_MS);
}

static void types_body(struct arena *arena)
{
    static const struct {
        const char *name;
        uint16_t type;
        enum dns_status status;
        const char *target; /* of the first record */
        const char *data;
    } rows[] = {
        {"plain.test", DNS_TYPE_MX, DNS_FOUND, "mx.plain.test", ""},
        {"MX.plain.TEST", DNS_TYPE_A, DNS_FOUND, "", "\x7f\x00\x00\x02"},
        {"mx.plain.test", DNS_TYPE_MX, DNS_NO_DATA, NULL, NULL},
        {"nowhere.test", DNS_TYPE_MX, DNS_NO_SUCH_NAME, NULL, NULL},
        {"alias.test", DNS_TYPE_CNAME, DNS_FOUND, "mx.plain.test", ""},
        {"alias.test", DNS_TYPE_A, DNS_FOUND, "", "\x7f\x00\x00\x02"},
        {"_25._tcp.mx.plain.test", DNS_TYPE_TLSA, DNS_FOUND, "",
         "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x10\x11\x12\x13\x14\x15\x16"
         "\x17\x18\x19\x20\x21\x22\x23\x24\x25\x26\x27\x28\x29\x30\x31\x32"},
        {"_smtp._tcp.plain.test", DNS_TYPE_SRV, DNS_FOUND, "mx.plain.test", ""},
        /* not for this role, or nobody's business */
        {"plain.test", DNS_TYPE_TXT, DNS_TEMPORARY, NULL, NULL},
        {"plain.test", DNS_TYPE_NS, DNS_TEMPORARY, NULL, NULL},
        /* never names */
        {"a..b", DNS_TYPE_A, DNS_NO_SUCH_NAME, NULL, NULL},
        {"", DNS_TYPE_A, DNS_NO_SUCH_NAME, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct dns_answer answer;
        dns_lookup(&client, span_from_string(rows[i].name), rows[i].type, soon(), arena, &answer);
        if (answer.status != rows[i].status)
            fail_msg("%s %s: status %d (%s)", rows[i].name, dns_type_name(rows[i].type),
                     (int)answer.status, dns_failure_name(answer.failure));
        if (rows[i].target) {
            const struct span target = answer.records[0].target, data = answer.records[0].data;
            assert_span_is(rows[i].name, target, rows[i].target);
            if (data.length == 4)
                assert_memory_equal(data.bytes, rows[i].data, 4);
            else
                assert_span_is(rows[i].name, data, rows[i].data);
        }
    }
}

static void test_types(void **state)
{
    (void)state;
    run(types_body);
}

static void mx_body(struct arena *arena)
{
    struct dns_mx mx;
    dns_lookup_mx(&client, SPAN("several.test"), soon(), arena, &mx);
    assert_int_equal(mx.answer.status, DNS_FOUND);
    assert_int_equal(mx.host_count, 3);
    assert_span_is("first", mx.hosts[0].name, "a.several.test");
    assert_span_is("last", mx.hosts[2].name, "c.several.test");
    assert_int_equal(mx.hosts[2].preference, 30);
    dns_lookup_mx(&client, SPAN("nullmx.test"), soon(), arena, &mx);
    assert_true(mx.is_null);
    assert_int_equal(mx.host_count, 0);

    const struct span names[] = {SPAN("a.several.test"), SPAN("nowhere.test"), SPAN("plain.test"),
                                 SPAN("alias.test")};
    struct dns_addresses addresses[4];
    dns_lookup_addresses(&client, names, 4, DNS_WANT_IPV4 | DNS_WANT_IPV6, soon(), arena,
                         addresses);
    assert_int_equal(addresses[0].status, DNS_FOUND);
    assert_int_equal(addresses[0].count, 3);
    assert_int_equal(addresses[0].list[0].family, IP_FAMILY_6);
    assert_int_equal(addresses[0].list[1].family, IP_FAMILY_4);
    assert_int_equal(addresses[1].status, DNS_NO_SUCH_NAME);
    assert_int_equal(addresses[2].status, DNS_NO_DATA);
    assert_int_equal(addresses[3].status, DNS_FOUND);
}

static void test_mx_and_addresses(void **state)
{
    (void)state;
    run(mx_body);
}

static void client_name_body(struct arena *arena)
{
    static const struct {
        const char *address;
        const char *name;
        const char *reverse_name;
        enum dns_status status;
    } rows[] = {
        {"192.0.2.10", "mx.client.test", "mx.client.test", DNS_FOUND},
        {"192.0.2.11", "unknown", "liar.client.test", DNS_NO_SUCH_NAME},
        {"192.0.2.12", "unknown", "unknown", DNS_NO_SUCH_NAME},
        {"192.0.2.13", "unknown", "unknown", DNS_NO_SUCH_NAME}, /* no host name at all */
        {"2001:db8::10", "mx.client.test", "mx.client.test", DNS_FOUND},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct ip_address address;
        struct dns_client_name result;
        assert_true(ip_address_parse(span_from_string(rows[i].address), &address));
        dns_lookup_client_name(&client, &address, soon(), arena, &result);
        assert_span_is(rows[i].address, result.name, rows[i].name);
        assert_span_is(rows[i].address, result.reverse_name, rows[i].reverse_name);
        assert_int_equal(result.status, rows[i].status);
    }
}

static void test_client_names(void **state)
{
    (void)state;
    if (!loop)
        skip();
    connect_client(IPC_ROLE_SMTPD); /* who may ask for PTR and TXT */
    run(client_name_body);
}

static void text_body(struct arena *arena)
{
    struct dns_answer answer;
    dns_lookup(&client, SPAN("text.test"), DNS_TYPE_TXT, soon(), arena, &answer);
    assert_int_equal(answer.status, DNS_FOUND);
    assert_span_is("joined", answer.records[0].data, "v=spf1 include:plain.test -all");
}

static void test_text(void **state)
{
    (void)state;
    run(text_body);
}

static void many_body(struct arena *arena)
{
    enum { ROUNDS = 20 };
    struct dns_request requests[DNS_LOOKUPS_AT_ONCE_MAX];
    struct dns_answer answers[DNS_LOOKUPS_AT_ONCE_MAX];
    char names[DNS_LOOKUPS_AT_ONCE_MAX][32];
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < DNS_LOOKUPS_AT_ONCE_MAX; i++) {
            (void)snprintf(names[i], sizeof(names[i]), "n%zu.none.test", round / 2 * 100 + i);
            requests[i] = (struct dns_request){span_from_string(names[i]), DNS_TYPE_A};
        }
        dns_lookup_many(&client, requests, DNS_LOOKUPS_AT_ONCE_MAX, soon(), arena, answers);
        for (size_t i = 0; i < DNS_LOOKUPS_AT_ONCE_MAX; i++)
            assert_int_equal(answers[i].status, DNS_NO_SUCH_NAME);
        arena_reset(arena);
    }
}

static void test_many(void **state)
{
    (void)state;
    run(many_body);
}

/* dnsd dies; a question waits for the next one. */
static struct dns_answer answer_after_restart;

static void asking_body(void *argument)
{
    struct arena *arena = argument;
    dns_lookup(&client, SPAN("plain.test"), DNS_TYPE_MX, soon(), arena, &answer_after_restart);
    loop_stop(loop);
}

static void test_restart(void **state)
{
    (void)state;
    struct arena arena;
    if (!loop)
        skip();
    arena_init(&arena, ARENA_BYTES, 0);
    daemon_kill(&dnsd);
    answer_after_restart = dns_answer_failed(DNS_FAILURE_HELPER);
    assert_non_null(task_start(loop, "asking", asking_body, &arena));
    assert_true(daemon_start(&dnsd, loop, "dnsd/dnsd", IPC_ROLE_DNSD, &conf_part_dnsd, main_text));
    connect_client(IPC_ROLE_SMTP);
    loop_run(loop);
    assert_int_equal(answer_after_restart.status, DNS_FOUND);
    arena_destroy(&arena);
}

/* A task that is cancelled while dnsd has its questions leaves nothing behind. */
static void abandoned_body(void *argument)
{
    struct arena *arena = argument;
    struct dns_answer answer;
    dns_lookup(&client, SPAN("silent.lost"), DNS_TYPE_MX, soon(), arena, &answer);
    assert_int_equal(answer.status, DNS_TEMPORARY);
}

static void cancelling_body(void *argument)
{
    (void)task_sleep(20);
    task_cancel(argument);
    (void)task_sleep(20);
    loop_stop(loop);
}

/* Whose owner has thought of a name for which no message has room. */
static void long_name_body(struct arena *arena)
{
    struct dns_answer answer;
    const struct ipc_channel *before = client.channel;
    dns_lookup(&client, SPAN("long.test"), DNS_TYPE_MX, soon(), arena, &answer);
    assert_int_equal(answer.status, DNS_TEMPORARY);
    assert_int_equal(answer.failure, DNS_FAILURE_TOO_MUCH);
    /* That is nobody else's trouble. */
    dns_lookup(&client, SPAN("plain.test"), DNS_TYPE_MX, soon(), arena, &answer);
    assert_int_equal(answer.status, DNS_FOUND);
    assert_ptr_equal(client.channel, before);
}

static void test_long_name(void **state)
{
    (void)state;
    run(long_name_body);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct arena arena;
    if (!loop)
        skip();
    arena_init(&arena, ARENA_BYTES, 0);
    struct task *task = task_start(loop, "abandoned", abandoned_body, &arena);
    assert_non_null(task);
    assert_non_null(task_start(loop, "cancelling", cancelling_body, task));
    loop_run(loop);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),     cmocka_unit_test(test_mx_and_addresses),
        cmocka_unit_test(test_many),      cmocka_unit_test(test_client_names),
        cmocka_unit_test(test_text),      cmocka_unit_test(test_restart),
        cmocka_unit_test(test_cancelled), cmocka_unit_test(test_long_name),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
