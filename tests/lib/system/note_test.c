/* tests/lib/system/note - what a process noted, read by somebody who does not trust it. */
#include "config.h"

#include "../../test.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "system/file.h"
#include "system/note.h"

static void test_reading(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t broken_line;
        char lines[2][NOTE_BYTES];
        const char *text;
    } rows[] = {
        {"nothing", 0, {"", ""}, ""},
        {"the loop", 0, {"one", "two"}, "one"},
        {"the thread that broke down", 2, {"one", "two"}, "two"},
        {"no such line", NOTE_LINES + 1, {"one", "two"}, "one"},
        {"a wild number", UINT32_MAX, {"one", "two"}, "one"},
        {"not a text", 0, {"on\ne", ""}, ""},
        {"not ASCII", 0, {"on\xc3\xa9", ""}, ""},
    };
    struct note_page *page = NULL;
    const int descriptor = note_page_create(&page);
    assert_true(descriptor >= 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[NOTE_BYTES];
        memset(page, 0, sizeof(*page));
        page->broken_line = rows[i].broken_line;
        memcpy(page->lines, rows[i].lines, sizeof(rows[i].lines));
        const struct span read = note_page_read(page, text);
        if (!span_equals(read, span_from_string(rows[i].text)))
            fail_msg("%s: \"%.*s\"", rows[i].name, SPAN_PRINTF(read));
    }
    char text[NOTE_BYTES];
    memset(page->lines[0], 'x', NOTE_BYTES); /* without an end */
    page->broken_line = 0;
    assert_int_equal(note_page_read(page, text).length, 0);
    /* The child cannot make reading it our end. */
    assert_int_equal(ftruncate(descriptor, 0), -1);
    note_page_destroy(&page);
    file_close(descriptor);
}

/* A worker may be somebody else by now: nothing that it does shows in its parent's page. */
static void test_children(void **state)
{
    (void)state;
    struct note_page *page = NULL;
    const int descriptor = note_page_create(&page);
    char text[NOTE_BYTES];
    int status = 0;
    assert_true(descriptor >= 0);
    const pid_t pid = fork();
    if (pid == 0) {
        note_attach(descriptor);
        note_set(SPAN("the parent's work"));
        const pid_t child = fork();
        if (child == 0) {
            note_detach();
            note_set(SPAN("the child's work"));
            note_clear();
            abort();
        }
        _exit(waitpid(child, &status, 0) == child && WIFSIGNALED(status) ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(page->broken_line, 0);
    assert_true(span_equals(note_page_read(page, text), SPAN("the parent's work")));
    note_page_destroy(&page);
    file_close(descriptor);
}

#ifndef POSTHOUSE_SANITIZERS
static int *volatile nowhere; /* where it leads the compiler cannot see */

static void test_breakdown(void **state)
{
    (void)state;
    static const int numbers[] = {SIGSEGV, SIGABRT};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        struct note_page *page = NULL;
        const int descriptor = note_page_create(&page);
        char text[NOTE_BYTES];
        int status = 0;
        assert_true(descriptor >= 0);
        const pid_t pid = fork();
        if (pid == 0) {
            note_attach(descriptor);
            note_set(SPAN("before"));
            note_clear();
            note_set(SPAN("the last work"));
            if (numbers[i] == SIGABRT)
                abort();
            *nowhere = 0;
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_int_equal(page->broken_line, 1);
        assert_true(span_equals(note_page_read(page, text), SPAN("the last work")));
        note_page_destroy(&page);
        file_close(descriptor);
    }
}
#endif

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_children),
#ifndef POSTHOUSE_SANITIZERS
        cmocka_unit_test(test_breakdown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
