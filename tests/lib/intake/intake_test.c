/* tests/lib/intake/intake - ids from a qmgr that the test plays: who gets which, and when. */
#include "../../test.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "intake/intake.h"
#include "system/task.h"

enum { WAITERS = 8, PATIENCE_MS = 5000 };

static struct loop *loop;
static struct intake intake;
static struct ipc_channel *qmgr;
static uint32_t wanted_count;
static size_t begun_count, over_count;
static bool is_replaced_at_commit;
static bool is_answered, is_claim_known; /* by the qmgr that comes next */
static size_t claim_count;
static size_t member_count; /* recipients that the present qmgr has been told of */

static void grant(void)
{
    static uint8_t random[QUEUE_ID_RANDOM_BYTES];
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    random[0]++;
    (void)queue_id_make(UINT64_C(1700000000000000), random, queue_id);
    const struct ipc_queue_grant message = {.queue_id = span_from_string(queue_id),
                                            .content = open("/dev/null", O_RDWR | O_CLOEXEC)};
    assert_true(ipc_channel_send(qmgr, IPC_QUEUE_GRANT, &message));
}

static void count_members(struct span text)
{
    static const struct span domain = SPAN_LITERAL("@member.example");
    for (; text.length > 0; text = span_after(text, span_find(text, domain) + domain.length))
        member_count += span_find(text, domain) < text.length;
}

/* As on a reload: the answer and the next qmgr are under way at once, and the one that answered is
 * gone when either arrives. */
static void on_commit(struct ipc_channel *channel, uint32_t id)
{
    const struct ipc_queue_commit_reply reply = {.outcome = outcome_ok()};
    int ends[2];
    if (is_answered) {
        assert_true(ipc_channel_reply(channel, id, IPC_QUEUE_COMMIT_REPLY, &reply));
        return;
    }
    if (!is_replaced_at_commit)
        return; /* never answered */
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    intake_attach(&intake, ends[1]);
    (void)close(ends[0]);
    assert_true(ipc_channel_reply(channel, id, IPC_QUEUE_COMMIT_REPLY, &reply));
}

static void on_claim(struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    const struct ipc_queue_claim *claim = delivery->message;
    const struct ipc_queue_claim_reply reply = {
        .outcome = outcome_ok(),
        .content = is_claim_known ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC),
        .is_known = is_claim_known};
    claim_count++;
    assert_true(claim->earlier >= 0 && queue_id_is_valid(claim->queue_id));
    assert_true(ipc_channel_reply(channel, delivery->id, IPC_QUEUE_CLAIM_REPLY, &reply));
}

/* Everything that is wanted leaves at once, so that several grants come in one packet. */
static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)context;
    if (delivery->type == IPC_QUEUE_RECIPIENTS)
        count_members(((const struct ipc_queue_recipients *)delivery->message)->recipients);
    if (delivery->type == IPC_QUEUE_COMMIT) {
        count_members(((const struct ipc_queue_commit *)delivery->message)->envelope);
        on_commit(channel, delivery->id);
    }
    if (delivery->type == IPC_QUEUE_CLAIM)
        on_claim(channel, delivery);
    if (delivery->type != IPC_QUEUE_WANT)
        return;
    const uint32_t count = ((const struct ipc_queue_want *)delivery->message)->count;
    for (; wanted_count < count; wanted_count++)
        grant();
}

