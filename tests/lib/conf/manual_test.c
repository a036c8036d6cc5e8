/* tests/lib/conf/manual_test - posthouse-main.cf(5) describes every parameter of the catalogue, as
 * the catalogue has it. The list in the manual is between two comment lines; after a change of the
 * catalogue "manual_test --write" in the build directory makes it anew. */
#include "../../test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/ascii.h"
#include "conf/instance.h"
#include "conf/known.h"
#include "system/file.h"

enum {
    PAGE_MAX_BYTES = 1024 * 1024,
    PAGE_WIDTH = 78,
    PAGE_ARENA_BYTES = 8 * 1024 * 1024,
    PATH_BYTES = 1024
};

static const char begin_mark[] = ".\\\" The list is made from the catalogue, see manual_test.\n";
static const char end_mark[] = ".\\\" End of the list.\n";

/* ---- roff ---- */

static void append_escaped(struct buffer *page, struct span text)
{
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '\\')
            buffer_append_string(page, "\\e");
        else
            buffer_append_byte(page, text.bytes[i]);
    }
}

/* Lines of words, a sentence beginning a new one. */
static void append_text(struct buffer *page, struct span text)
{
    struct span word;
    size_t column = 0;
    while (span_next_word(&text, " ", &word)) {
        if (column > 0 && column + 1 + word.length > PAGE_WIDTH) {
            buffer_append_byte(page, '\n');
            column = 0;
        } else if (column > 0) {
            buffer_append_byte(page, ' ');
            column++;
        }
        if (column == 0 && (word.bytes[0] == '.' || word.bytes[0] == '\''))
            buffer_append_string(page, "\\&"); /* no request */
        append_escaped(page, word);
        column += word.length;
        const bool ends_sentence =
            word.bytes[word.length - 1] == '.' && text.length > 1 && ascii_is_upper(text.bytes[1]);
        if (ends_sentence) {
            buffer_append_byte(page, '\n');
            column = 0;
        }
    }
    if (column > 0)
        buffer_append_byte(page, '\n');
}

/* One argument of a macro, never taken for another macro. */
static void append_argument(struct buffer *page, const char *text)
{
    buffer_append_string(page, "\"\\&");
    for (; *text; text++) {
        if (*text == '"')
            buffer_append_byte(page, '"');
        append_escaped(page, span_of(text, 1));
    }
    buffer_append_byte(page, '"');
}

static void append_default(struct buffer *page, const char *before, const char *text)
{
    buffer_append_format(page, "%s\n.Ql ", before);
    append_argument(page, text);
    buffer_append_string(page, " .\n");
}

/* ---- one parameter ---- */

static void append_seconds(struct buffer *text, int64_t seconds)
{
    if (seconds > 0 && seconds % CONF_DAY_S == 0)
        buffer_append_format(text, "%lldd", (long long)(seconds / CONF_DAY_S));
    else
        buffer_append_format(text, "%llds", (long long)seconds);
}

static void append_choices(struct buffer *text, const char *choices)
{
    struct span rest = span_from_string(choices), word;
    const char *before = "";
    while (span_next_word(&rest, "|", &word)) {
        buffer_append_format(text, "%s%.*s", before, SPAN_PRINTF(word));
        before = ", ";
    }
}

static void append_range(struct buffer *text, const struct conf_parameter *parameter,
                         int64_t no_limit)
{
    if (parameter->maximum >= no_limit)
        buffer_append_format(text, ", %lld or more.", (long long)parameter->minimum);
    else
        buffer_append_format(text, " from %lld to %lld.", (long long)parameter->minimum,
                             (long long)parameter->maximum);
}

static const char *name_unit(char letter)
{
    switch (letter) {
    case 'w':
        return "weeks";
    case 'd':
        return "days";
    case 'h':
        return "hours";
    case 'm':
        return "minutes";
    default:
        return "seconds";
    }
}

