/* tests/smtp/content - what arrives is what was queued, or nothing; what is announced before it;
 * connections used again; results kept until acknowledged; time limits. */
#include "../test.h"

#include <stdlib.h>

#include "world.h"

static struct world world;

#define HELLO "S 220 h0 ESMTP\nC EHLO client.test\nS 250-h0\nS 250 PIPELINING\n"
#define HELLO_OF_ONE_DOMAIN                                                                        \
    "S 220 h0 ESMTP\nC EHLO client.test\nS 250-PIPELINING\nS 250 LIMITS RCPTDOMAINMAX=1\n"
#define ACCEPT_ANY "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nD\nS 250 2.0.0 Ok\n"
#define ENVELOPE_OK                                                                                \
    "C MAIL FROM:<s@client.test>\nS 250 ok\nC RCPT TO:<a@d.test>\nS 250 ok\nC DATA\nS 354 go\nD\n"
#define ACCEPT ENVELOPE_OK "S 250 2.0.0 Ok\n"

static struct world_order usual_order(void)
{
    return (struct world_order){.queue_id = "Q1",
                                .nexthop = "[127.0.1.0]",
                                .sender = "s@client.test",
                                .recipients = "a@d.test",
                                .content = SPAN("Subject: x\r\n\r\nbody\r\n"),
                                .longest_line = 10};
}

static void deliver(const char *name, const struct world_order *order)
{
    world.complaint[0] = '\0';
    world_deliver(&world, order);
    const bool is_over = world_wait(&world);
    const struct span log = buffer_span(&world.smtp.log);
    if (!is_over || world.complaint[0])
        fail_msg("%s: %s %s\nlog: %.*s", name, is_over ? "" : "not over", world.complaint,
                 SPAN_PRINTF(log));
}

static void assert_outcome(const char *name, enum outcome_kind kind, const char *text)
{
    const struct span reason = world.results[0].outcome.reason;
    assert_true(world.result_count > 0);
    if (world.results[0].outcome.kind != kind ||
        span_find(reason, span_from_string(text)) == reason.length)
        fail_msg("%s: kind %d, \"%.*s\"", name, (int)world.results[0].outcome.kind,
                 SPAN_PRINTF(reason));
}

static void start(const char *settings)
{
    assert_true(world_start(&world, settings));
}

static int tear_down(void **state)
{
    (void)state;
    world_stop(&world);
    return 0;
}

static void test_content(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span content;
        uint32_t facts;
        uint32_t longest_line;
        struct span wire; /* NULL: the same */
    } rows[] = {
        {"plain", SPAN_LITERAL("a\r\nb\r\n"), 0, 1, {NULL, 0}},
        {"empty", SPAN_LITERAL(""), 0, 0, {NULL, 0}},
        {"dots", SPAN_LITERAL(".\r\n..\r\na.b\r\n.c\r\n"), QUEUE_FACT_LEADING_DOTS, 3,
         SPAN_LITERAL("..\r\n...\r\na.b\r\n..c\r\n")},
        {"a dot at the seam of two extents", SPAN_LITERAL("ab\r\n.cd\r\n"), QUEUE_FACT_LEADING_DOTS,
         3, SPAN_LITERAL("ab\r\n..cd\r\n")},
        {"no line end", SPAN_LITERAL("a\r\nb"), 0, 1, SPAN_LITERAL("a\r\nb\r\n")},
        {"no line end, dots", SPAN_LITERAL(".a\r\n.b"), QUEUE_FACT_LEADING_DOTS, 2,
         SPAN_LITERAL("..a\r\n..b\r\n")},
        {"NUL", SPAN_LITERAL("a\0b\r\n"), QUEUE_FACT_NUL, 3, {NULL, 0}},
        {"as long as allowed", SPAN_LITERAL("123456789\r\n123456789\r\n"), 0, 11, {NULL, 0}},
        {"a line too long", SPAN_LITERAL("123456789abcdefghijklm\r\nn\r\n"), 0, 22,
         SPAN_LITERAL("123456789a\r\n bcdefghij\r\n klm\r\nn\r\n")},
        {"a line too long, no end", SPAN_LITERAL("123456789abc"), 0, 12,
         SPAN_LITERAL("123456789a\r\n bc\r\n")},
    };
    start("smtp_connection_cache_on_demand = no\nsmtp_line_length_limit = 10\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world_order order = usual_order();
        world.servers[0].script = HELLO ACCEPT;
        order.content = rows[i].content;
        order.facts = rows[i].facts;
        order.longest_line = rows[i].longest_line;
        deliver(rows[i].name, &order);
        assert_outcome(rows[i].name, OUTCOME_OK, "250");
        const struct span got = buffer_span(&world.servers[0].content);
        if (!span_equals(got, rows[i].wire.bytes ? rows[i].wire : rows[i].content))
            fail_msg("%s: got \"%.*s\"", rows[i].name, SPAN_PRINTF(got));
    }
}

