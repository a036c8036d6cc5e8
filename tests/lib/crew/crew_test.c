/* tests/lib/crew - workers that answer, die, hang and are too few, asked as a dispatcher does. The
 * nursery and its workers are real, in their sandbox. */
#include "../../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "crew/crew.h"
#include "crew/nursery.h"
#include "system/task.h"

enum { NOBODY = 65534, SUBJECTS = 2, ARENA_BYTES = 65536, REPORTS_MAX_BYTES = 4096 };

static struct loop *loop;
static struct crew crew;
static struct buffer reports;
static size_t tasks_left, tasks_ended;
static bool is_nursery_gone;

/* ---- workers that do what the key says ---- */

static void answer(void *context, struct ipc_channel *channel, const struct ipc_delivery *delivery)
{
    const struct ipc_table_lookup *question = delivery->message;
    struct ipc_table_lookup_reply reply = {.status = (uint32_t)getpid(), .value = question->key};
    (void)context;
    if (span_equals(question->key, SPAN("die")))
        _exit(EXIT_FAILURE);
    while (span_equals(question->key, SPAN("hang")))
        (void)pause();
    if (span_equals(question->key, SPAN("open")))
        reply.value = open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 ? SPAN("no") : SPAN("yes");
    (void)ipc_channel_reply(channel, delivery->id, IPC_TABLE_LOOKUP_REPLY, &reply);
}

static bool warm_up(struct nursery_plan *plan)
{
    nursery_warm_up_name_service();
    return plan->context == &crew; /* as it was given */
}

static int start_nursery(int64_t limit_ms)
{
    static const struct ipc_permission questions[] = {
        {IPC_TABLE_LOOKUP, IPC_ROLE_BIT(IPC_ROLE_ADDRD)}, {0, 0}};
    const struct nursery_plan plan = {.program = "test",
                                      .dispatcher = IPC_ROLE_ADDRD,
                                      .questions = questions,
                                      .promises = SANDBOX_RECEIVE_FDS | SANDBOX_READ_FILES |
                                                  SANDBOX_THREADS,
                                      .uid = geteuid() == 0 ? NOBODY : SANDBOX_SAME_USER,
                                      .gid = geteuid() == 0 ? NOBODY : SANDBOX_SAME_GROUP,
                                      .limit_ms = limit_ms,
                                      .warm_up = warm_up,
                                      .answer = answer,
                                      .context = &crew};
    const int descriptor = nursery_start(&plan);
    assert_true(descriptor >= 0);
    return descriptor;
}

/* ---- the crew ---- */

static void report(void *context, const char *text)
{
    assert_ptr_equal(context, &crew);
    buffer_append_string(&reports, text);
    buffer_append_byte(&reports, '\n');
}

static void on_nursery_gone(void *context)
{
    assert_ptr_equal(context, &crew);
    is_nursery_gone = true;
    loop_stop(loop);
}

static void start_crew(struct crew_settings settings)
{
    settings.nursery = start_nursery(settings.timeout_ms);
    settings.subject_count = SUBJECTS;
    settings.report = report;
    settings.on_nursery_gone = on_nursery_gone;
    settings.context = &crew;
    loop = loop_create();
    assert_non_null(loop);
    buffer_init(&reports, NULL, REPORTS_MAX_BYTES);
    is_nursery_gone = false;
    assert_true(crew_start(&crew, loop, &settings));
}

static void stop_crew(void)
{
    crew_stop(&crew);
    loop_destroy(&loop);
    buffer_release(&reports);
}

struct question {
    const char *key;
    size_t subject;
    uint32_t asker;
    enum ipc_call_result result;
    const char *reason;
    char value[16];
    uint32_t worker; /* its process */
    size_t place;    /* how many had their answer when it came */
};

