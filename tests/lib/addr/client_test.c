/* tests/lib/addr - what the client makes of an addrd's answers, which the test plays: whole lists,
 * lists in parts, lists that change meanwhile, and nonsense. */
#include "../../test.h"

#include <stdio.h>
#include <sys/socket.h>

#include "addr/ahead.h"
#include "addr/recent.h"
#include "system/task.h"

enum { PATIENCE_MS = 5000, ARENA_BYTES = 1 << 20 };

/* How the played addrd behaves. */
struct play {
    uint32_t total;         /* length of the list */
    uint32_t at_once;       /* records in an answer */
    uint32_t claimed_total; /* 0: the truth */
    bool changes;           /* the list is another one each time */
    bool is_nonsense;
    bool fails_later; /* the second question */
    bool refuses;     /* the recipient that is checked: its transport is error: */
    uint32_t asked_count;
};
static struct play play;
static struct loop *loop;
static struct addr_client client;

static void put_records(struct buffer *records, uint32_t first)
{
    for (uint32_t i = first; i < play.total && i < first + play.at_once; i++) {
        char address[64];
        (void)snprintf(address, sizeof(address), "m%u@x", i);
        const struct ipc_addr_expanded record = {.address = span_from_string(address),
                                                 .is_copy = i == 1};
        ipc_records_append(IPC_ADDR_EXPANDED, &record, records);
    }
    if (play.is_nonsense)
        buffer_append_string(records, "nonsense");
}

static void answer_expand(struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    const struct ipc_addr_expand *question = delivery->message;
    struct buffer records;

    buffer_init(&records, NULL, 49152);
    put_records(&records, question->skipped);
    const struct ipc_addr_expand_reply reply = {
        .outcome = play.fails_later && play.asked_count > 1 ? outcome_temporary(451, 3, 0, "later")
                                                            : outcome_ok(),
        .recipients = buffer_span(&records),
        .total = play.claimed_total ? play.claimed_total : play.total,
        .fingerprint = play.changes ? play.asked_count : 7,
        .new_sender = SPAN("s@y")};
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_ADDR_EXPAND_REPLY, &reply));
    buffer_release(&records);
}

static void answer_rewrite(struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    const struct ipc_addr_rewrite *question = delivery->message;
    struct span rest = question->addresses;
    struct ipc_addr_recipient address;
    struct buffer records;

    buffer_init(&records, NULL, 49152);
    for (uint32_t i = 0; i < play.at_once && rest.length; i++) {
        assert_int_equal(ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &address), PARSE_OK);
        char text[64];
        (void)snprintf(text, sizeof(text), "%.*s!", SPAN_PRINTF(address.address));
        const struct ipc_addr_recipient record = {.address = span_from_string(text)};
        ipc_records_append(IPC_ADDR_RECIPIENT, &record, &records);
    }
    const struct ipc_addr_rewrite_reply reply = {
        .outcome = play.fails_later && play.asked_count > 1 ? outcome_temporary(451, 3, 0, "later")
                                                            : outcome_ok(),
        .addresses = buffer_span(&records)};
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_ADDR_REWRITE_REPLY, &reply));
    buffer_release(&records);
}

static void answer_check(struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    const struct ipc_addr_check_recipient *question = delivery->message;
    char text[64];
    (void)snprintf(text, sizeof(text), "%.*s %u", SPAN_PRINTF(question->recipient),
                   question->flags);
    struct buffer records;
    buffer_init(&records, NULL, 49152);
    put_records(&records, 0);
    const struct ipc_addr_check_recipient_reply reply = {
        .class = ADDR_CLASS_LOCAL,
        .outcome = play.refuses ? outcome_permanent(550, 1, 1, "closed") : outcome_ok(),
        .refusal = play.refuses ? ADDR_REFUSAL_NOWHERE : ADDR_REFUSAL_NONE,
        .recipient = span_from_string(text),
        .recipients = buffer_span(&records),
        .total = play.total,
        .fingerprint = 7,
        .sender_outcome = outcome_ok()};
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_ADDR_CHECK_RECIPIENT_REPLY, &reply));
    buffer_release(&records);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)context;
    play.asked_count++;
    if (delivery->type == IPC_ADDR_CHECK_RECIPIENT)
        answer_check(channel, delivery);
    else if (delivery->type == IPC_ADDR_EXPAND)
        answer_expand(channel, delivery);
    else
        answer_rewrite(channel, delivery);
}