static void test_eight_bits(void **state)
{
    (void)state;
    static const char content[] = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                                  "Content-Transfer-Encoding: 8bit\r\n\r\n.\xc3\xa4\r\n";
    static const char converted[] = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                                    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
                                    "..=C3=A4\r\n";
    static const char stuffed[] = "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n"
                                  "Content-Transfer-Encoding: 8bit\r\n\r\n..\xc3\xa4\r\n";
    struct world_order order = usual_order();
    start("smtp_connection_cache_on_demand = no\n");
    order.content = span_from_string(content);
    order.facts = QUEUE_FACT_8BIT_BODY | QUEUE_FACT_LEADING_DOTS;
    order.longest_line = 60;
    world.servers[0].script = HELLO ACCEPT;
    deliver("converted", &order);
    assert_span_is("converted", buffer_span(&world.servers[0].content), converted);
    world.servers[0].script =
        "S 220 h0\nC EHLO\nS 250-h0\nS 250-PIPELINING\nS 250 8BITMIME\n" ACCEPT;
    deliver("as it is", &order);
    assert_span_is("as it is", buffer_span(&world.servers[0].content), stuffed);
}

/* Megabytes, with dots everywhere, arrive whole; dots are doubled also where blocks meet. */
static void test_large_content(void **state)
{
    (void)state;
    enum { LINES = 60000 };
    struct buffer content, wire;
    buffer_init(&content, NULL, WORLD_CONTENT_MAX_BYTES);
    buffer_init(&wire, NULL, WORLD_CONTENT_MAX_BYTES);
    for (size_t i = 0; i < LINES; i++) {
        const char *dot = i % 3 == 0 ? "." : "";
        buffer_append_format(&content, "%sline %zu of a message\r\n", dot, i);
        buffer_append_format(&wire, "%s%sline %zu of a message\r\n", dot, dot, i);
    }
    start("smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    world.servers[0].script = HELLO ACCEPT;
    order.content = buffer_span(&content);
    order.facts = QUEUE_FACT_LEADING_DOTS;
    order.longest_line = 30;
    deliver("large", &order);
    assert_outcome("large", OUTCOME_OK, "250");
    assert_true(span_equals(buffer_span(&world.servers[0].content), buffer_span(&wire)));
    buffer_release(&content);
    buffer_release(&wire);
}

static void test_damage(void **state)
{
    (void)state;
    start("smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    /* The server sees the connection closed before any final dot. */
    world.servers[0].script = HELLO "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nE\n";
    order.content = SPAN("");
    order.is_damaged = true;
    deliver("damaged", &order);
    assert_outcome("damaged", OUTCOME_TEMPORARY, "queue file is damaged");
    assert_true(world.is_corrupt);
    assert_false(world.has_site_failure);
    assert_false(world.has_connection);
}

static void test_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *extensions;
        const char *sender;
        const char *recipients;
        uint32_t facts;
        uint32_t flags;
        uint32_t notify;
        const char *mail;
        const char *rcpt;
        const char *failure;
    } rows[] = {
        {"size", "SIZE", "s@client.test", "a@d.test", 0, 0, 0, "MAIL FROM:<s@client.test> SIZE=20",
         "RCPT TO:<a@d.test>", NULL},
        {"null sender", "SIZE 100", "", "a@d.test", 0, 0, 0, "MAIL FROM:<> SIZE=20",
         "RCPT TO:<a@d.test>", NULL},
        {"8 bits", "8BITMIME", "s@client.test", "a@d.test", QUEUE_FACT_8BIT_BODY, 0, 0,
         "MAIL FROM:<s@client.test> BODY=8BITMIME", "RCPT", NULL},
        {"7 bits", "8BITMIME", "s@client.test", "a@d.test", 0, 0, 0, "MAIL FROM:<s@client.test>",
         "RCPT", NULL},
        {"DSN", "DSN", "s@client.test", "a@d.test", 0, 0,
         QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_FAILURE,
         "MAIL FROM:<s@client.test> RET=HDRS ENVID=QQ314159",
         "RCPT TO:<a@d.test> NOTIFY=SUCCESS,FAILURE", NULL},
        {"no DSN there", "SIZE", "s@client.test", "a@d.test", 0, 0, QUEUE_NOTIFY_NEVER,
         "MAIL FROM:<s@client.test> SIZE=20", "RCPT TO:<a@d.test>", NULL},
        {"SMTPUTF8", "SMTPUTF8", "s\xc3\xa4@client.test", "a@d.test", 0, QUEUE_FLAG_SMTPUTF8, 0,
         "MAIL FROM:<s\xc3\xa4@client.test> SMTPUTF8", "RCPT", NULL},
        {"SMTPUTF8 not needed", "SMTPUTF8", "s@client.test", "a@d.test", 0, QUEUE_FLAG_SMTPUTF8, 0,
         "MAIL FROM:<s@client.test>", "RCPT", NULL},
        {"SMTPUTF8 not there", "SIZE", "s@client.test", "\xc3\xa4@d.test", 0, QUEUE_FLAG_SMTPUTF8,
         0, NULL, NULL, "SMTPUTF8 is required, but was not offered by host 127.0.1.0[127.0.1.0]"},
    };
    start("smtp_connection_cache_on_demand = no\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char script[1024];
        struct world_order order = usual_order();
        (void)snprintf(script, sizeof(script), "S 220 h0\nC EHLO\nS 250-h0\nS 250 %s\n%s%s%s%s%s",
                       rows[i].extensions, rows[i].mail ? "C " : "",
                       rows[i].mail ? rows[i].mail : "", rows[i].mail ? "\nS 250 ok\nC " : "",
                       rows[i].rcpt ? rows[i].rcpt : "",
                       rows[i].rcpt ? "\nS 250 ok\nC DATA\nS 354 go\nD\nS 250 ok\n" : "");
        world.servers[0].script = script;
        order.sender = rows[i].sender;
        order.recipients = rows[i].recipients;
        order.facts = rows[i].facts;
        order.flags = rows[i].flags;
        order.notify = rows[i].notify;
        deliver(rows[i].name, &order);
        assert_outcome(rows[i].name, rows[i].failure ? OUTCOME_PERMANENT : OUTCOME_OK,
                       rows[i].failure ? rows[i].failure : "250");
    }
}