static void ask(void *argument)
{
    struct question *question = argument;
    const struct ipc_table_lookup message = {.table = 0, .key = span_from_string(question->key)};
    struct ipc_table_lookup_reply reply = {.status = 0};
    struct arena arena;

    arena_init(&arena, ARENA_BYTES, 0);
    question->result =
        crew_ask(&crew, question->subject, question->asker, IPC_TABLE_LOOKUP, &message,
                 IPC_TABLE_LOOKUP_REPLY, &reply, &arena, &question->reason);
    if (question->result == IPC_CALL_OK)
        (void)snprintf(question->value, sizeof(question->value), "%.*s", SPAN_PRINTF(reply.value));
    question->worker = reply.status;
    question->place = tasks_ended++;
    arena_destroy(&arena);
    if (--tasks_left == 0)
        loop_stop(loop);
}

/* All at once, in that order. */
static void ask_all(struct question *questions, size_t count)
{
    tasks_left = count;
    tasks_ended = 0;
    for (size_t i = 0; i < count; i++)
        assert_non_null(task_start(loop, "test", ask, &questions[i]));
    loop_run(loop);
}

static void ask_again(struct question *question)
{
    ask_all(question, 1);
}

static size_t count_workers(const struct question *questions, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_new = true;
        for (size_t j = 0; j < i; j++)
            is_new = is_new && questions[j].worker != questions[i].worker;
        different += is_new;
    }
    return different;
}

static bool has_reported(const char *text)
{
    return span_find(buffer_span(&reports), span_from_string(text)) < reports.length;
}

/* ---- tests ---- */

enum { MANY = 100, LONG_MS = 60 * 1000, SHORT_MS = 2000 };

static void test_answers(void **state)
{
    static struct question questions[MANY];
    (void)state;
    start_crew((struct crew_settings){
        .worker_count = 3, .starts_all = true, .waiting_max = 2 * MANY, .timeout_ms = LONG_MS});
    for (size_t i = 0; i < MANY; i++)
        questions[i] = (struct question){.key = "x", .subject = i % SUBJECTS};
    ask_all(questions, MANY);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(questions[i].result, IPC_CALL_OK);
        assert_string_equal(questions[i].value, "x");
    }
    assert_true(count_workers(questions, MANY) <= 3);
    assert_int_equal(reports.length, 0);
    stop_crew();
}

/* Who asks one thing after the other needs one worker, and it stays the same. */
static void test_workers_are_made_when_needed(void **state)
{
    struct question questions[] = {{.key = "a"}, {.key = "b"}, {.key = "c"}};
    (void)state;
    start_crew((struct crew_settings){.worker_count = 8, .waiting_max = 9, .timeout_ms = LONG_MS});
    for (size_t i = 0; i < ARRAY_LENGTH(questions); i++)
        ask_again(&questions[i]);
    assert_string_equal(questions[2].value, "c");
    assert_int_equal(count_workers(questions, ARRAY_LENGTH(questions)), 1);
    stop_crew();
}

/* Workers may open what the plan names, which is nothing, where Landlock is there. */
static void test_sandbox(void **state)
{
    struct question question = {.key = "open"};
    (void)state;
    start_crew((struct crew_settings){.worker_count = 1, .waiting_max = 9, .timeout_ms = LONG_MS});
    ask_again(&question);
    assert_string_equal(question.value, sandbox_landlock_version() > 0 ? "no" : "yes");
    stop_crew();
}

/* What kills two workers has failed, and those behind it are answered by their successors. */
static void test_dying_workers(void **state)
{
    struct question questions[] = {{.key = "die"}, {.key = "x"}};
    (void)state;
    start_crew((struct crew_settings){
        .worker_count = 1, .starts_all = true, .waiting_max = 9, .timeout_ms = LONG_MS});
    ask_all(questions, ARRAY_LENGTH(questions));
    assert_int_equal(questions[0].result, IPC_CALL_CLOSED);
    assert_string_equal(questions[0].reason, "the worker that was asked has ended");
    assert_int_equal(questions[1].result, IPC_CALL_OK);
    assert_string_equal(questions[1].value, "x");
    assert_true(has_reported("a worker has ended; another takes its place\n"));
    stop_crew();
}

