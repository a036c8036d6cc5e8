/* tests/dnsd/resolver - questions to a server in the same loop that answers as its names say. */
#include "../test.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../dnsd/resolver.h"
#include "../lib/dnswire/message.h"
#include "base/number.h"
#include "system/file.h"

enum { RESOLVER_FLAGS = 0x8180, TRUNCATED = 0x0200, MESSAGE_MAX_BYTES = 65535 };

struct server {
    struct loop *loop;
    struct event udp_event;
    struct event tcp_event;
    struct event connection_event;
    int udp, tcp, connection;
    uint16_t port;
    size_t udp_count, tcp_count, edns_count;
    bool is_silent_once;
};

static struct server server;
static struct resolver *resolver;

/* Names that are aliases of others, which the server leaves to the asker. */
static const char *alias_target(struct span label)
{
    static const char *const aliases[][2] = {
        {"alias", "second.example"},     {"second", "ok.example"},
        {"ring", "gnir.example"},        {"gnir", "ring.example"},
        {"self", "self.example"},        {"to-nothing", "nothing.example"},
        {"to-silence", "silent.example"}};
    for (size_t i = 0; i < ARRAY_LENGTH(aliases); i++)
        if (span_equals(label, span_from_string(aliases[i][0])))
            return aliases[i][1];
    return NULL;
}

/* The first label says what to do. */
static void build_answer(struct span query, bool is_tcp, struct buffer *answer)
{
    struct dns_name name;
    uint8_t text[DNS_NAME_TEXT_MAX_BYTES + 1];
    size_t end;
    assert_int_equal(dns_name_parse(query, DNS_HEADER_BYTES, &name, &end), PARSE_OK);
    text[dns_name_format(&name, text)] = 0;
    const struct span label = span_of(name.bytes + 1, name.bytes[0]);
    const bool has_edns = number_get_uint16(query.bytes + 10) == 1;
    server.edns_count += has_edns;

    struct test_record records[] = {
        {IN_ANSWER, (const char *)text, number_get_uint16(query.bytes + end), 60, "192.0.2.1"},
        {0, NULL, 0, 0, NULL}};
    if (alias_target(label))
        records[0] = (struct test_record){IN_ANSWER, (const char *)text, DNS_TYPE_CNAME, 7,
                                          alias_target(label)};
    struct test_message row = {(const char *)text, records[0].type, RESOLVER_FLAGS, records};
    if (span_equals(label, SPAN("silent")) ||
        (span_equals(label, SPAN("late")) && !server.is_silent_once)) {
        server.is_silent_once = true;
        return;
    }
    row.type = number_get_uint16(query.bytes + end);
    if (span_equals(label, SPAN("nothing")))
        row.records = NULL;
    if (span_equals(label, SPAN("servfail")))
        row = (struct test_message){row.question, row.type, RESOLVER_FLAGS | 2, NULL};
    if (span_equals(label, SPAN("old")) && has_edns)
        row = (struct test_message){row.question, row.type, RESOLVER_FLAGS | 1, NULL};
    if (span_equals(label, SPAN("long")) && !is_tcp)
        row = (struct test_message){row.question, row.type, RESOLVER_FLAGS | TRUNCATED, NULL};
    test_message_build(&row, answer);
    number_put_uint16(answer->bytes, number_get_uint16(query.bytes));
    if (span_equals(label, SPAN("forged")))
        answer->bytes[0] ^= 1;
    if (span_equals(label, SPAN("broken")))
        answer->length -= 3;
}

static void on_datagram(evutil_socket_t descriptor, short events, void *context)
{
    struct sockaddr_in peer;
    socklen_t peer_length = sizeof(peer);
    static uint8_t query[MESSAGE_MAX_BYTES];
    struct buffer answer;
    (void)events;
    (void)context;
    const ssize_t length =
        recvfrom(descriptor, query, sizeof(query), 0, (struct sockaddr *)&peer, &peer_length);
    if (length < DNS_HEADER_BYTES)
        return;
    server.udp_count++;
    buffer_init(&answer, NULL, MESSAGE_MAX_BYTES);
    build_answer(span_of(query, (size_t)length), false, &answer);
    if (answer.length > 0)
        assert_int_equal(sendto(descriptor, answer.bytes, answer.length, 0,
                                (struct sockaddr *)&peer, peer_length),
                         (ssize_t)answer.length);
    buffer_release(&answer);
}