/* More recipients than go in one window of commands, and than fit one report. */
static void test_many_recipients(void **state)
{
    (void)state;
    enum { MANY = 200 };
    struct buffer recipients, script;
    buffer_init(&recipients, NULL, 65536);
    buffer_init(&script, NULL, 1 << 20);
    buffer_append_string(&script, HELLO "C MAIL\nS 250 ok\n");
    for (unsigned i = 0; i < MANY; i++) {
        buffer_append_format(&recipients, "r%u@d.test ", i);
        if (i % 2)
            buffer_append_format(&script, "C RCPT TO:<r%u@d.test>\nS 250 ok\n", i);
        else
            buffer_append_format(&script, "C RCPT TO:<r%u@d.test>\nS 550 %0400u\n", i, i);
    }
    buffer_append_string(&script, "C DATA\nS 354 go\nD\nS 250 ok\n");
    buffer_append_byte(&recipients, 0);
    buffer_append_byte(&script, 0);
    start("smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    order.recipients = (const char *)recipients.bytes;
    world.servers[0].script = (const char *)script.bytes;
    deliver("many", &order);
    assert_int_equal(world.result_count, MANY);
    assert_true(world.report_count > 1);
    bool was_seen[MANY] = {false};
    for (size_t i = 0; i < MANY; i++) {
        const struct world_result *result = &world.results[i];
        assert_true(result->index < MANY && !was_seen[result->index]);
        was_seen[result->index] = true;
        assert_int_equal(result->outcome.kind, result->index % 2 ? OUTCOME_OK : OUTCOME_PERMANENT);
    }
    buffer_release(&recipients);
    buffer_release(&script);
}

static void test_connection_is_used_again(void **state)
{
    (void)state;
    start("smtp_connection_cache_time_limit = 1s\n");
    struct world_order order = usual_order();
    world.servers[0].script = HELLO ACCEPT ACCEPT
        "C MAIL\nS 250 ok\nC RCPT\nS 550 no\nC DATA\nS 503 no\nC RSET\nS 250 ok\n" ACCEPT;
    for (unsigned i = 0; i < 4; i++) {
        world.complaint[0] = '\0';
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        assert_string_equal(world.complaint, "");
        assert_true(world.has_connection);
        assert_int_equal(world.results[0].outcome.kind, i == 2 ? OUTCOME_PERMANENT : OUTCOME_OK);
    }
    assert_true(world_wait(&world)); /* the server's script ends with QUIT, after a second */
    assert_int_equal(world.servers[0].connection_count, 1);
    assert_true(world_has_logged(&world, ", conn_use=2, "));
    /* Another next hop has no use for it. */
    world.servers[0].script = world.servers[1].script = HELLO ACCEPT;
    deliver("again", &order);
    order.nexthop = "[127.0.1.1]";
    deliver("another", &order);
    assert_int_equal(world.servers[0].connection_count, 2);
    assert_int_equal(world.servers[1].connection_count, 1);
}

/* Domains with one mail exchanger share connections to it, as far as the server lets them. */
static void test_domains_share_connections(void **state)
{
    (void)state;
    static const char *const domains[] = {"a.test", "b.test", "c.test"};
    start("smtp_connection_cache_time_limit = 1s\n");
    struct world_order order = usual_order();
    world.mx = "10 h0.test";
    world.servers[0].script = HELLO ACCEPT ACCEPT ACCEPT;
    for (size_t i = 0; i < ARRAY_LENGTH(domains); i++) {
        order.nexthop = domains[i];
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        assert_outcome("shared", OUTCOME_OK, "250");
    }
    assert_true(world_wait(&world));
    assert_string_equal(world.complaint, "");
    assert_int_equal(world.servers[0].connection_count, 1);
    /* One domain in a session, says the next server: the second needs a connection of its own. */
    world.servers[0].script = HELLO_OF_ONE_DOMAIN ACCEPT_ANY "=\n" HELLO_OF_ONE_DOMAIN ACCEPT_ANY;
    static const char *const recipients[] = {"a@one.test", "b@two.test"};
    for (size_t i = 0; i < ARRAY_LENGTH(recipients); i++) {
        order.nexthop = domains[i];
        order.recipients = recipients[i];
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        assert_outcome("not shared", OUTCOME_OK, "250");
    }
    assert_true(world_wait(&world));
    assert_string_equal(world.complaint, "");
    assert_int_equal(world.servers[0].connection_count, 3);
}

/* A list of next hops whose connections are kept although no others are. */
static void test_kept_destinations(void **state)
{
    (void)state;
    start("smtp_connection_cache_time_limit = 1s\nsmtp_connection_cache_on_demand = no\n"
          "smtp_connection_cache_destinations = [127.0.1.0], .kept.test\n");
    struct world_order order = usual_order();
    world.mx = "10 h1.test";
    world.servers[0].script = world.servers[1].script = HELLO ACCEPT;
    deliver("by name", &order);
    assert_true(world.has_connection);
    order.nexthop = "a.kept.test";
    deliver("by domain", &order);
    assert_true(world.has_connection);
    order.nexthop = "kept.test";
    deliver("not it", &order);
    assert_false(world.has_connection);
}

/* The server left while the connection was kept: nobody's mail is put off for that. */
static void test_kept_connection_is_lost(void **state)
{
    (void)state;
    start("smtp_connection_cache_time_limit = 5s\n");
    struct world_order order = usual_order();
    world.servers[0].script = HELLO ACCEPT "X\n=\n" HELLO ACCEPT "C MAIL\nX\n=\n" HELLO ACCEPT
                                           "C MAIL\nS 421 4.4.2 idle\nX\n=\n" HELLO ACCEPT
                                           "W 100\nS 421 idle\nX\n=\n" HELLO ACCEPT;
    for (unsigned i = 0; i < 5; i++) {
        world.complaint[0] = '\0';
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        assert_string_equal(world.complaint, "");
        assert_outcome("kept", OUTCOME_OK, "250");
        /* After the first and the fourth delivery the server leaves before we speak again. */
        world_run(&world, i == 0 || i == 3 ? 300 : 10);
    }
    assert_int_equal(world.servers[0].connection_count, 5);
    assert_true(world_wait(&world));
}

/* What a kept connection put off is offered to the next host, not to the same one again. */
static void test_kept_connection_refuses(void **state)
{
    (void)state;
    start("smtp_connection_cache_time_limit = 1s\nsmtp_randomize_addresses = no\n");
    struct world_order order = usual_order();
    world.mx = "10 h0.test 20 h1.test";
    order.nexthop = "d.test";
    world.servers[0].script = HELLO ACCEPT
        "C MAIL\nS 250 ok\nC RCPT\nS 450 4.2.0 later\nC DATA\nS 503 no\nC RSET\nS 250 ok\n";
    world.servers[1].script = HELLO ACCEPT;
    for (unsigned i = 0; i < 2; i++) {
        world.complaint[0] = '\0';
        world_deliver(&world, &order);
        while (!world.is_over)
            world_run(&world, 10);
        assert_string_equal(world.complaint, "");
        assert_outcome("kept", OUTCOME_OK, "250");
    }
    assert_true(world_wait(&world));
    assert_int_equal(world.servers[0].connection_count, 1);
    assert_int_equal(world.servers[1].connection_count, 1);
}

static void test_results_are_kept(void **state)
{
    (void)state;
    start("smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    world.servers[0].script = HELLO ACCEPT;
    world.is_acknowledging = false;
    deliver("not acknowledged", &order);
    assert_int_equal(world.result_count, 1);
    /* The next qmgr hears of it again, twice if need be. */
    for (unsigned i = 0; i < 2; i++) {
        world_replace_qmgr(&world);
        assert_true(world_wait(&world));
        assert_int_equal(world.result_count, 1);
        assert_outcome("repeated", OUTCOME_OK, "250 2.0.0 Ok");
    }
    world.is_acknowledging = true;
    world_replace_qmgr(&world);
    assert_true(world_wait(&world));
    assert_int_equal(world.result_count, 1);
    world_replace_qmgr(&world);
    world_run(&world, 200);
    assert_int_equal(world.report_count, 0);
    assert_int_equal(world.capacity, 50);
}

/* What is delivered is known before the server has answered to QUIT. */
static void test_results_before_good_bye(void **state)
{
    (void)state;
    const struct world_order order = usual_order();
    start("smtp_connection_cache_on_demand = no\nsmtp_skip_quit_response = no\n");
    world.servers[0].script = HELLO ACCEPT "C QUIT\nW 300\nS 221 bye\n";
    deliver("slow good-bye", &order);
    assert_outcome("slow good-bye", OUTCOME_OK, "250 2.0.0 Ok");
    assert_int_equal(world.report_count, 2);
}

/* A delivery goes on while qmgr is replaced. */
static void test_qmgr_dies_within(void **state)
{
    (void)state;
    start("smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    world.complaint[0] = '\0';
    world.servers[0].script = HELLO ENVELOPE_OK "W 300\nS 250 ok\n";
    world_deliver(&world, &order);
    world_run(&world, 100);
    world_replace_qmgr(&world);
    assert_true(world_wait(&world));
    assert_string_equal(world.complaint, "");
    assert_outcome("over", OUTCOME_OK, "250");
}

static void test_time_limits(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *script;
        const char *text;
    } rows[] = {
        {"greeting", "W 1100\n", "receiving the initial server greeting"},
        {"EHLO", "S 220 h0\nC EHLO\nW 1100\n", "performing the EHLO handshake"},
        {"MAIL", HELLO "C MAIL\nW 1100\nC RCPT\nC DATA\n", "sending MAIL FROM"},
        {"RCPT", HELLO "C MAIL\nS 250 ok\nC RCPT\nW 1100\nC DATA\n", "sending RCPT TO"},
        {"DATA", HELLO "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nW 1100\n",
         "sending DATA command"},
        {"end of data", HELLO ENVELOPE_OK "W 1100\n",
         "sending end of data -- message may be sent more than once"},
    };
    char expected[256];
    start("smtp_helo_timeout = 1s\nsmtp_mail_timeout = 1s\nsmtp_rcpt_timeout = 1s\n"
          "smtp_data_init_timeout = 1s\nsmtp_data_done_timeout = 1s\n"
          "smtp_connection_cache_on_demand = no\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world_order order = usual_order();
        world.servers[0].script = rows[i].script;
        deliver(rows[i].name, &order);
        (void)snprintf(expected, sizeof(expected),
                       "conversation with 127.0.1.0[127.0.1.0] timed out while %s", rows[i].text);
        assert_outcome(rows[i].name, OUTCOME_TEMPORARY, expected);
        assert_int_equal(world.results[0].outcome.status.detail, 2);
    }
}

static void test_hello(void **state)
{
    (void)state;
    struct world_order order = usual_order();
    start("smtp_always_send_ehlo = no\nsmtp_helo_name = me.test\n"
          "smtp_discard_ehlo_keywords = pipelining, size\nsmtp_skip_quit_response = no\n"
          "smtp_connection_cache_on_demand = no\n");
    world.servers[0].script = "S 220 h0 old\nC HELO me.test\nS 250 h0\n"
                              "C MAIL\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nD\n"
                              "S 250 2.0.0 Ok\nC QUIT\nW 100\nS 221 bye\nE\n";
    deliver("HELO", &order);
    assert_outcome("HELO", OUTCOME_OK, "250");
    world.servers[0].script =
        "S 220 h0 ESMTP\nC EHLO me.test\nS 250-h0\nS 250-SIZE 1\nS 250 PIPELINING\n"
        "C MAIL FROM:<s@client.test>\nS 250 ok\nC RCPT\nS 250 ok\nC DATA\nS 354 go\nD\n"
        "S 250 ok\n";
    deliver("EHLO, offers discarded", &order);
    assert_outcome("EHLO, offers discarded", OUTCOME_OK, "250");
}

static void test_next_hops(void **state)
{
    (void)state;
    static const struct {
        const char *nexthop; /* %u: the port */
        enum outcome_kind kind;
        const char *text;
        size_t server;
    } rows[] = {
        {"h0.test", OUTCOME_OK, "250", 0}, /* no MX: the address of the name */
        {"[h1.test]", OUTCOME_OK, "250", 1},
        {"[h1.test]:%u", OUTCOME_OK, "250", 1},
        {"h1.test:%u", OUTCOME_OK, "250", 1},
        {"127.0.1.2", OUTCOME_OK, "250", 2},
        {"[127.0.1.3], [127.0.1.1]", OUTCOME_OK, "250", 1},
        {"lost.test [h2.test]", OUTCOME_OK, "250", 2},
        {"lost.test gone.test", OUTCOME_TEMPORARY, "name=lost.test", 3},
        {"[h1.test", OUTCOME_PERMANENT, "the next hop is not a host, domain or address", 3},
        {"[gone.test]", OUTCOME_PERMANENT, "name=gone.test type=A", 3},
    };
    start("smtp_connection_cache_on_demand = no\n");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct world_order order = usual_order();
        char nexthop[128];
        struct span rest = span_from_string(rows[i].nexthop), before, after;
        if (strstr(rows[i].nexthop, "%u")) {
            (void)span_split_once(rest, '%', &before, &after);
            (void)snprintf(nexthop, sizeof(nexthop), "%.*s%u", SPAN_PRINTF(before),
                           (unsigned)world.port);
        } else {
            (void)snprintf(nexthop, sizeof(nexthop), "%s", rows[i].nexthop);
        }
        world.mx = "none";
        for (size_t j = 0; j < WORLD_SERVERS; j++)
            world.servers[j].script = j == rows[i].server ? HELLO ACCEPT : NULL;
        order.nexthop = nexthop;
        deliver(rows[i].nexthop, &order);
        assert_outcome(rows[i].nexthop, rows[i].kind, rows[i].text);
    }
}

static void test_soft_bounce_and_fallback(void **state)
{
    (void)state;
    start("soft_bounce = yes\nsmtp_fallback_relay = [h1.test]\n"
          "smtp_connection_cache_on_demand = no\n");
    struct world_order order = usual_order();
    world.servers[0].script =
        HELLO "C MAIL\nS 250 ok\nC RCPT\nS 550 5.1.1 no\nC DATA\nS 503 no\nC RSET\nS 250 ok\n";
    deliver("soft bounce", &order);
    assert_outcome("soft bounce", OUTCOME_TEMPORARY, "550 5.1.1 no");
    assert_int_equal(world.results[0].outcome.status.class, 4);
    assert_true(world_has_logged(&world, "dsn=4.1.1, status=SOFTBOUNCE (host "));
    order.nexthop = "[h3.test]";
    world.servers[1].script = HELLO ACCEPT;
    deliver("fallback", &order);
    assert_outcome("fallback", OUTCOME_OK, "250");
}

/* Hundreds of deliveries at once, over one process. */
static void test_many_deliveries(void **state)
{
    (void)state;
    enum { MANY = 40 };
    start("smtp_connection_cache_on_demand = no\n");
    world.servers[0].script = HELLO ENVELOPE_OK "W 200\nS 250 ok\n";
    struct world_order order = usual_order();
    world.complaint[0] = '\0';
    for (unsigned i = 0; i < MANY; i++)
        world_deliver(&world, &order);
    for (unsigned i = 0; i < 400 && world.result_count < MANY; i++)
        world_run(&world, 20);
    assert_string_equal(world.complaint, "");
    assert_int_equal(world.result_count, MANY);
    assert_int_equal(world.servers[0].connection_count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(world.results[i].outcome.kind, OUTCOME_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_content, tear_down),
        cmocka_unit_test_teardown(test_eight_bits, tear_down),
        cmocka_unit_test_teardown(test_large_content, tear_down),
        cmocka_unit_test_teardown(test_damage, tear_down),
        cmocka_unit_test_teardown(test_parameters, tear_down),
        cmocka_unit_test_teardown(test_many_recipients, tear_down),
        cmocka_unit_test_teardown(test_connection_is_used_again, tear_down),
        cmocka_unit_test_teardown(test_domains_share_connections, tear_down),
        cmocka_unit_test_teardown(test_kept_destinations, tear_down),
        cmocka_unit_test_teardown(test_kept_connection_is_lost, tear_down),
        cmocka_unit_test_teardown(test_kept_connection_refuses, tear_down),
        cmocka_unit_test_teardown(test_results_are_kept, tear_down),
        cmocka_unit_test_teardown(test_hello, tear_down),
        cmocka_unit_test_teardown(test_results_before_good_bye, tear_down),
        cmocka_unit_test_teardown(test_qmgr_dies_within, tear_down),
        cmocka_unit_test_teardown(test_time_limits, tear_down),
        cmocka_unit_test_teardown(test_next_hops, tear_down),
        cmocka_unit_test_teardown(test_soft_bounce_and_fallback, tear_down),
        cmocka_unit_test_teardown(test_many_deliveries, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
