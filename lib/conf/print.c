/* conf/print - settings and services as postconf shows them. */
#include "conf/print.h"

#include "base/ascii.h"
#include "base/json.h"
#include "conf/main_cf.h"

/* Postfix lets a setting fill column 80, and a service not. */
enum { PRINT_SETTING_WIDTH = 80, PRINT_SERVICE_WIDTH = 79, PRINT_INDENT = 4 };

static const char white_space[] = " \t\r\n\v\f";

/* Words of one logical line. */
struct line_printer {
    struct buffer *output;
    size_t column;
    size_t width; /* 0: lines are not folded */
    bool has_words;
    bool breaks_next; /* the next word begins a line where lines are folded */
};

static void begin_line(struct line_printer *printer)
{
    buffer_append_string(printer->output, "\n    ");
    printer->column = PRINT_INDENT;
}

/* No line begins with '#': it would be a comment. */
static void print_word(struct line_printer *printer, struct span word)
{
    if (printer->has_words) {
        if (printer->width > 0 && !span_starts_with(word, SPAN("#")) &&
            (printer->breaks_next || printer->column + 1 + word.length > printer->width)) {
            begin_line(printer);
        } else {
            buffer_append_byte(printer->output, ' ');
            printer->column++;
        }
    }
    printer->has_words = true;
    printer->breaks_next = false;
    buffer_append_span(printer->output, word);
    printer->column += word.length;
}

static void print_words(struct line_printer *printer, struct span text)
{
    struct span word;
    while (span_next_word(&text, white_space, &word))
        print_word(printer, word);
}

static void print_json_pair(const char *before, struct span name, struct span value,
                            struct buffer *output)
{
    buffer_append_string(output, before);
    json_append_string(output, name);
    buffer_append_string(output, ": ");
    json_append_string(output, value);
}

/* The value on one line, as it would be shown otherwise. */
static void print_json_setting(struct span name, struct span value, struct buffer *output)
{
    struct buffer text;
    struct line_printer printer = {.output = &text};

    buffer_init(&text, NULL, CONF_LINE_MAX_BYTES);
    print_words(&printer, value);
    print_json_pair("{", name, buffer_span(&text), output);
    buffer_append_string(output, "}\n");
    buffer_release(&text);
}

void conf_print_setting(struct span name, struct span value, unsigned flags, struct buffer *output)
{
    if (flags & CONF_PRINT_JSON) {
        print_json_setting(name, value, output);
        return;
    }
    struct line_printer printer = {.output = output,
                                   .width = flags & CONF_PRINT_FOLDED ? PRINT_SETTING_WIDTH : 0};
    if (!(flags & CONF_PRINT_VALUE_ONLY))
        print_word(&printer, name);
    if (!(flags & (CONF_PRINT_VALUE_ONLY | CONF_PRINT_NAME_ONLY)))
        print_word(&printer, SPAN("="));
    if (!(flags & CONF_PRINT_NAME_ONLY))
        print_words(&printer, value);
    buffer_append_byte(output, '\n');
}

static bool has_space(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (ascii_is_space(text.bytes[i]))
            return true;
    return false;
}

/* An argument of several words, or of none, stands in braces, and so does one that has its own. */
static void print_argument(struct line_printer *printer, struct span argument)
{
    struct buffer text;
    if (!has_space(argument) && !span_is_empty(argument) &&
        !span_starts_with(argument, SPAN("{"))) {
        print_word(printer, argument);
        return;
    }
    buffer_init(&text, NULL, CONF_LINE_MAX_BYTES);
    buffer_append_byte(&text, '{');
    buffer_append_span(&text, argument);
    buffer_append_byte(&text, '}');
    print_word(printer, buffer_span(&text));
    buffer_release(&text);
}

