/* tools/postmap_message - the keys that header_checks(5) and body_checks(5) would be asked for: the
 * header fields and body lines of a message on standard input (-h, -b), with the structure of MIME
 * understood (-m) or not. */
#include <errno.h>
#include <stdio.h>

#include "base/ascii.h"
#include "postmap.h"
#include "smtp/header.h"

enum { BOUNDARIES_MAX = 100, FIELD_MAX_BYTES = 1024 * 1024, BOUNDARY_MAX_BYTES = 255 };

enum part { PART_HEADER, PART_ATTACHED_HEADER, PART_BODY };

struct reading {
    const struct postmap *postmap;
    postmap_visit *visit;
    void *context;
    enum part part;
    struct buffer field; /* a header field so far, lines joined by newlines */
    struct span boundaries[BOUNDARIES_MAX];
    size_t boundary_count;
    struct arena arena;
    struct span next_boundary; /* of the header in hand, for its body */
    bool next_is_message;      /* message/rfc822: what follows is a header again */
    bool is_found;
};

static void take_key(struct reading *reading, struct span key)
{
    if (reading->visit(reading->context, key, true))
        reading->is_found = true;
}

/* The value of boundary= in a Content-Type, unquoted; empty when there is none. */
static struct span find_boundary(struct span value)
{
    const struct span name = SPAN("boundary=");
    for (size_t i = 0; i + name.length < value.length; i++) {
        struct span rest = span_after(value, i);
        if (!span_starts_with_ascii_nocase(rest, name))
            continue;
        rest = span_after(rest, name.length);
        if (rest.length && rest.bytes[0] == '"') {
            rest = span_after(rest, 1);
            return span_first(rest, span_find_byte(rest, '"'));
        }
        size_t end = 0;
        while (end < rest.length && rest.bytes[end] != ';' && !ascii_is_space(rest.bytes[end]))
            end++;
        return span_first(rest, end);
    }
    return span_empty();
}

static void note_structure(struct reading *reading, struct span whole)
{
    struct smtp_header_field field;
    struct span rest = whole;
    if (!reading->postmap->understands_mime || !smtp_header_next(&rest, &field) ||
        !span_equals_ascii_nocase(field.name, SPAN("Content-Type")))
        return;
    const struct span value = span_trim_spaces(field.value);
    if (span_starts_with_ascii_nocase(value, SPAN("multipart/")))
        reading->next_boundary =
            arena_copy(&reading->arena, span_first(find_boundary(value), BOUNDARY_MAX_BYTES));
    reading->next_is_message = span_starts_with_ascii_nocase(value, SPAN("message/rfc822"));
}

static void end_field(struct reading *reading)
{
    const struct span field = buffer_span(&reading->field);
    if (field.length == 0)
        return;
    note_structure(reading, field);
    if (reading->postmap->asks_headers)
        take_key(reading, field);
    buffer_reset(&reading->field);
}

static void end_header(struct reading *reading)
{
    end_field(reading);
    if (reading->next_boundary.length && reading->boundary_count < BOUNDARIES_MAX)
        reading->boundaries[reading->boundary_count++] = reading->next_boundary;
    reading->part = reading->next_is_message ? PART_ATTACHED_HEADER : PART_BODY;
    reading->next_boundary = span_empty();
    reading->next_is_message = false;
}

/* RFC 2046 section 5.1.1: a delimiter ends all parts inside its own. */
static bool is_delimiter(struct reading *reading, struct span line)
{
    if (!span_starts_with(line, SPAN("--")))
        return false;
    const struct span text = span_after(line, 2);
    for (size_t i = reading->boundary_count; i-- > 0;) {
        const struct span boundary = reading->boundaries[i];
        if (!span_starts_with(text, boundary))
            continue;
        const bool is_last = span_starts_with(span_after(text, boundary.length), SPAN("--"));
        reading->boundary_count = is_last ? i : i + 1;
        reading->part = is_last ? PART_BODY : PART_ATTACHED_HEADER;
        return true;
    }
    return false;
}

static bool is_field_start(struct span line)
{
    struct smtp_header_field field;
    return smtp_header_next(&line, &field);
}

static void take_line(struct reading *reading, struct span line)
{
    if (reading->part != PART_BODY) {
        if (is_delimiter(reading, line)) {
            end_field(reading);
            return;
        }
        if (line.length && ascii_is_space(line.bytes[0]) && reading->field.length) {
            buffer_append_byte(&reading->field, '\n');
            buffer_append_span(&reading->field, line);
            return;
        }
        if (is_field_start(line)) {
            end_field(reading);
            buffer_append_span(&reading->field, line);
            return;
        }
        end_header(reading); /* the empty line counts for the body, as in Postfix */
    }
    (void)is_delimiter(reading, line);
    if (reading->postmap->asks_body)
        take_key(reading, line);
}

bool postmap_for_each_of_message(const struct postmap *postmap, postmap_visit *visit, void *context)
{
    static struct reading reading;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;

    reading.postmap = postmap;
    reading.visit = visit;
    reading.context = context;
    arena_init(&reading.arena, FIELD_MAX_BYTES, 0);
    buffer_init(&reading.field, NULL, FIELD_MAX_BYTES);
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        if (length > 0 && line[length - 1] == '\r')
            length--;
        take_line(&reading, span_of(line, (size_t)length));
    }
    if (ferror(stdin))
        fatal("read standard input: %s", strerror(errno));
    if (reading.part != PART_BODY)
        end_field(&reading);
    free(line);
    buffer_release(&reading.field);
    arena_destroy(&reading.arena);
    return reading.is_found;
}
