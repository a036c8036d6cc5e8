/* dsn/template - see template.h. */
#include "dsn/template.h"

#include "base/ascii.h"

enum { MARK_MAX_BYTES = 64 };

static const char *const names[DSN_KIND_COUNT] = {
    [DSN_FAILURE] = "failure_template",
    [DSN_DELAY] = "delay_template",
    [DSN_SUCCESS] = "success_template",
    [DSN_VERIFY] = "verify_template",
};

#define CHARSET SPAN_LITERAL("us-ascii")
#define FROM SPAN_LITERAL("Mail Delivery System <MAILER-DAEMON>")

/* The first line and the subjects are what programs that sort reports have looked for since long.
 */
#define FIRST_LINE "This is the mail system at host $myhostname.\n\n"

static const struct dsn_templates defaults = {{
    [DSN_FAILURE] =
        {CHARSET, FROM, SPAN_LITERAL("Undelivered Mail Returned to Sender"),
         SPAN_LITERAL("Postmaster Copy: Undelivered Mail"),
         SPAN_LITERAL(FIRST_LINE
                      "Your message could not be delivered to the recipients below, and it will\n"
                      "not be tried again. It is attached, or its header is.\n\n"
                      "The reason stands beside each address; where another server gave one, its\n"
                      "own words are repeated. If they do not help you, forward this report to\n"
                      "<postmaster@$myorigin>.\n")},
    [DSN_DELAY] =
        {CHARSET, FROM, SPAN_LITERAL("Delayed Mail (still being retried)"),
         SPAN_LITERAL("Postmaster Warning: Delayed Mail"),
         SPAN_LITERAL(
             FIRST_LINE
             "This is only a warning: you need not send your message again.\n\n"
             "It could not be delivered for $delay_warning_time_hours hour(s) or more. "
             "It will be\ntried again until it is $maximal_queue_lifetime_days day(s) old, "
             "and if it cannot be\ndelivered by then, you will be told.\n")},
    [DSN_SUCCESS] =
        {CHARSET, FROM, SPAN_LITERAL("Successful Mail Delivery Report"),
         SPAN_LITERAL("Postmaster Copy: Successful Mail Delivery"),
         SPAN_LITERAL(FIRST_LINE
                      "Your message was delivered to the recipients below. Where it was handed to\n"
                      "a system that sends no such reports, that is said; what follows then you\n"
                      "will hear only if it fails.\n")},
    [DSN_VERIFY] = {CHARSET, FROM, SPAN_LITERAL("Mail Delivery Status Report"),
                    SPAN_LITERAL("Postmaster Copy: Mail Delivery Status"),
                    SPAN_LITERAL(
                        FIRST_LINE
                        "You asked what becomes of mail to the recipients below. This is what the\n"
                        "first attempt came to.\n")},
}};

void dsn_templates_default(struct dsn_templates *templates)
{
    *templates = defaults;
}

const char *dsn_template_name(enum dsn_kind kind)
{
    return names[kind];
}

/* ---- reading ---- */

struct reader {
    struct span rest;
    size_t line_number; /* of the line that was taken last */
    struct dsn_template_error *error;
};

static enum parse_result fail_at(struct reader *reader, size_t line, const char *reason)
{
    *reader->error = (struct dsn_template_error){line, reason};
    return PARSE_MALFORMED;
}

static enum parse_result fail(struct reader *reader, const char *reason)
{
    return fail_at(reader, reader->line_number, reason);
}

/* Without its line end; false at the end of the text. */
static bool next_line(struct reader *reader, struct span *line)
{
    if (span_is_empty(reader->rest))
        return false;
    const size_t end = span_find_byte(reader->rest, '\n');
    *line = span_first(reader->rest, end);
    if (span_ends_with(*line, SPAN("\r")))
        line->length--;
    reader->rest = span_after(reader->rest, end + 1);
    reader->line_number++;
    return true;
}

/* Not before the end of *line: a byte that no mail may carry. */
static bool has_control_byte(struct span line)
{
    for (size_t i = 0; i < line.length; i++)
        if ((line.bytes[i] < 0x20 && line.bytes[i] != '\t') || line.bytes[i] == 0x7f)
            return true;
    return false;
}

static enum parse_result check_line(struct reader *reader, struct span line)
{
    if (has_control_byte(line))
        return fail(reader, "control characters are not allowed");
    if (line.length > DSN_TEMPLATE_LINE_MAX_BYTES)
        return fail(reader, "the line is longer than 998 bytes");
    return PARSE_OK;
}

/* A charset is a word (RFC 2978 section 2.3). */
static bool is_charset(struct span value)
{
    for (size_t i = 0; i < value.length; i++)
        if (!ascii_is_alnum(value.bytes[i]) && !span_byte_is_one_of(value, i, "-_.:+", 5))
            return false;
    return value.length > 0 && value.length <= MARK_MAX_BYTES;
}

static enum parse_result take_field(struct reader *reader, struct span line,
                                    struct dsn_template *template)
{
    struct span name, value;
    if (!span_split_once(line, ':', &name, &value))
        return fail(reader, "\"Name: value\" expected, or an empty line before the text");
    if (!ascii_is_all_ascii(line))
        return fail(reader, "only US-ASCII is allowed in the fields of a template");
    value = span_trim_spaces(value);
    if (span_is_empty(value))
        return fail(reader, "the field has no value");
    if (span_equals_ascii_nocase(name, SPAN("Charset"))) {
        template->charset = value;
        return is_charset(value) ? PARSE_OK : fail(reader, "this is not the name of a charset");
    }
    if (span_equals_ascii_nocase(name, SPAN("From")))
        template->from = value;
    else if (span_equals_ascii_nocase(name, SPAN("Subject")))
        template->subject = value;
    else if (span_equals_ascii_nocase(name, SPAN("Postmaster-Subject")))
        template->postmaster_subject = value;
    else
        return fail(reader, "unknown field: Charset, From, Subject and Postmaster-Subject are "
                            "allowed");
    return PARSE_OK;
}