static const struct ipc_permission permissions[] = {{IPC_ADDR_CHECK_RECIPIENT, UINT32_MAX},
                                                    {IPC_ADDR_EXPAND, UINT32_MAX},
                                                    {IPC_ADDR_REWRITE, UINT32_MAX},
                                                    {0, 0}};
static const struct ipc_channel_handlers server_handlers = {on_message, NULL, permissions};

/* Runs the body in a task, with an addrd that behaves like this. */
static void run(struct play behaviour, void (*body)(void *argument), void *argument)
{
    int ends[2];

    play = behaviour;
    loop = loop_create();
    assert_non_null(loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    struct ipc_channel *server =
        ipc_channel_create(loop, ends[0], IPC_ROLE_SMTPD, &server_handlers, NULL);
    addr_client_attach(&client, loop, ends[1]);
    assert_true(server && client.channel);
    assert_non_null(task_start(loop, "test", body, argument));
    loop_run(loop);
    ipc_channel_destroy(&server);
    ipc_channel_destroy(&client.channel);
    loop_destroy(&loop);
}

struct expansion_row {
    const char *name;
    struct play behaviour;
    bool is_ok;
    uint32_t asked_count;
};

static void expand(void *argument)
{
    const struct expansion_row *row = argument;
    struct addr_expansion expansion;
    struct arena arena;

    arena_init(&arena, ARENA_BYTES, 0);
    const struct outcome outcome =
        addr_expand(&client, SPAN("list@x"), SPAN("s@x"), 0, clock_deadline_after(PATIENCE_MS),
                    &arena, &expansion);
    if (outcome.kind != (row->is_ok ? OUTCOME_OK : OUTCOME_TEMPORARY))
        fail_msg("%s: %.*s", row->name, SPAN_PRINTF(outcome.reason));
    if (play.asked_count != row->asked_count)
        fail_msg("%s: asked %u times", row->name, play.asked_count);
    if (row->is_ok) {
        struct span rest = expansion.records;
        struct ipc_addr_expanded record;
        assert_int_equal(expansion.count, row->behaviour.total);
        assert_span_is(row->name, expansion.sender, "s@y");
        for (uint32_t i = 0; i < expansion.count; i++) {
            char address[64];
            (void)snprintf(address, sizeof(address), "m%u@x", i);
            assert_int_equal(ipc_records_next(&rest, IPC_ADDR_EXPANDED, &record), PARSE_OK);
            assert_span_is(row->name, record.address, address);
            assert_int_equal(record.is_copy, i == 1);
        }
        assert_int_equal(rest.length, 0);
    }
    arena_destroy(&arena);
    loop_stop(loop);
}

static void test_expansions(void **state)
{
    static const struct expansion_row rows[] = {
        {"itself", {.total = 0, .at_once = 10}, true, 1},
        {"one answer", {.total = 3, .at_once = 10}, true, 1},
        {"parts", {.total = 10, .at_once = 3}, true, 4},
        {"another list meanwhile", {.total = 10, .at_once = 3, .changes = true}, false, 2},
        {"a list that grows", {.total = 3, .at_once = 3, .claimed_total = 4}, false, 2},
        {"more than was said", {.total = 5, .at_once = 5, .claimed_total = 3}, false, 1},
        {"nonsense", {.total = 3, .at_once = 10, .is_nonsense = true}, false, 1},
        {"a failure on the way", {.total = 10, .at_once = 3, .fails_later = true}, false, 2},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct expansion_row row = rows[i];
        run(row.behaviour, expand, &row);
    }
}

static void rewrite(void *argument)
{
    const bool is_ok = *(bool *)argument;
    const struct span addresses[] = {SPAN("a"), SPAN("b"), SPAN("c")};
    struct span rewritten[3];
    struct arena arena;

    arena_init(&arena, ARENA_BYTES, 0);
    const struct outcome outcome =
        addr_rewrite(&client, ADDR_REWRITE_GENERIC, addresses, 3, clock_deadline_after(PATIENCE_MS),
                     &arena, rewritten);
    assert_int_equal(outcome.kind, is_ok ? OUTCOME_OK : OUTCOME_TEMPORARY);
    if (is_ok) {
        assert_span_is("first", rewritten[0], "a!");
        assert_span_is("last", rewritten[2], "c!");
    }
    arena_destroy(&arena);
    loop_stop(loop);
}

static void test_rewriting(void **state)
{
    bool is_ok = true;
    (void)state;
    run((struct play){.at_once = 2}, rewrite, &is_ok);
    assert_int_equal(play.asked_count, 2);
    is_ok = false;
    run((struct play){.at_once = 2, .fails_later = true}, rewrite, &is_ok);
    run((struct play){.at_once = 0}, rewrite, &is_ok);
}

/* ---- questions ahead ---- */

/* What copies of its mail go to is a part of what is known of a recipient, also of one that is
 * refused: settings may let it pass. */
static void check_with_copies(void *argument)
{
    const bool is_whole = !play.fails_later;
    struct addr_check check;
    struct arena arena;
    (void)argument;
    arena_init(&arena, ARENA_BYTES, 0);
    addr_check_recipient(&client, NULL, SPAN("a@x"), SPAN("s@x"), 0,
                         clock_deadline_after(PATIENCE_MS), &arena, &check);
    assert_int_equal(check.outcome.kind, !is_whole      ? OUTCOME_TEMPORARY
                                         : play.refuses ? OUTCOME_PERMANENT
                                                        : OUTCOME_OK);
    assert_int_equal(check.refusal,
                     is_whole && play.refuses ? ADDR_REFUSAL_NOWHERE : ADDR_REFUSAL_NONE);
    if (is_whole)
        assert_int_equal(check.expansion.count, play.total);
    arena_destroy(&arena);
    loop_stop(loop);
}

static void test_copies(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++)
        run((struct play){.total = 10, .at_once = 3, .refuses = i & 1, .fails_later = i & 2},
            check_with_copies, NULL);
}