static void on_request(evutil_socket_t descriptor, short events, void *context)
{
    static uint8_t query[MESSAGE_MAX_BYTES];
    struct buffer answer, framed;
    (void)events;
    (void)context;
    /* A query is one small segment on loopback. */
    const ssize_t length = recv(descriptor, query, sizeof(query), 0);
    if (length < 2 + DNS_HEADER_BYTES) {
        (void)event_del(&server.connection_event);
        return;
    }
    server.tcp_count++;
    buffer_init(&answer, NULL, MESSAGE_MAX_BYTES);
    buffer_init(&framed, NULL, MESSAGE_MAX_BYTES);
    build_answer(span_of(query + 2, (size_t)length - 2), true, &answer);
    buffer_append_uint16(&framed, (uint16_t)answer.length);
    buffer_append_span(&framed, buffer_span(&answer));
    assert_int_equal(send(descriptor, framed.bytes, framed.length, MSG_NOSIGNAL),
                     (ssize_t)framed.length);
    buffer_release(&answer);
    buffer_release(&framed);
}

static void on_connection(evutil_socket_t descriptor, short events, void *context)
{
    (void)events;
    (void)context;
    file_close(server.connection);
    server.connection = accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(server.connection >= 0);
    assert_int_equal(event_assign(&server.connection_event, loop_event_base(server.loop),
                                  server.connection, EV_READ | EV_PERSIST, on_request, NULL),
                     0);
    assert_int_equal(event_add(&server.connection_event, NULL), 0);
}

