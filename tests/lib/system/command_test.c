/* tests/lib/system/command - programs as they run, and what their end means for a message. */
#include "../../test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "system/command.h"

enum { ARENA_BYTES = 1 << 20, LONG_MS = 60000, SHORT_MS = 300, LARGE_BYTES = 1 << 20 };

static int feed_text(void *context, int descriptor)
{
    const char *text = context;
    return write(descriptor, text, strlen(text)) < 0 && errno != EPIPE ? errno : 0;
}

static int feed_much(void *context, int descriptor)
{
    static char piece[4096];
    (void)context;
    for (size_t done = 0; done < LARGE_BYTES; done += sizeof(piece))
        if (write(descriptor, piece, sizeof(piece)) < 0)
            return errno == EPIPE ? 0 : errno;
    return 0;
}

static int feed_fails(void *context, int descriptor)
{
    (void)context;
    (void)descriptor;
    return ENOMEM;
}

static struct outcome run(const char *text, int64_t limit_ms, int (*feed)(void *, int),
                          struct command_result *result, struct arena *arena)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "WHO=nobody", NULL};
    static char message[] = "Subject: x\n\nbody\n";
    const struct command command = {
        .text = span_from_string(text),
        .arguments = command_split(span_from_string(text), span_empty(), arena),
        .environment = environment,
        .directory = "/",
        .time_limit_ms = limit_ms,
        .feed = feed,
        .feed_context = message,
    };
    assert_non_null(command.arguments);
    command_run(&command, result);
    return command_outcome(&command, result, arena);
}

static void ends_mean_what_they_say(void **state)
{
    static const struct {
        const char *text;
        const char *reason; /* NULL: not compared */
        enum outcome_kind kind;
        uint16_t subject, detail;
    } rows[] = {
        {"cat", "Subject: x  body", OUTCOME_OK, 0, 0},
        {"true", "", OUTCOME_OK, 0, 0},
        {"echo $WHO; exit 0", "nobody", OUTCOME_OK, 0, 0},
        {"pwd", "/", OUTCOME_OK, 0, 0},
        {"exit 75", "temporary failure", OUTCOME_TEMPORARY, 3, 0},
        {"echo later; exit 75", "temporary failure. Command output: later", OUTCOME_TEMPORARY, 3,
         0},
        {"exit 67", "user unknown", OUTCOME_PERMANENT, 1, 1},
        {"exit 77", "permission denied", OUTCOME_PERMANENT, 7, 0},
        {"exit 1", "Command died with status 1: \"exit 1\"", OUTCOME_PERMANENT, 3, 0},
        {"false", "Command died with status 1: \"false\"", OUTCOME_PERMANENT, 3, 0},
        {"echo 4.2.2 full; exit 1", "full", OUTCOME_TEMPORARY, 2, 2},
        {"echo 5.7.1 not you; exit 75", "not you", OUTCOME_PERMANENT, 7, 1},
        {"echo 2.0.0 fine; exit 1",
         "Command died with status 1: \"echo 2.0.0 fine; exit 1\". Command output: 2.0.0 fine",
         OUTCOME_PERMANENT, 3, 0},
        {"kill -9 $$", "Command died with signal 9: \"kill -9 $$\"", OUTCOME_TEMPORARY, 3, 0},
        {"/no/such/program", NULL, OUTCOME_TEMPORARY, 3, 0},
        {"no-such-program", NULL, OUTCOME_PERMANENT, 3, 0}, /* the shell's 127 */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct command_result result;
        arena_init(&arena, ARENA_BYTES, 0);
        const struct outcome outcome = run(rows[i].text, LONG_MS, feed_text, &result, &arena);
        if (outcome.kind != rows[i].kind || outcome.status.subject != rows[i].subject ||
            outcome.status.detail != rows[i].detail)
            fail_msg("%s: %d %d.%d.%d %.*s", rows[i].text, (int)outcome.kind, outcome.status.class,
                     outcome.status.subject, outcome.status.detail, SPAN_PRINTF(outcome.reason));
        if (rows[i].reason)
            assert_span_is(rows[i].text, outcome.reason, rows[i].reason);
        arena_destroy(&arena);
    }
}

static void a_hung_program_is_killed_with_its_children(void **state)
{
    struct arena arena;
    struct command_result result;
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    const struct outcome outcome =
        run("sleep 1000 & echo $!; wait", SHORT_MS, feed_text, &result, &arena);
    assert_int_equal(result.end, COMMAND_TIMED_OUT);
    assert_int_equal(outcome.kind, OUTCOME_TEMPORARY);
    char number[16] = "";
    memcpy(number, result.output, result.output_length < 15 ? result.output_length : 15);
    const long child = strtol(number, NULL, 10);
    assert_true(child > 1);
    int tries = 0; /* the orphan is somebody else's to reap */
    for (; tries < 500 && kill((pid_t)child, 0) == 0; tries++) {
        char path[64], stat[256] = "";
        (void)snprintf(path, sizeof(path), "/proc/%ld/stat", child);
        FILE *file = fopen(path, "r");
        if (!file || !fgets(stat, sizeof(stat), file) || strstr(stat, ") Z "))
            tries = 1000;
        if (file)
            assert_int_equal(fclose(file), 0);
        (void)usleep(10000);
    }
    assert_int_not_equal(tries, 500);
    arena_destroy(&arena);
}