/* From the line behind "name = <<mark" up to and with the line that is the mark. */
static enum parse_result take_template(struct reader *reader, struct span mark,
                                       struct dsn_template *template)
{
    const size_t first_line = reader->line_number;
    bool is_header = true;
    struct span line;
    template->body = span_empty();
    while (next_line(reader, &line)) {
        if (span_equals(line, mark)) {
            if (span_is_empty(template->body))
                return fail(reader, "the template has no text: it begins behind an empty line");
            if (!ascii_is_all_ascii(template->body) &&
                span_equals_ascii_nocase(template->charset, SPAN("us-ascii")))
                return fail_at(reader, first_line,
                               "the text is not US-ASCII: say which it is with Charset:");
            return PARSE_OK;
        }
        enum parse_result result = check_line(reader, line);
        if (result == PARSE_OK && is_header && !span_is_empty(line))
            result = take_field(reader, line, template);
        if (result != PARSE_OK)
            return result;
        if (!is_header) {
            const uint8_t *end = reader->rest.bytes;
            const uint8_t *begin = template->body.length ? template->body.bytes : line.bytes;
            template->body = span_of(begin, (size_t)(end - begin));
        }
        is_header &= !span_is_empty(line);
    }
    return fail_at(reader, first_line, "no line with the word behind << alone ends this template");
}

static bool find_kind(struct span name, enum dsn_kind *kind)
{
    for (size_t i = 0; i < DSN_KIND_COUNT; i++)
        if (span_equals(name, span_from_string(names[i]))) {
            *kind = (enum dsn_kind)i;
            return true;
        }
    return false;
}

static bool is_mark(struct span mark)
{
    for (size_t i = 0; i < mark.length; i++)
        if (!ascii_is_alnum(mark.bytes[i]) && !span_byte_is_one_of(mark, i, "-_.", 3))
            return false;
    return mark.length > 0 && mark.length <= MARK_MAX_BYTES;
}

static enum parse_result take_definition(struct reader *reader, struct span line,
                                         struct dsn_templates *found, unsigned *seen)
{
    struct span name, value;
    enum dsn_kind kind;
    if (!span_split_once(line, '=', &name, &value))
        return fail(reader, "\"name_template = <<EOF\" expected");
    if (!find_kind(span_trim_spaces(name), &kind))
        return fail(reader, "unknown template: failure_template, delay_template, "
                            "success_template and verify_template are allowed");
    value = span_trim_spaces(value);
    if (!span_starts_with(value, SPAN("<<")))
        return fail(reader, "<< and a word expected after the equal sign");
    value = span_trim_spaces(span_after(value, 2));
    if (!is_mark(value))
        return fail(reader, "the word behind << may have letters, digits and -_. only");
    if (*seen & 1U << kind)
        return fail(reader, "the template is given twice");
    *seen |= 1U << kind;
    return take_template(reader, value, &found->of[kind]);
}

enum parse_result dsn_templates_parse(struct span text, struct dsn_templates *templates,
                                      struct dsn_template_error *error)
{
    struct reader reader = {.rest = text, .error = error};
    struct dsn_templates found = *templates;
    unsigned seen = 0;
    struct span line;
    *error = (struct dsn_template_error){0, ""};
    if (text.length > DSN_TEMPLATES_MAX_BYTES) {
        (void)fail_at(&reader, 1, "the file is larger than 32768 bytes");
        return PARSE_TOO_LONG;
    }
    while (next_line(&reader, &line)) {
        const struct span content = span_trim_spaces(line);
        if (span_is_empty(content) || content.bytes[0] == '#')
            continue;
        const enum parse_result result = take_definition(&reader, line, &found, &seen);
        if (result != PARSE_OK)
            return result;
    }
    *templates = found;
    return PARSE_OK;
}

/* ---- writing ---- */

static bool has_line(struct span text, struct span wanted)
{
    struct reader reader = {.rest = text};
    struct span line;
    while (next_line(&reader, &line))
        if (span_equals(line, wanted))
            return true;
    return false;
}

static void append_field(struct buffer *out, const char *name, struct span value)
{
    buffer_append_format(out, "%s: ", name);
    buffer_append_span(out, value);
    buffer_append_byte(out, '\n');
}

static void append_template(const struct dsn_template *template, const char *name,
                            struct buffer *out)
{
    char mark[sizeof("EOFFFFFFFFFFFFFF")] = "EOF";
    for (size_t length = 3;
         has_line(template->body, span_from_string(mark)) && length + 1 < sizeof(mark); length++)
        mark[length] = 'F';
    buffer_append_format(out, "%s = <<%s\n", name, mark);
    append_field(out, "Charset", template->charset);
    append_field(out, "From", template->from);
    append_field(out, "Subject", template->subject);
    append_field(out, "Postmaster-Subject", template->postmaster_subject);
    buffer_append_byte(out, '\n');
    buffer_append_span(out, template->body);
    if (!span_ends_with(template->body, SPAN("\n")))
        buffer_append_byte(out, '\n');
    buffer_append_format(out, "%s\n", mark);
}

void dsn_templates_append(const struct dsn_templates *templates, struct buffer *out)
{
    for (size_t i = 0; i < DSN_KIND_COUNT; i++) {
        if (i > 0)
            buffer_append_byte(out, '\n');
        append_template(&templates->of[i], names[i], out);
    }
}