/* One that hangs is replaced, and nobody else waits for it. */
static void test_hanging_workers(void **state)
{
    struct question questions[] = {
        {.key = "x"}, {.key = "hang"}, {.key = "hang"}, {.key = "hang"}, {.key = "y", .subject = 1},
    };
    struct question later = {.key = "z"};
    (void)state;
    start_crew((struct crew_settings){.worker_count = 2,
                                      .leaves_one = true,
                                      .starts_all = true,
                                      .waiting_max = 9,
                                      .timeout_ms = SHORT_MS});
    ask_all(questions, ARRAY_LENGTH(questions));
    for (size_t i = 1; i <= 3; i++) {
        assert_int_equal(questions[i].result, IPC_CALL_TIMED_OUT);
        assert_string_equal(questions[i].reason, "no answer in time");
    }
    assert_int_equal(questions[4].result, IPC_CALL_OK);
    assert_string_equal(questions[4].value, "y");
    assert_true(has_reported("a worker does not answer; another takes its place\n"));
    ask_again(&later);
    assert_string_equal(later.value, "z");
    stop_crew();
}

static void test_too_many_wait(void **state)
{
    struct question questions[] = {{.key = "hang"}, {.key = "hang"}, {.key = "x"}, {.key = "x"}};
    (void)state;
    start_crew((struct crew_settings){
        .worker_count = 1, .starts_all = true, .waiting_max = 3, .timeout_ms = SHORT_MS});
    ask_all(questions, ARRAY_LENGTH(questions));
    for (size_t i = 2; i < ARRAY_LENGTH(questions); i++) {
        assert_int_equal(questions[i].result, IPC_CALL_TIMED_OUT);
        assert_string_equal(questions[i].reason, "too many questions are waiting");
    }
    stop_crew();
}

/* One asker with many questions has a worker in turns with others, however few there are. */
static void test_askers_take_turns(void **state)
{
    static struct question questions[MANY];
    (void)state;
    start_crew((struct crew_settings){
        .worker_count = 1, .starts_all = true, .waiting_max = 4 * MANY, .timeout_ms = LONG_MS});
    for (size_t i = 0; i < MANY; i++)
        questions[i] =
            (struct question){.key = "x", .asker = i < MANY - 4 ? 7 : 8 + (uint32_t)i % 2};
    ask_all(questions, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(questions[i].result, IPC_CALL_OK);
    for (size_t i = MANY - 4; i < MANY; i++)
        assert_true(questions[i].place < 10);
    assert_int_equal(questions[MANY - 5].place, MANY - 1); /* its own keep their order */
    stop_crew();
}

/* And there is room for the next. */
static void test_one_asker_does_not_fill_the_line(void **state)
{
    struct question questions[] = {
        {.key = "x", .asker = 7}, {.key = "x", .asker = 7}, {.key = "x", .asker = 7},
        {.key = "x", .asker = 7}, {.key = "x", .asker = 8},
    };
    (void)state;
    start_crew((struct crew_settings){
        .worker_count = 1, .starts_all = true, .waiting_max = 4, .timeout_ms = LONG_MS});
    ask_all(questions, ARRAY_LENGTH(questions));
    assert_int_equal(questions[0].result, IPC_CALL_OK);
    assert_int_equal(questions[1].result, IPC_CALL_OK);
    assert_string_equal(questions[2].reason, "too many questions are waiting");
    assert_string_equal(questions[3].reason, "too many questions are waiting");
    assert_int_equal(questions[4].result, IPC_CALL_OK);
    stop_crew();
}

/* A message that nobody may send ends the nursery, and its dispatcher hears of it. */
static void test_nursery_ends(void **state)
{
    static const struct ipc_table_lookup message = {.key = SPAN_LITERAL("x")};
    (void)state;
    start_crew((struct crew_settings){.worker_count = 1, .waiting_max = 9, .timeout_ms = LONG_MS});
    (void)ipc_channel_send(crew.nursery, IPC_TABLE_LOOKUP, &message);
    loop_run(loop);
    assert_true(is_nursery_gone);
    stop_crew();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_workers_are_made_when_needed),
        cmocka_unit_test(test_sandbox),
        cmocka_unit_test(test_dying_workers),
        cmocka_unit_test(test_hanging_workers),
        cmocka_unit_test(test_too_many_wait),
        cmocka_unit_test(test_askers_take_turns),
        cmocka_unit_test(test_one_asker_does_not_fill_the_line),
        cmocka_unit_test(test_nursery_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