static void describe_type(struct buffer *text, const struct conf_parameter *parameter)
{
    switch (parameter->type) {
    case CONF_TYPE_TEXT:
        if (parameter->content == CONF_CONTENT_RAW)
            buffer_append_string(text, "A text in which $name is not expanded.");
        else if (parameter->content == CONF_CONTENT_NETWORKS)
            buffer_append_string(text, "A list of networks, files and cidr: tables.");
        else if (parameter->content == CONF_CONTENT_CLIENTS)
            buffer_append_string(text, "A list of names, networks, files and cidr: tables.");
        else if (parameter->content == CONF_CONTENT_TABLES)
            buffer_append_string(text, "A list of tables.");
        else if (parameter->content == CONF_CONTENT_HELD_TABLES)
            buffer_append_string(text, "A list of cidr:, inline:, pcre:, regexp:, static: and "
                                       "texthash: tables.");
        else if (parameter->content == CONF_CONTENT_MATCH_LIST)
            buffer_append_string(text, "A list of names, files and tables.");
        else if (parameter->content == CONF_CONTENT_TEMPLATES)
            buffer_append_string(text, "The path of a file, or nothing.");
        else
            buffer_append_format(text, "A text of %s%lld bytes.",
                                 parameter->minimum > 0 ? "1 to " : "up to ",
                                 (long long)parameter->maximum);
        break;
    case CONF_TYPE_CHOICE:
        buffer_append_string(text, "One of ");
        append_choices(text, parameter->choices);
        buffer_append_byte(text, '.');
        break;
    case CONF_TYPE_WORDS:
        buffer_append_string(text, "Words of ");
        append_choices(text, parameter->choices);
        buffer_append_byte(text, '.');
        break;
    case CONF_TYPE_BOOL:
        buffer_append_string(text, "Yes or no.");
        break;
    case CONF_TYPE_NUMBER:
        buffer_append_string(text, "A number");
        append_range(text, parameter, CONF_NUMBER_MAX);
        break;
    case CONF_TYPE_SIZE:
        buffer_append_string(text, "A number of bytes");
        append_range(text, parameter, INT64_MAX);
        break;
    case CONF_TYPE_TIME:
        buffer_append_string(text, "A time, ");
        append_seconds(text, parameter->minimum);
        if (parameter->maximum >= CONF_TIME_MAX_S) {
            buffer_append_string(text, " or more");
        } else {
            buffer_append_string(text, " to ");
            append_seconds(text, parameter->maximum);
        }
        buffer_append_format(text, "; without a letter in %s.", name_unit(parameter->unit));
        break;
    case CONF_TYPE_FEEDBACK:
        buffer_append_string(text, "A number from 0 to 1, alone or divided by concurrency or "
                                   "sqrt_concurrency.");
        break;
    }
}

/* "smtpd, qmgr": whose settings it belongs to; the commands of the operator are "tools". */
static void describe_users(struct buffer *text, const struct conf_parameter *wanted)
{
    const char *before = " Read by ";
    for (size_t i = 0; i < conf_part_count; i++) {
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[i]->parameters[row];
            if (parameter->family != wanted->family || strcmp(parameter->name, wanted->name) != 0)
                continue;
            buffer_append_format(text, "%s%s", before, conf_parts[i]->name);
            before = ", ";
        }
    }
    buffer_append_byte(text, '.');
}

/* Defaults that building or the machine decides. */
static bool has_default_in_meaning(const struct conf_parameter *parameter)
{
    static const char *const names[] = {"mydomain", "myhostname", "mynetworks"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(parameter->name, names[i]) == 0)
            return true;
    return false;
}

static bool has_built_default(const struct conf_parameter *parameter)
{
    static const char *const names[] = {"command_directory", "config_directory", "daemon_directory",
                                        "data_directory",    "mail_version",     "queue_directory",
                                        "run_directory"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strcmp(parameter->name, names[i]) == 0)
            return true;
    return false;
}

static void append_members(struct buffer *page, const struct conf_parameter *suffix)
{
    for (size_t i = 0; i < conf_part_count; i++) {
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++) {
            const struct conf_parameter *parameter = &conf_parts[i]->parameters[row];
            char before[128];
            if (parameter->family != CONF_FAMILY_MEMBER ||
                strcmp(parameter->name, suffix->name) != 0)
                continue;
            (void)snprintf(before, sizeof(before),
                           "Default of the transport %s:", parameter->transport);
            append_default(page, before, parameter->default_text);
        }
    }
}

static void append_parameter(struct buffer *page, const struct conf_parameter *parameter)
{
    struct buffer text;

    buffer_init(&text, NULL, PAGE_MAX_BYTES);
    buffer_append_format(page, ".It %s%s\n",
                         parameter->family == CONF_FAMILY_SUFFIX ? "Ar transport Ns Va _" : "Va ",
                         parameter->name);
    append_text(page, span_from_string(parameter->meaning));
    describe_type(&text, parameter);
    describe_users(&text, parameter);
    append_text(page, buffer_span(&text));
    if (has_built_default(parameter))
        buffer_append_string(page, "The default was chosen when Posthouse was built.\n");
    else if (!has_default_in_meaning(parameter) && parameter->default_text[0] == '\0')
        buffer_append_string(page, "Empty by default.\n");
    else if (!has_default_in_meaning(parameter))
        append_default(page, "Default:", parameter->default_text);
    append_members(page, parameter);
    buffer_release(&text);
}

