/* conf/master_cf - the text of master.cf as a list of services. */
#include "conf/master_cf.h"

#include "base/ascii.h"
#include "base/buffer.h"
#include "base/number.h"
#include "conf/lines.h"
#include "conf/main_cf.h"
#include "conf/value.h"

/* One line while it is read. */
struct line_reader {
    struct span rest;
    struct arena *arena;
    const char *reason; /* why not */
};

static const char too_many[] = "more than 2000 arguments; an -o option counts as two";
_Static_assert(CONF_SERVICE_MAX_ARGUMENTS == 2000, "what the text above says");

static const char white_space[] = " \t\r\n\v\f";

static struct span skip_space(struct span text)
{
    while (text.length > 0 && ascii_is_space(text.bytes[0]))
        text = span_after(text, 1);
    return text;
}

static struct span trim(struct span text)
{
    text = skip_space(text);
    while (text.length > 0 && ascii_is_space(text.bytes[text.length - 1]))
        text = span_first(text, text.length - 1);
    return text;
}

/* The offset of the brace that closes the one at the start; the length without one. */
static size_t find_closing_brace(struct span text)
{
    size_t level = 0;
    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == '{')
            level++;
        else if (text.bytes[i] == '}' && --level == 0)
            return i;
    }
    return text.length;
}

/* Takes a word or "{several words}" off the line. False at its end or when it is wrong. */
static bool take_argument(struct line_reader *reader, struct span *argument)
{
    reader->rest = skip_space(reader->rest);
    if (span_is_empty(reader->rest))
        return false;
    if (reader->rest.bytes[0] != '{')
        return span_next_word(&reader->rest, white_space, argument);
    const size_t end = find_closing_brace(reader->rest);
    if (end == reader->rest.length) {
        reader->reason = "'}' is missing";
        return false;
    }
    *argument = trim(span_between(reader->rest, 1, end));
    reader->rest = span_after(reader->rest, end + 1);
    if (!span_is_empty(reader->rest) && !ascii_is_space(reader->rest.bytes[0])) {
        reader->reason = "white space is missing after '}'";
        return false;
    }
    return true;
}

static bool parse_yes_no(struct span column, bool otherwise, bool *value)
{
    *value = span_equals(column, SPAN("-")) ? otherwise : span_equals(column, SPAN("y"));
    return span_equals(column, SPAN("-")) || span_equals(column, SPAN("y")) ||
           span_equals(column, SPAN("n"));
}

static bool parse_type(struct span column, enum conf_service_type *type)
{
    static const struct {
        const char *name;
        enum conf_service_type type;
    } types[] = {{"inet", CONF_SERVICE_INET},
                 {"unix", CONF_SERVICE_UNIX},
                 {"fifo", CONF_SERVICE_FIFO},
                 {"pass", CONF_SERVICE_PASS},
                 {"unix-dgram", CONF_SERVICE_UNIX_DGRAM}};
    for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
        if (span_equals(column, span_from_string(types[i].name))) {
            *type = types[i].type;
            return true;
        }
    }
    return false;
}

static bool parse_wakeup(struct conf_service *service)
{
    struct span column = service->columns[CONF_COLUMN_WAKEUP];
    int64_t time_ms;

    service->wakeup_s = 0;
    if (span_equals(column, SPAN("-")))
        return true;
    if (span_ends_with(column, SPAN("?"))) {
        service->wakes_only_when_used = true;
        column = span_first(column, column.length - 1);
    }
    if (!conf_value_parse_number(column, &time_ms))
        return false;
    service->wakeup_s = time_ms;
    return true;
}

/* NULL when all columns are right, else what is allowed. */
static const char *parse_columns(struct conf_service *service)
{
    const struct span *columns = service->columns;
    uint64_t limit = 0;
    bool ignored;

    if (!parse_type(columns[CONF_COLUMN_TYPE], &service->type))
        return "type (second column): inet, unix, fifo, pass or unix-dgram is allowed";
    if (!parse_yes_no(columns[CONF_COLUMN_PRIVATE], true, &service->is_private))
        return "private (third column): y, n or - is allowed";
    if (!parse_yes_no(columns[CONF_COLUMN_UNPRIVILEGED], true, &ignored))
        return "unpriv (fourth column): y, n or - is allowed";
    if (!parse_yes_no(columns[CONF_COLUMN_CHROOT], false, &ignored))
        return "chroot (fifth column): y, n or - is allowed";
    if (!parse_wakeup(service))
        return "wakeup (sixth column): seconds, or seconds and ?, or - is allowed";
    service->has_process_limit = !span_equals(columns[CONF_COLUMN_PROCESS_LIMIT], SPAN("-"));
    if (service->has_process_limit &&
        (!number_parse_uint64(columns[CONF_COLUMN_PROCESS_LIMIT], 100000, &limit) ||
         !number_to_uint32(limit, &service->process_limit)))
        return "maxproc (seventh column): a number up to 100000, 0 for no limit, or - is allowed";
    if (service->type == CONF_SERVICE_INET && service->is_private)
        return "private (third column): a service of type inet cannot be private; write n";
    return NULL;
}

/* The -o options, once arguments are known. NULL, or what is wrong. "-oname=value" counts as the
 * two arguments as which it is printed, so that what was read once can be read again. */