static int open_socket(int type, uint16_t port)
{
    const int descriptor = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

/* UDP and TCP on one port, which is free for both. */
static bool open_server_sockets(void)
{
    struct sockaddr_in address;
    socklen_t length = sizeof(address);
    server.udp = open_socket(SOCK_DGRAM, 0);
    if (server.udp < 0 || getsockname(server.udp, (struct sockaddr *)&address, &length) != 0)
        return false;
    server.port = ntohs(address.sin_port);
    server.tcp = open_socket(SOCK_STREAM, server.port);
    if (server.tcp >= 0 && listen(server.tcp, 8) == 0)
        return true;
    file_close(server.udp);
    return false;
}

static int set_up(void **state)
{
    (void)state;
    int attempts = 20;
    server = (struct server){.loop = loop_create(), .connection = -1};
    assert_non_null(server.loop);
    while (!open_server_sockets())
        if (--attempts == 0)
            return -1;
    assert_int_equal(event_assign(&server.udp_event, loop_event_base(server.loop), server.udp,
                                  EV_READ | EV_PERSIST, on_datagram, NULL),
                     0);
    assert_int_equal(event_assign(&server.tcp_event, loop_event_base(server.loop), server.tcp,
                                  EV_READ | EV_PERSIST, on_connection, NULL),
                     0);
    assert_int_equal(event_add(&server.udp_event, NULL), 0);
    assert_int_equal(event_add(&server.tcp_event, NULL), 0);
    const struct dns_servers servers = {
        .list = {{.address = {127, 0, 0, 1}, .address_length = 4, .port = server.port}},
        .count = 1,
        .timeout_ms = 300,
        .attempts = 2};
    resolver = resolver_create(server.loop, &servers);
    return resolver ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    resolver_destroy(&resolver);
    (void)event_del(&server.udp_event);
    (void)event_del(&server.tcp_event);
    if (server.connection >= 0)
        (void)event_del(&server.connection_event);
    file_close(server.udp);
    file_close(server.tcp);
    file_close(server.connection);
    loop_destroy(&server.loop);
    return 0;
}

struct expectation {
    const char *name;
    enum dns_status status;
    enum dns_failure failure;
    enum dns_status got_status;
    enum dns_failure got_failure;
    uint32_t got_ttl_s;
    size_t *open_count;
};

static void on_answer(void *context, const struct dns_answer *answer)
{
    struct expectation *expectation = context;
    expectation->got_status = answer->status;
    expectation->got_failure = answer->failure;
    expectation->got_ttl_s = answer->ttl_s;
    if (--*expectation->open_count == 0)
        loop_stop(server.loop);
}

static void ask(struct expectation *expectation)
{
    struct dns_question question = {.type = DNS_TYPE_A};
    assert_int_equal(dns_name_from_text(span_from_string(expectation->name), &question.name),
                     PARSE_OK);
    assert_true(resolver_ask(resolver, &question, on_answer, expectation));
}

static void test_answers(void **state)
{
    (void)state;
    struct expectation rows[] = {
        {"ok.example", DNS_FOUND, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"alias.example", DNS_FOUND, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"to-nothing.example", DNS_NO_DATA, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"to-silence.example", DNS_TEMPORARY, DNS_FAILURE_TIMEOUT, 0, 0, 0, NULL},
        {"ring.example", DNS_TEMPORARY, DNS_FAILURE_CHAIN, 0, 0, 0, NULL},
        {"self.example", DNS_TEMPORARY, DNS_FAILURE_CHAIN, 0, 0, 0, NULL},
        {"long.example", DNS_FOUND, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"old.example", DNS_FOUND, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"late.example", DNS_FOUND, DNS_FAILURE_NONE, 0, 0, 0, NULL},
        {"servfail.example", DNS_TEMPORARY, DNS_FAILURE_SERVER, 0, 0, 0, NULL},
        {"silent.example", DNS_TEMPORARY, DNS_FAILURE_TIMEOUT, 0, 0, 0, NULL},
        {"forged.example", DNS_TEMPORARY, DNS_FAILURE_TIMEOUT, 0, 0, 0, NULL},
        {"broken.example", DNS_TEMPORARY, DNS_FAILURE_MALFORMED, 0, 0, 0, NULL},
    };
    size_t open_count = ARRAY_LENGTH(rows);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        rows[i].open_count = &open_count;
        ask(&rows[i]);
    }
    loop_run(server.loop);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].got_status != rows[i].status || rows[i].got_failure != rows[i].failure)
            fail_msg("%s: status %d, failure %s", rows[i].name, (int)rows[i].got_status,
                     dns_failure_name(rows[i].got_failure));
    assert_int_equal(rows[1].got_ttl_s, 7); /* of the aliases, which hold less long */
    assert_int_equal(server.tcp_count, 1);
    assert_true(server.edns_count > 0);
}

/* More than may be in flight; what cannot be sent waits its turn. */
static void test_many(void **state)
{
    (void)state;
    enum { MANY = 2 * RESOLVER_IN_FLIGHT_MAX };
    static struct expectation rows[MANY];
    static char names[MANY][32];
    size_t open_count = MANY;
    for (size_t i = 0; i < MANY; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "ok.n%zu.example", i);
        rows[i] = (struct expectation){.name = names[i], .open_count = &open_count};
        rows[i].got_status = DNS_TEMPORARY;
        ask(&rows[i]);
    }
    loop_run(server.loop);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(rows[i].got_status, DNS_FOUND);
}

static void test_limit_of_waiting(void **state)
{
    (void)state;
    struct dns_question question = {.type = DNS_TYPE_A};
    struct expectation expectation = {0};
    assert_int_equal(dns_name_from_text(SPAN("silent.example"), &question.name), PARSE_OK);
    for (size_t i = 0; i < RESOLVER_WAITING_MAX; i++)
        assert_true(resolver_ask(resolver, &question, on_answer, &expectation));
    assert_false(resolver_ask(resolver, &question, on_answer, &expectation));
    /* The end of the test forgets them all. */
}

/* Nobody listens there: told apart from absence, and soon. */
static void test_no_server(void **state)
{
    (void)state;
    size_t open_count = 1;
    struct expectation row = {.name = "ok.example", .open_count = &open_count};
    (void)event_del(&server.udp_event);
    file_close(server.udp);
    server.udp = -1;
    ask(&row);
    loop_run(server.loop);
    assert_int_equal(row.got_status, DNS_TEMPORARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit_of_waiting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_server, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