static void ask_ahead(struct addr_ahead *ahead, const char *recipient, unsigned flags)
{
    addr_ahead_ask(ahead, &client, span_from_string(recipient), SPAN("s@x"), flags,
                   clock_deadline_after(PATIENCE_MS));
}

/* What is answered, and after how many questions in all. */
static void expect_answer(struct addr_ahead *ahead, const char *recipient, unsigned flags,
                          const char *expected, uint32_t asked_count)
{
    struct addr_check check;
    struct arena arena;
    arena_init(&arena, ARENA_BYTES, 0);
    addr_check_recipient(&client, ahead, span_from_string(recipient), SPAN("s@x"), flags,
                         clock_deadline_after(PATIENCE_MS), &arena, &check);
    assert_span_is(recipient, check.recipient, expected);
    assert_int_equal(check.class, ADDR_CLASS_LOCAL);
    assert_int_equal(play.asked_count, asked_count);
    arena_destroy(&arena);
}

static void check_ahead(void *argument)
{
    struct addr_ahead ahead;
    (void)argument;
    addr_ahead_init(&ahead);
    ask_ahead(&ahead, "a@x", 0);
    ask_ahead(&ahead, "b@x", 0);
    ask_ahead(&ahead, "c@x", 0);
    ask_ahead(&ahead, "d@x", 0);
    expect_answer(&ahead, "a@x", 0, "a@x 0", 4); /* they went out together */
    expect_answer(&ahead, "b@x", 0, "b@x 0", 4);
    expect_answer(&ahead, "d@x", 0, "d@x 0", 4); /* the command of c was none */
    assert_true(addr_ahead_is_empty(&ahead));
    expect_answer(&ahead, "e@x", 0, "e@x 0", 5);
    ask_ahead(&ahead, "f@x", 0);
    ask_ahead(&ahead, "g@x", 0);
    expect_answer(&ahead, "f@x", 1, "f@x 1", 8); /* another question */
    assert_true(addr_ahead_is_empty(&ahead));
    ask_ahead(&ahead, "h@x", 0);
    addr_ahead_forget(&ahead); /* its answer comes to nobody */
    expect_answer(&ahead, "i@x", 0, "i@x 0", 10);
    loop_stop(loop);
}