static void what_it_leaves_in_the_background_holds_nobody_up(void **state)
{
    struct arena arena;
    struct command_result result;
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    const struct outcome outcome = run("sleep 3 & echo done", LONG_MS, feed_text, &result, &arena);
    assert_int_equal(outcome.kind, OUTCOME_OK);
    assert_span_is("output", outcome.reason, "done");
    arena_destroy(&arena);
}

static void input_that_is_not_wanted_or_cannot_be_had(void **state)
{
    struct arena arena;
    struct command_result result;
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    assert_int_equal(run("true", LONG_MS, feed_much, &result, &arena).kind, OUTCOME_OK);
    assert_int_equal(run("wc -c", LONG_MS, feed_much, &result, &arena).kind, OUTCOME_OK);
    assert_span_is("wc", span_of(result.output, result.output_length), "1048576");
    /* Whatever the program makes of half a message, or would: it never sees the end of it. */
    static const char *const readers[] = {"cat", "cat >/dev/null; exit 65",
                                          "cat; echo 5.1.1 no; exit 67"};
    for (size_t i = 0; i < ARRAY_LENGTH(readers); i++) {
        assert_int_equal(run(readers[i], LONG_MS, feed_fails, &result, &arena).kind,
                         OUTCOME_TEMPORARY);
        assert_int_equal(result.feed_error, ENOMEM);
        assert_int_equal(result.end, COMMAND_SIGNALLED);
    }
    assert_int_equal(run("cat", LONG_MS, NULL, &result, &arena).kind, OUTCOME_OK);
    arena_destroy(&arena);
}

static void output_is_bounded_and_clean(void **state)
{
    struct arena arena;
    struct command_result result;
    (void)state;
    arena_init(&arena, ARENA_BYTES, 0);
    (void)run("yes x | head -c 100000; printf '\\033[31m'", LONG_MS, NULL, &result, &arena);
    assert_int_equal(result.end, COMMAND_EXITED);
    assert_true(result.output_length <= COMMAND_OUTPUT_MAX_BYTES && result.output_length > 1000);
    for (size_t i = 0; i < result.output_length; i++)
        assert_true(result.output[i] == 'x' || result.output[i] == ' ');
    arena_destroy(&arena);
}

static void descriptors_do_not_leak(void **state)
{
    struct arena arena;
    struct command_result result;
    (void)state;
    const int secret = dup(STDIN_FILENO); /* not close-on-exec */
    assert_true(secret > 2);
    arena_init(&arena, ARENA_BYTES, 0);
    (void)run("ls /proc/self/fd | tr '\\n' ' '", LONG_MS, NULL, &result, &arena);
    /* ls has the directory that it lists open as 3. */
    assert_span_is("descriptors", span_of(result.output, result.output_length), "0 1 2 3");
    assert_int_equal(close(secret), 0);
    arena_destroy(&arena);
}

static void words_and_shells(void **state)
{
    static const struct {
        const char *text, *shell, *words[5];
    } rows[] = {
        {"/bin/x  -a\tb", "", {"/bin/x", "-a", "b", NULL}},
        {"x 'a b'", "", {"/bin/sh", "-c", "x 'a b'", NULL}},
        {"x >y", "", {"/bin/sh", "-c", "x >y", NULL}},
        {"x y", "", {"/bin/sh", "-c", "x y", NULL}},
        {"x y", "/bin/smrsh -c", {"/bin/smrsh", "-c", "x y", NULL}},
        {"", "", {NULL}},
        {"  ", "/bin/sh -c", {NULL}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        arena_init(&arena, ARENA_BYTES, 0);
        const char *const *words =
            command_split(span_from_string(rows[i].text), span_from_string(rows[i].shell), &arena);
        if (!rows[i].words[0]) {
            assert_null(words);
        } else {
            size_t j = 0;
            assert_non_null(words);
            for (; rows[i].words[j]; j++)
                assert_string_equal(words[j], rows[i].words[j]);
            assert_null(words[j]);
        }
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_mean_what_they_say),
        cmocka_unit_test(a_hung_program_is_killed_with_its_children),
        cmocka_unit_test(what_it_leaves_in_the_background_holds_nobody_up),
        cmocka_unit_test(input_that_is_not_wanted_or_cannot_be_had),
        cmocka_unit_test(output_is_bounded_and_clean),
        cmocka_unit_test(descriptors_do_not_leak),
        cmocka_unit_test(words_and_shells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
