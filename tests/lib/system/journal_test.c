/* tests/lib/system/journal - lines in two files: what a new process finds, also after a crash at
 * any byte. */
#include "../../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/file.h"
#include "system/journal.h"

enum { FILE_MAX_BYTES = 1 << 20 };

struct place {
    char path[64];
    int directory;
};

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    (void)snprintf(place->path, sizeof(place->path), "/tmp/posthouse-journal-XXXXXX");
    assert_non_null(mkdtemp(place->path));
    place->directory = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(place->directory >= 0);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    (void)unlinkat(place->directory, "lines.0", 0);
    (void)unlinkat(place->directory, "lines.1", 0);
    file_close(place->directory);
    const int result = rmdir(place->path);
    free(place);
    return result;
}

static void close_journal(struct journal *journal)
{
    file_close(journal->descriptors[0]);
    file_close(journal->descriptors[1]);
}

static void take(void *context, struct span line)
{
    buffer_append_span(context, line);
    buffer_append_byte(context, '|');
}

static void assert_loads(const struct place *place, bool is_hasty, const char *expected)
{
    struct journal journal;
    struct buffer lines;
    buffer_init(&lines, NULL, FILE_MAX_BYTES);
    assert_int_equal(journal_open(&journal, place->directory, "lines"), 0);
    journal.is_hasty = is_hasty;
    journal_load(&journal, FILE_MAX_BYTES, take, &lines);
    assert_span_is("lines", buffer_span(&lines), expected);
    buffer_release(&lines);
    close_journal(&journal);
}

static void assert_holds(const struct place *place, const char *expected)
{
    assert_loads(place, false, expected);
}

struct source {
    const char *const *lines;
    size_t left;
};

static bool next(void *context, struct buffer *lines)
{
    struct source *source = context;
    if (source->left == 0)
        return false;
    source->left--;
    buffer_append_string(lines, *source->lines++);
    return true;
}

static bool never(void *context, struct buffer *lines)
{
    (void)context;
    lines->has_failed = true;
    return false;
}

static void open_loaded(const struct place *place, struct journal *journal)
{
    struct buffer ignored;
    buffer_init(&ignored, NULL, FILE_MAX_BYTES);
    assert_int_equal(journal_open(journal, place->directory, "lines"), 0);
    journal_load(journal, FILE_MAX_BYTES, take, &ignored);
    buffer_release(&ignored);
}

static void rewrite(struct journal *journal, const char *const *lines, size_t count)
{
    struct source source = {lines, count};
    assert_int_equal(journal_rewrite(journal, next, &source), 0);
}

static void test_life(void **state)
{
    static const char *const first[] = {"one\n", "two\n"}, *const second[] = {"three\n"};
    struct journal journal;
    open_loaded(*state, &journal);
    assert_true(journal_is_due(&journal, 0)); /* nothing is there yet */
    rewrite(&journal, first, 2);
    assert_false(journal_is_due(&journal, 8));
    assert_holds(*state, "one|two|");
    assert_int_equal(journal_append(&journal, SPAN("more\nand more\n")), 0);
    assert_holds(*state, "one|two|more|and more|");
    rewrite(&journal, second, 1);
    assert_holds(*state, "three|");
    assert_int_equal(journal_append(&journal, SPAN("four\n")), 0);
    assert_holds(*state, "three|four|");
    close_journal(&journal);
    open_loaded(*state, &journal);
    assert_int_equal(journal_append(&journal, SPAN("five\n")), 0);
    assert_holds(*state, "three|four|five|");
    close_journal(&journal);
}

/* A rewriting that did not come to its end changes nothing. */
static void test_failed_rewriting(void **state)
{
    static const char *const lines[] = {"one\n"};
    struct journal journal;
    open_loaded(*state, &journal);
    rewrite(&journal, lines, 1);
    assert_int_equal(journal_rewrite(&journal, never, NULL), ENOMEM);
    assert_int_equal(journal_append(&journal, SPAN("two\n")), 0);
    assert_holds(*state, "one|two|");
    close_journal(&journal);
}

/* Whatever length a crash leaves the file at: whole lines, and the next one is whole, too. */
static void test_cut_off(void **state)
{
    static const char *const lines[] = {"one\n"};
    static const char *const expected[] = {"more|", "more|", "more|", "more|", "one|more|"};
    for (off_t cut = 0; cut <= 4; cut++) {
        struct journal journal;
        struct stat status;
        open_loaded(*state, &journal);
        rewrite(&journal, lines, 1);
        const int descriptor = journal.descriptors[journal.active];
        assert_int_equal(fstat(descriptor, &status), 0);
        assert_int_equal(ftruncate(descriptor, status.st_size - 4 + cut), 0);
        close_journal(&journal);
        open_loaded(*state, &journal);
        assert_int_equal(journal_append(&journal, SPAN("more\n")), 0);
        assert_holds(*state, expected[cut]);
        close_journal(&journal);
    }
}

/* A power cut has taken a line of what was rewritten without waiting for the disk. */
static void test_haste(void **state)
{
    static const char *const first[] = {"one\n", "two\n"}, *const second[] = {"one!\n", "two!\n"};
    const struct place *place = *state;
    struct journal journal;
    assert_int_equal(journal_open(&journal, place->directory, "lines"), 0);
    journal.is_hasty = true;
    rewrite(&journal, first, 2);
    assert_loads(place, true, "one|two|");
    rewrite(&journal, second, 2);
    assert_loads(place, true, "one|two|one!|two!|");
    assert_int_equal(
        ftruncate(journal.descriptors[journal.active], (off_t)journal.length_bytes - 2), 0);
    assert_loads(place, true, "one|two|one!|");
    close_journal(&journal);
}

static void test_too_large(void **state)
{
    static const char *const lines[] = {"one\n"};
    struct journal journal;
    struct buffer seen;
    open_loaded(*state, &journal);
    rewrite(&journal, lines, 1);
    buffer_init(&seen, NULL, FILE_MAX_BYTES);
    journal_load(&journal, 8, take, &seen);
    assert_int_equal(seen.length, 0);
    assert_true(journal_is_due(&journal, 0));
    buffer_release(&seen);
    close_journal(&journal);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failed_rewriting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_haste, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_large, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