static void test_questions_ahead(void **state)
{
    (void)state;
    run((struct play){0}, check_ahead, NULL);
}

/* The channel closes with questions under way, which are asked again when there is another. */
static void check_without_channel(void *argument)
{
    struct addr_ahead ahead;
    struct addr_check check;
    struct arena arena;
    (void)argument;
    addr_ahead_init(&ahead);
    ask_ahead(&ahead, "a@x", 0);
    ask_ahead(&ahead, "b@x", 0);
    ipc_channel_destroy(&client.channel);
    ask_ahead(&ahead, "c@x", 0); /* nobody is there to be asked */
    arena_init(&arena, ARENA_BYTES, 0);
    addr_check_recipient(&client, &ahead, SPAN("a@x"), SPAN("s@x"), 0, clock_deadline_after(10),
                         &arena, &check);
    assert_int_equal(check.outcome.kind, OUTCOME_TEMPORARY);
    addr_ahead_forget(&ahead);
    arena_destroy(&arena);
    loop_stop(loop);
}

static void test_questions_ahead_without_addrd(void **state)
{
    (void)state;
    run((struct play){0}, check_without_channel, NULL);
}

/* ---- what was answered a moment ago ---- */

static const uint8_t seed[16] = "0123456789abcdef";

static struct ipc_addr_check_recipient question_about(const char *recipient, const char *sender,
                                                      unsigned flags)
{
    return (struct ipc_addr_check_recipient){.recipient = span_from_string(recipient),
                                             .sender = span_from_string(sender),
                                             .flags = flags};
}

static struct ipc_addr_check_recipient_reply good_news(const char *recipient)
{
    return (struct ipc_addr_check_recipient_reply){.class = ADDR_CLASS_LOCAL,
                                                   .outcome = outcome_ok(),
                                                   .recipient = span_from_string(recipient),
                                                   .sender_outcome = outcome_ok()};
}

static bool is_found(struct addr_recent *recent, const char *recipient, const char *sender,
                     unsigned flags, int64_t now_ms)
{
    const struct ipc_addr_check_recipient question = question_about(recipient, sender, flags);
    struct arena scratch;
    arena_init(&scratch, ARENA_BYTES, 0);
    const bool is_there = addr_recent_find(recent, &question, now_ms, &scratch) != NULL;
    arena_destroy(&scratch);
    return is_there;
}

static void test_recent_answers(void **state)
{
    static const struct {
        const char *recipient, *sender;
        unsigned flags;
        int64_t now_ms;
        bool is_found;
    } rows[] = {
        {"a@x", "s@x", 2, 5000, true},
        {"a@x", "s@x", 3, 5000, false}, /* another question */
        {"a@x", "", 2, 5000, false},
        {"a@x", "t@x", 2, 5000, false},
        {"b@x", "s@x", 2, 5000, false},
        {"a@", "xs@x", 2, 5000, false}, /* the same bytes, divided otherwise */
        {"a@x", "s@x", 2, 5000 + ADDR_RECENT_AGE_MS - 1, true},
        {"a@x", "s@x", 2, 5000 + ADDR_RECENT_AGE_MS, false},
    };
    const struct ipc_addr_check_recipient question = question_about("a@x", "s@x", 2);
    const struct ipc_addr_check_recipient_reply reply = good_news("A@x");
    struct addr_recent recent;
    struct arena scratch;
    (void)state;
    addr_recent_init(&recent, seed);
    addr_recent_keep(&recent, &question, &reply, 5000);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        assert_int_equal(
            is_found(&recent, rows[i].recipient, rows[i].sender, rows[i].flags, rows[i].now_ms),
            rows[i].is_found);
    addr_recent_keep(&recent, &question, &reply, 9000);
    arena_init(&scratch, ARENA_BYTES, 0);
    assert_span_is("kept", addr_recent_find(&recent, &question, 9000, &scratch)->recipient, "A@x");
    arena_destroy(&scratch);
    addr_recent_forget(&recent);
    assert_false(is_found(&recent, "a@x", "s@x", 2, 9000));
    map_destroy(&recent.map);
}