/* ---- the page ---- */

static int compare_parameters(const void *left, const void *right)
{
    const struct conf_parameter *const *a = left, *const *b = right;
    const int order = ((*a)->family != CONF_FAMILY_NONE) - ((*b)->family != CONF_FAMILY_NONE);
    return order ? order : strcmp((*a)->name, (*b)->name);
}

static void append_list(struct buffer *page, struct arena *arena)
{
    size_t count = 0, capacity = 0;
    for (size_t i = 0; i < conf_part_count; i++)
        capacity += conf_parts[i]->parameter_count;
    const struct conf_parameter **list = arena_alloc(arena, capacity * sizeof(*list));
    assert_non_null(list);
    for (size_t i = 0; i < conf_part_count; i++)
        for (size_t row = 0; row < conf_parts[i]->parameter_count; row++)
            if (conf_parts[i]->parameters[row].family != CONF_FAMILY_MEMBER)
                list[count++] = &conf_parts[i]->parameters[row];
    qsort(list, count, sizeof(*list), compare_parameters);
    buffer_append_string(page, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_parameters(&list[i - 1], &list[i]) != 0)
            append_parameter(page, list[i]);
    buffer_append_string(page, ".El\n.Ss Parameters that stop a start\n"
                               "These restrict who may send or what is let in, in ways that this "
                               "release does\nnot build.\nSet to anything that would be missed, "
                               "they stop the start:\n.Bd -ragged -offset indent\n");
    const char *before = "";
    for (size_t i = 0; i < conf_known_count; i++) {
        if (!conf_known[i].harmless_words)
            continue;
        buffer_append_format(page, "%s.Va %s", before, conf_known[i].name);
        before = " ,\n";
    }
    buffer_append_string(page, " .\n.Ed\n");
}

static void find_page(char *path)
{
    const char *top = getenv("top_srcdir");
    (void)snprintf(path, PATH_BYTES, "%s/man/posthouse-main.cf.5", top ? top : ".");
}

/* The page with a new list in place of its own. */
static void make_page(struct span old, struct buffer *page, struct arena *arena)
{
    const size_t begin = span_find(old, span_from_string(begin_mark));
    const size_t end = span_find(old, span_from_string(end_mark));
    assert_true(begin < end && end < old.length);
    buffer_append_span(page, span_first(old, begin));
    buffer_append_string(page, begin_mark);
    append_list(page, arena);
    buffer_append_span(page, span_after(old, end));
    assert_true(buffer_ok(page));
}

static void test_manual(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct arena arena;
    struct buffer page;
    struct span old;

    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    buffer_init(&page, NULL, PAGE_MAX_BYTES);
    find_page(path);
    if (file_read_whole(AT_FDCWD, path, PAGE_MAX_BYTES, &arena, &old) != 0)
        fail_msg("%s cannot be read; run this from the top of the source, or set top_srcdir", path);
    make_page(old, &page, &arena);
    if (!span_equals(old, buffer_span(&page)))
        fail_msg("%s does not say what the catalogue says: run manual_test --write", path);
    buffer_release(&page);
    arena_destroy(&arena);
}

static int write_page(void)
{
    char path[PATH_BYTES];
    struct arena arena;
    struct buffer page;
    struct span old;

    arena_init(&arena, PAGE_ARENA_BYTES, 0);
    buffer_init(&page, NULL, PAGE_MAX_BYTES);
    find_page(path);
    if (file_read_whole(AT_FDCWD, path, PAGE_MAX_BYTES, &arena, &old) != 0) {
        perror(path);
        return EXIT_FAILURE;
    }
    make_page(old, &page, &arena);
    const int descriptor = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    const bool is_written = descriptor >= 0 && file_pwrite_all(descriptor, buffer_span(&page).bytes,
                                                               page.length, 0) == 0;
    if (!is_written)
        perror(path);
    file_close(descriptor);
    buffer_release(&page);
    arena_destroy(&arena);
    return is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_manual)};
    if (argc == 2 && strcmp(argv[1], "--write") == 0)
        return write_page();
    return cmocka_run_group_tests_name("conf-manual", tests, NULL, NULL);
}