static const char *parse_options(struct conf_service *service)
{
    size_t i = 0, printed_count = 1 + service->argument_count;
    while (i < service->argument_count && span_starts_with(service->arguments[i], SPAN("-")) &&
           service->arguments[i].length > 1) {
        const struct span argument = service->arguments[i++];
        if (!span_starts_with(argument, SPAN("-o")))
            continue;
        struct span assignment = span_after(argument, 2);
        if (span_is_empty(assignment)) {
            if (i == service->argument_count)
                return "-o: name=value or { name = value } is missing after it";
            assignment = service->arguments[i++];
        } else if (++printed_count > CONF_SERVICE_MAX_ARGUMENTS)
            return too_many;
        struct conf_override *override = &service->overrides[service->override_count++];
        const char *reason;
        if (!conf_split_assignment(assignment, &override->name, &override->value, &reason) ||
            span_find_byte(override->name, '{') < override->name.length)
            return "-o: name=value, without spaces, or { name = value } is allowed";
    }
    service->option_count = i;
    return NULL;
}

/* The program, and what stands behind it. */
static size_t count_arguments(struct line_reader *reader)
{
    struct line_reader ahead = *reader;
    struct span argument;
    size_t count = 0;
    while (take_argument(&ahead, &argument))
        count++;
    reader->reason = ahead.reason;
    return count;
}

static bool parse_service(struct line_reader *reader, struct conf_service *service)
{

    for (size_t i = 0; i < CONF_COLUMN_COUNT; i++) {
        if (!span_next_word(&reader->rest, white_space, &service->columns[i])) {
            reader->reason = "eight columns are needed: service type private unpriv chroot wakeup "
                             "maxproc command";
            return false;
        }
    }
    if (span_starts_with(skip_space(reader->rest), SPAN("{"))) {
        reader->reason = "the command (eighth column) is the name of a program, without braces";
        return false;
    }
    const size_t count = count_arguments(reader);
    if (reader->reason)
        return false;
    if (count == 0 || count > CONF_SERVICE_MAX_ARGUMENTS) {
        reader->reason = count ? too_many : "eight columns are needed: the command is missing";
        return false;
    }
    service->argument_count = count - 1;
    service->arguments = arena_alloc(reader->arena, count * sizeof(*service->arguments));
    service->overrides = arena_alloc(reader->arena, count * sizeof(*service->overrides));
    if (!service->arguments || !service->overrides) {
        reader->reason = "too large for the memory set aside";
        return false;
    }
    (void)take_argument(reader, &service->program); /* they were counted */
    for (size_t i = 0; i < service->argument_count; i++)
        (void)take_argument(reader, &service->arguments[i]);
    reader->reason = parse_columns(service);
    if (!reader->reason)
        reader->reason = parse_options(service);
    return reader->reason == NULL;
}

static void warn_of_duplicate(const struct conf_master *master, const struct conf_service *service,
                              struct conf_notices *notices)
{
    for (size_t i = 0; i < master->service_count; i++) {
        const struct conf_service *other = &master->services[i];
        if (span_equals(conf_service_name(other), conf_service_name(service)) &&
            other->type == service->type)
            conf_notice_add(
                notices, CONF_NOTICE_WARNING,
                "%.*s, line %u: service %.*s/%.*s is already in line %u; this one counts",
                SPAN_PRINTF(master->file), service->line, SPAN_PRINTF(conf_service_name(service)),
                SPAN_PRINTF(service->columns[CONF_COLUMN_TYPE]), other->line);
    }
}

bool conf_master_parse(struct span text, struct span file, struct arena *arena,
                       struct conf_master *master, struct conf_notices *notices)
{
    const size_t errors_before = notices->error_count;
    struct conf_lines lines;
    struct buffer line;
    uint32_t number = 0;

    *master = (struct conf_master){.file = file};
    buffer_init(&line, NULL, CONF_LINE_MAX_BYTES);
    master->services = arena_alloc(arena, CONF_MASTER_MAX_SERVICES * sizeof(*master->services));
    conf_lines_init(&lines, text);
    while (conf_lines_next(&lines, &line, &number)) {
        struct line_reader reader = {.arena = arena};
        reader.rest = arena_copy(arena, buffer_span(&line));
        if (!buffer_ok(&line) || !reader.rest.bytes || !master->services ||
            master->service_count == CONF_MASTER_MAX_SERVICES) {
            conf_notice_add(notices, CONF_NOTICE_ERROR,
                            "%.*s, line %u: too large: a line may have %d bytes, the file %d "
                            "services",
                            SPAN_PRINTF(file), number, CONF_LINE_MAX_BYTES,
                            CONF_MASTER_MAX_SERVICES);
            break;
        }
        const struct span content = reader.rest;
        struct conf_service *service = &master->services[master->service_count];
        *service = (struct conf_service){.line = number};
        if (ascii_is_space(content.bytes[0]))
            reader.reason = "a service starts in the first column: this line continues nothing";
        else if (memchr(content.bytes, 0, content.length))
            reader.reason = "a NUL byte is not allowed";
        if (reader.reason || !parse_service(&reader, service)) {
            conf_notice_add(notices, CONF_NOTICE_ERROR, "%.*s, line %u: %s: \"%.*s\"",
                            SPAN_PRINTF(file), number, reader.reason,
                            SPAN_PRINTF(span_first(content, 100)));
            continue;
        }
        warn_of_duplicate(master, service, notices);
        master->service_count++;
    }
    buffer_release(&line);
    return notices->error_count == errors_before;
}