/* Bad news may be none any more when it is asked for again. */
static void test_what_is_not_kept(void **state)
{
    const struct ipc_addr_check_recipient question = question_about("a@x", "s@x", 2);
    struct ipc_addr_check_recipient_reply replies[] = {good_news("a@x"), good_news("a@x"),
                                                       good_news("a@x"), good_news("a@x")};
    struct addr_recent recent;
    (void)state;
    replies[0].outcome = outcome_permanent(550, 1, 1, "unknown");
    replies[1].outcome = outcome_temporary(451, 3, 0, "later");
    replies[2].sender_outcome = outcome_permanent(550, 1, 0, "unknown");
    replies[3].recipients = SPAN("records");
    replies[3].total = 1;
    addr_recent_init(&recent, seed);
    for (size_t i = 0; i < ARRAY_LENGTH(replies); i++) {
        addr_recent_keep(&recent, &question, &replies[i], 5000);
        assert_false(is_found(&recent, "a@x", "s@x", 2, 5000));
    }
    addr_recent_forget(&recent);
    map_destroy(&recent.map);
}

/* An answer that was long on its way, behind one that was not. */
static void test_late_answers_are_old(void **state)
{
    const struct ipc_addr_check_recipient slow = question_about("a@x", "s@x", 0);
    const struct ipc_addr_check_recipient quick = question_about("b@x", "s@x", 0);
    const struct ipc_addr_check_recipient_reply reply = good_news("a@x");
    struct addr_recent recent;
    (void)state;
    addr_recent_init(&recent, seed);
    addr_recent_keep(&recent, &quick, &reply, 65000);
    addr_recent_keep(&recent, &slow, &reply, 5000);
    assert_false(is_found(&recent, "a@x", "s@x", 0, 65000));
    assert_true(is_found(&recent, "b@x", "s@x", 0, 65000));
    addr_recent_forget(&recent);
    map_destroy(&recent.map);
}

static void test_recent_answers_are_few(void **state)
{
    struct addr_recent recent;
    (void)state;
    addr_recent_init(&recent, seed);
    for (int i = 0; i < 2 * ADDR_RECENT_ENTRIES_MAX; i++) {
        char recipient[32];
        (void)snprintf(recipient, sizeof(recipient), "u%d@x", i);
        const struct ipc_addr_check_recipient question = question_about(recipient, "s@x", 0);
        const struct ipc_addr_check_recipient_reply reply = good_news(recipient);
        addr_recent_keep(&recent, &question, &reply, 5000);
    }
    assert_int_equal(recent.entries.count, ADDR_RECENT_ENTRIES_MAX);
    assert_false(is_found(&recent, "u0@x", "s@x", 0, 5000));
    addr_recent_forget(&recent);
    map_destroy(&recent.map);
}

static void check_twice(void *argument)
{
    struct addr_ahead ahead;
    (void)argument;
    addr_ahead_init(&ahead);
    expect_answer(&ahead, "a@x", 0, "a@x 0", 1);
    expect_answer(&ahead, "a@x", 0, "a@x 0", 1);
    expect_answer(NULL, "a@x", 1, "a@x 1", 2);
    ask_ahead(&ahead, "a@x", 0);
    assert_true(addr_ahead_is_empty(&ahead)); /* there is nothing to ask */
    ask_ahead(&ahead, "b@x", 0);
    expect_answer(&ahead, "b@x", 0, "b@x 0", 3);
    expect_answer(&ahead, "b@x", 0, "b@x 0", 3);
    loop_stop(loop);
}

static void test_nothing_is_asked_twice(void **state)
{
    struct addr_recent recent;
    (void)state;
    addr_recent_init(&recent, seed);
    client.recent = &recent;
    run((struct play){0}, check_twice, NULL);
    client.recent = NULL;
    addr_recent_forget(&recent);
    map_destroy(&recent.map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expansions),
        cmocka_unit_test(test_rewriting),
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_questions_ahead),
        cmocka_unit_test(test_questions_ahead_without_addrd),
        cmocka_unit_test(test_recent_answers),
        cmocka_unit_test(test_what_is_not_kept),
        cmocka_unit_test(test_late_answers_are_old),
        cmocka_unit_test(test_recent_answers_are_few),
        cmocka_unit_test(test_nothing_is_asked_twice),
    };
    return cmocka_run_group_tests_name("addr/client", tests, NULL, NULL);
}
