/* tests/lib/smtpsession/transcripts - the conversations of tests/transcripts/smtpd, played against
 * a session in this process; tests/system plays the same against a running instance. Lines:
 *   C: text     the client says this, with CRLF; \r \n \0 \t \xHH \\ are understood, and \c at the
 *               end means: no CRLF. Consecutive lines are one packet.
 *   S: text     the answer; {words} stands for anything
 *   S~ regex    the answer, as an extended regular expression
 *   S! close    the server closes the connection
 *   # set: name = value    for main.cf */
#include "harness.h"

#include <dirent.h>
#include <regex.h>
#include <stdlib.h>

#include "base/ascii.h"

enum { FILE_MAX_BYTES = 1 << 20, PATTERN_MAX_BYTES = 8192 };

struct script {
    const char *name;
    struct span text;
};

static bool read_file(const char *path, struct buffer *content)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    buffer_init(content, NULL, FILE_MAX_BYTES);
    uint8_t *room = buffer_reserve(content, FILE_MAX_BYTES);
    assert_non_null(room);
    buffer_extend(content, fread(room, 1, FILE_MAX_BYTES, file));
    (void)fclose(file);
    return true;
}

static void unescape(struct span text, struct buffer *out)
{
    bool has_line_end = true;
    if (span_ends_with(text, SPAN("\\c"))) {
        has_line_end = false;
        text.length -= 2;
    }
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] != '\\' || i + 1 >= text.length) {
            buffer_append_byte(out, text.bytes[i]);
            continue;
        }
        static const char names[] = "rn0t\\";
        static const char values[] = "\r\n\0\t\\";
        const uint8_t name = text.bytes[++i];
        if (name == 'x' && i + 2 < text.length + 0) {
            buffer_append_byte(out, (uint8_t)(ascii_hex_value(text.bytes[i + 1]) * 16 +
                                              ascii_hex_value(text.bytes[i + 2])));
            i += 2;
            continue;
        }
        const char *at = strchr(names, name);
        assert_non_null(at);
        buffer_append_byte(out, (uint8_t)values[at - names]);
    }
    if (has_line_end)
        buffer_append_string(out, "\r\n");
}

/* {words} becomes ".*", everything else is taken literally. */
static void make_pattern(struct span text, bool is_regex, struct buffer *pattern)
{
    buffer_append_string(pattern, "^(");
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        if (is_regex) {
            buffer_append_byte(pattern, byte);
        } else if (byte == '{') {
            const size_t end = span_find_byte(span_after(text, i), '}');
            assert_true(i + end < text.length);
            i += end;
            buffer_append_string(pattern, ".*");
        } else {
            if (memchr(".[]()*+?{}^$|\\", byte, 14))
                buffer_append_byte(pattern, '\\');
            buffer_append_byte(pattern, byte);
        }
    }
    buffer_append(pattern, ")$", 3); /* with its NUL */
}

static void expect_line(struct harness_client *client, const char *where, struct span text,
                        bool is_regex)
{
    struct buffer pattern;
    regex_t regex;
    const struct span line = harness_read_line(client);
    if (!line.bytes)
        fail_msg("%s: the connection ended, expected \"%.*s\"", where, SPAN_PRINTF(text));
    char *string = arena_string(&client->harness->arena, line);
    buffer_init(&pattern, NULL, PATTERN_MAX_BYTES);
    make_pattern(text, is_regex, &pattern);
    assert_int_equal(regcomp(&regex, (const char *)pattern.bytes, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&regex, string, 0, NULL, 0) != 0)
        fail_msg("%s: got \"%s\", expected \"%.*s\"", where, string, SPAN_PRINTF(text));
    regfree(&regex);
    buffer_release(&pattern);
}

static void play(struct harness *harness, void *argument)
{
    const struct script *script = argument;
    struct harness_client client;
    struct span rest = script->text;
    struct buffer pending;
    buffer_init(&pending, NULL, FILE_MAX_BYTES);
    harness_connect(harness, &client, "127.0.0.1");
    for (unsigned number = 1; rest.length; number++) {
        struct span line;
        char where[512];
        (void)span_split_once(rest, '\n', &line, &rest);
        (void)snprintf(where, sizeof(where), "%s:%u", script->name, number);
        if (line.length == 0 || line.bytes[0] == '#')
            continue;
        const struct span kind = span_first(line, 2);
        const struct span text = span_after(line, 3);
        if (span_equals(kind, SPAN("C:"))) {
            unescape(text, &pending);
            continue;
        }
        if (pending.length)
            harness_send(&client, buffer_span(&pending));
        buffer_reset(&pending);
        if (span_equals(kind, SPAN("S!")))
            harness_expect_close(&client, where);
        else if (span_equals(kind, SPAN("S:")) || span_equals(kind, SPAN("S~")))
            expect_line(&client, where, text, line.bytes[1] == '~');
        else
            fail_msg("%s: not a line of a transcript", where);
    }
    buffer_release(&pending);
    harness_disconnect(&client);
}

/* The "# set:" lines, as lines of main.cf. */
static void collect_settings(struct span text, struct buffer *settings)
{
    const struct span mark = SPAN("# set:");
    while (text.length) {
        struct span line;
        (void)span_split_once(text, '\n', &line, &text);
        if (!span_starts_with(line, mark))
            continue;
        buffer_append_span(settings, span_trim_spaces(span_after(line, mark.length)));
        buffer_append_byte(settings, '\n');
    }
    buffer_append_byte(settings, 0);
}

static int by_name(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

static int is_script(const struct dirent *entry)
{
    return span_ends_with(span_from_string(entry->d_name), SPAN(".txt"));
}

static void test_transcripts(void **state)
{
    (void)state;
    const char *source = getenv("top_srcdir");
    char folder[1024], path[2048];
    struct dirent **entries;
    assert_true(snprintf(folder, sizeof(folder), "%s/tests/transcripts/smtpd",
                         source ? source : ".") < (int)sizeof(folder));
    const int count = scandir(folder, &entries, is_script, by_name);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        struct buffer content, settings;
        assert_true(snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name) <
                    (int)sizeof(path));
        assert_true(read_file(path, &content));
        buffer_init(&settings, NULL, FILE_MAX_BYTES);
        collect_settings(buffer_span(&content), &settings);
        struct script script = {entries[i]->d_name, buffer_span(&content)};
        print_message("%s\n", script.name);
        harness_run((const char *)settings.bytes, play, &script);
        buffer_release(&content);
        buffer_release(&settings);
        free(entries[i]);
    }
    free(entries);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_transcripts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