/* "-o name=value"; only white space in the value asks for braces, since the name has none. */
static void print_override(struct line_printer *printer, const struct conf_service *service,
                           const struct conf_override *override,
                           const struct conf_print_values *values)
{
    struct buffer text;
    const struct span value =
        values ? values->value(values->context, service, override->value) : override->value;

    buffer_init(&text, NULL, CONF_LINE_MAX_BYTES);
    buffer_append_span(&text, override->name);
    buffer_append_byte(&text, '=');
    buffer_append_span(&text, value);
    printer->breaks_next = true;
    print_word(printer, SPAN("-o"));
    print_argument(printer, buffer_span(&text));
    printer->breaks_next = true;
    buffer_release(&text);
}

static void print_command(struct line_printer *printer, const struct conf_service *service,
                          const struct conf_print_values *values)
{
    size_t override = 0;

    print_word(printer, service->program);
    for (size_t i = 0; i < service->argument_count; i++) {
        const struct span argument = service->arguments[i];
        if (i >= service->option_count || override == service->override_count ||
            !span_starts_with(argument, SPAN("-o"))) {
            print_argument(printer, argument);
            continue;
        }
        if (argument.length == 2)
            i++; /* its text is the next argument */
        print_override(printer, service, &service->overrides[override++], values);
    }
}

const char *const conf_service_fields[CONF_COLUMN_COUNT + 1] = {
    "service", "type", "private", "unprivileged", "chroot", "wakeup", "process_limit", "command"};

static void print_json_service(const struct conf_service *service,
                               const struct conf_print_values *values, struct buffer *output)
{
    struct buffer command;

    buffer_init(&command, NULL, CONF_LINE_MAX_BYTES);
    conf_print_command(service, values, &command);
    for (size_t i = 0; i <= CONF_COLUMN_COUNT; i++)
        print_json_pair(i == 0 ? "{" : ", ", span_from_string(conf_service_fields[i]),
                        i < CONF_COLUMN_COUNT ? service->columns[i] : buffer_span(&command),
                        output);
    buffer_append_string(output, "}\n");
    buffer_release(&command);
}

void conf_print_service(const struct conf_service *service, unsigned flags,
                        const struct conf_print_values *values, struct buffer *output)
{
    if (flags & CONF_PRINT_JSON) {
        print_json_service(service, values, output);
        return;
    }
    /* Where columns begin, if those before them are not too long. */
    static const size_t begins[CONF_COLUMN_COUNT + 1] = {0, 11, 17, 25, 33, 41, 49, 57};
    struct line_printer printer = {.output = output,
                                   .width = flags & CONF_PRINT_FOLDED ? PRINT_SERVICE_WIDTH : 0};

    for (size_t i = 0; i < CONF_COLUMN_COUNT; i++) {
        buffer_append_span(output, service->columns[i]);
        printer.column += service->columns[i].length;
        do {
            buffer_append_byte(output, ' ');
            printer.column++;
        } while (printer.column < begins[i + 1]);
    }
    print_command(&printer, service, values);
    buffer_append_byte(output, '\n');
}

void conf_print_command(const struct conf_service *service, const struct conf_print_values *values,
                        struct buffer *output)
{
    struct line_printer printer = {.output = output};
    print_command(&printer, service, values);
}

void conf_print_command_setting(struct span name, const struct conf_service *service,
                                unsigned flags, const struct conf_print_values *values,
                                struct buffer *output)
{
    struct line_printer printer = {.output = output,
                                   .width = flags & CONF_PRINT_FOLDED ? PRINT_SERVICE_WIDTH : 0};
    if (flags & CONF_PRINT_JSON) {
        struct buffer command;
        buffer_init(&command, NULL, CONF_LINE_MAX_BYTES);
        conf_print_command(service, values, &command);
        print_json_setting(name, buffer_span(&command), output);
        buffer_release(&command);
        return;
    }
    if (!(flags & CONF_PRINT_VALUE_ONLY))
        print_word(&printer, name);
    if (!(flags & (CONF_PRINT_VALUE_ONLY | CONF_PRINT_NAME_ONLY)))
        print_word(&printer, SPAN("="));
    if (!(flags & CONF_PRINT_NAME_ONLY))
        print_command(&printer, service, values);
    buffer_append_byte(output, '\n');
}