static const struct ipc_permission permissions[] = {
    {IPC_QUEUE_WANT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_COMMIT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_ABANDON, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_CLAIM, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_RECIPIENTS, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, NULL, permissions};

static void attach(void)
{
    int ends[2];
    ipc_channel_destroy(&qmgr);
    wanted_count = 0;
    member_count = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    qmgr = ipc_channel_create(loop, ends[0], IPC_ROLE_SMTPD, &handlers, NULL);
    assert_non_null(qmgr);
    intake_attach(&intake, ends[1]);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_create();
    begun_count = over_count = 0;
    if (!loop)
        return -1;
    intake_init(&intake, loop, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    intake_destroy(&intake);
    ipc_channel_destroy(&qmgr);
    loop_destroy(&loop);
    return 0;
}

static void begin_one(void *argument)
{
    struct intake_message message;
    struct outcome outcome;
    (void)argument;
    if (intake_begin(&intake, &message, clock_deadline_after(PATIENCE_MS), &outcome)) {
        begun_count++;
        (void)task_sleep(20); /* all hold theirs at once */
        intake_abandon(&message);
    }
    if (++over_count == WAITERS)
        loop_stop(loop);
}

static void test_each_waiter_gets_a_grant(void **state)
{
    (void)state;
    for (size_t i = 0; i < WAITERS; i++)
        assert_non_null(task_start(loop, "waiter", begin_one, NULL));
    task_run_ready(loop); /* they wait before there is a qmgr */
    attach();
    loop_run(loop);
    assert_int_equal(begun_count, WAITERS);
}

static void hold_over_a_restart(void *argument)
{
    struct intake_message message;
    struct outcome outcome;
    (void)argument;
    assert_true(intake_begin(&intake, &message, clock_deadline_after(PATIENCE_MS), &outcome));
    attach();
    assert_true(intake_begin(&intake, argument, clock_deadline_after(PATIENCE_MS), &outcome));
    const uint32_t taken_count = intake.taken_count;
    intake_abandon(&message); /* an id of the qmgr before: tells nobody, counts for nothing */
    assert_int_equal(intake.taken_count, taken_count);
    intake_abandon(argument);
    loop_stop(loop);
}

static void test_an_id_of_an_earlier_qmgr(void **state)
{
    struct intake_message second;
    (void)state;
    attach();
    assert_non_null(task_start(loop, "holder", hold_over_a_restart, &second));
    loop_run(loop);
}

struct commit {
    struct outcome outcome;
    struct arena arena;
};

static void commit_one(void *argument)
{
    struct commit *commit = argument;
    struct intake_message message;
    const struct queue_envelope envelope = {.arrival_us = 1, .reverse_path = SPAN("s@example.org")};
    const struct queue_recipient recipient = {.forward_path = SPAN("r@example.org")};
    assert_true(
        intake_begin(&intake, &message, clock_deadline_after(PATIENCE_MS), &commit->outcome));
    assert_true(intake_add_recipient(&message, &recipient));
    commit->outcome = intake_commit(&message, &envelope, SPAN("Subject: x\r\n\r\n"), &commit->arena,
                                    clock_deadline_after(PATIENCE_MS));
    loop_stop(loop);
}

static void run_commit(struct commit *commit)
{
    arena_init(&commit->arena, 1 << 20, 0);
    attach();
    assert_non_null(task_start(loop, "committer", commit_one, commit));
    loop_run(loop);
    arena_destroy(&commit->arena);
}

static void test_a_commit_is_answered_by_the_qmgr_that_was_asked(void **state)
{
    struct commit commit;
    (void)state;
    is_replaced_at_commit = true;
    is_answered = false;
    run_commit(&commit);
    assert_int_equal(commit.outcome.kind, OUTCOME_OK);
}

static void close_qmgr(void *context)
{
    (void)context;
    ipc_channel_destroy(&qmgr);
}

static void test_a_qmgr_that_dies_has_accepted_nothing(void **state)
{
    struct commit commit;
    struct loop_timer timer;
    (void)state;
    is_replaced_at_commit = is_answered = false;
    loop_timer_init(&timer, loop, close_qmgr, NULL);
    loop_timer_set(&timer, clock_deadline_after(50));
    run_commit(&commit);
    loop_timer_release(&timer);
    assert_int_equal(commit.outcome.kind, OUTCOME_TEMPORARY);
}

static void replace_qmgr(void *context)
{
    const struct ipc_queue_state ready = {.outcome = outcome_ok(), .available_bytes = 1 << 20};
    (void)context;
    is_answered = true;
    attach();
    assert_true(ipc_channel_send(qmgr, IPC_QUEUE_STATE, &ready));
}

/* Asked for a commit and gone without an answer: the next one may have found the message. */
static void test_the_next_qmgr_goes_on(void **state)
{
    (void)state;
    for (int is_known = 0; is_known < 2; is_known++) {
        struct commit commit;
        struct loop_timer timer;
        is_replaced_at_commit = is_answered = false;
        is_claim_known = is_known;
        claim_count = 0;
        loop_timer_init(&timer, loop, replace_qmgr, NULL);
        loop_timer_set(&timer, clock_deadline_after(50));
        run_commit(&commit);
        loop_timer_release(&timer);
        assert_int_equal(commit.outcome.kind, OUTCOME_OK);
        assert_int_equal(claim_count, 1);
    }
}

static void begin_replace_and_commit(void *argument)
{
    struct commit *commit = argument;
    struct intake_message message;
    const struct queue_envelope envelope = {.arrival_us = 1, .reverse_path = SPAN("s@example.org")};
    const struct queue_recipient recipient = {.forward_path = SPAN("r@example.org")};
    assert_true(
        intake_begin(&intake, &message, clock_deadline_after(PATIENCE_MS), &commit->outcome));
    assert_true(intake_add_recipient(&message, &recipient));
    replace_qmgr(NULL);
    commit->outcome = intake_commit(&message, &envelope, SPAN("Subject: x\r\n\r\n"), &commit->arena,
                                    clock_deadline_after(PATIENCE_MS));
    loop_stop(loop);
}

/* Nobody was asked for this one: if the id is in the queue, that is another message. */
static void test_a_known_id_that_was_not_committed(void **state)
{
    struct commit commit;
    (void)state;
    for (int is_known = 0; is_known < 2; is_known++) {
        arena_init(&commit.arena, 1 << 20, 0);
        is_claim_known = is_known;
        attach();
        assert_non_null(task_start(loop, "committer", begin_replace_and_commit, &commit));
        loop_run(loop);
        arena_destroy(&commit.arena);
        assert_int_equal(commit.outcome.kind, is_known ? OUTCOME_TEMPORARY : OUTCOME_OK);
    }
}

enum { MEMBERS = 6000, MEMBERS_BEFORE = 3500 };

static void begin_large_and_replace(void *argument)
{
    struct commit *commit = argument;
    struct intake_message message;
    const struct queue_envelope envelope = {.arrival_us = 1, .reverse_path = SPAN("s@example.org")};
    assert_true(
        intake_begin(&intake, &message, clock_deadline_after(PATIENCE_MS), &commit->outcome));
    for (size_t i = 0; i < MEMBERS; i++) {
        char address[64];
        (void)snprintf(address, sizeof(address), "%zu@member.example", i);
        const struct queue_recipient recipient = {.forward_path = span_from_string(address)};
        assert_true(intake_add_recipient(&message, &recipient));
        if (i == MEMBERS_BEFORE)
            replace_qmgr(NULL);
        if (i % 1000 == 0)
            task_yield();
    }
    commit->outcome = intake_commit(&message, &envelope, SPAN("Subject: x\r\n\r\n"), &commit->arena,
                                    clock_deadline_after(PATIENCE_MS));
    loop_stop(loop);
}

/* More recipients than one message tells of went ahead, to a qmgr that is gone. */
static void test_the_next_qmgr_hears_of_all_recipients(void **state)
{
    struct commit commit;
    (void)state;
    arena_init(&commit.arena, 1 << 20, 0);
    is_claim_known = false;
    attach();
    assert_non_null(task_start(loop, "committer", begin_large_and_replace, &commit));
    loop_run(loop);
    arena_destroy(&commit.arena);
    assert_int_equal(commit.outcome.kind, OUTCOME_OK);
    assert_int_equal(member_count, MEMBERS);
}

static void say_state(struct outcome outcome)
{
    const struct ipc_queue_state message = {.outcome = outcome, .available_bytes = 1 << 20};
    assert_true(ipc_channel_send(qmgr, IPC_QUEUE_STATE, &message));
}

/* A session that was refused may say why after others have been told that all is well again. */
static void hold_a_refusal(void *argument)
{
    static const char *const later[] = {"Ok", "one", "two", "three", "four", "five"};
    (void)argument;
    say_state(outcome_temporary(452, 3, 1, "Insufficient system storage"));
    const struct outcome refusal =
        intake_wait_for_state(&intake, clock_deadline_after(PATIENCE_MS));
    for (size_t i = 0; i < sizeof(later) / sizeof(*later); i++) {
        const uint64_t before = intake.available_bytes;
        intake.available_bytes = 0;
        say_state(outcome_temporary(451, 3, 0, later[i]));
        while (intake.available_bytes != before)
            (void)task_sleep(1);
        assert_true(span_equals(refusal.reason, SPAN("Insufficient system storage")));
    }
    assert_true(
        span_equals(intake.state.reason, SPAN("Error: queue file write error"))); /* too many */
    loop_stop(loop);
}

static void test_the_reason_of_a_refusal_stays(void **state)
{
    (void)state;
    attach();
    assert_non_null(task_start(loop, "refused", hold_a_refusal, NULL));
    loop_run(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_waiter_gets_a_grant, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_id_of_an_earlier_qmgr, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_commit_is_answered_by_the_qmgr_that_was_asked,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_qmgr_that_dies_has_accepted_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_next_qmgr_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_next_qmgr_hears_of_all_recipients, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_reason_of_a_refusal_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_known_id_that_was_not_committed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
