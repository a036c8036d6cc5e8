/* conf/pipe_command - see pipe_command.h. */
#include "conf/pipe_command.h"

#include "base/ascii.h"
#include "base/number.h"

/* ---- macros ---- */

static const char *const macro_names[CONF_PIPE_MACRO_COUNT] = {
    [CONF_PIPE_CLIENT_ADDRESS] = "client_address",
    [CONF_PIPE_CLIENT_HELO] = "client_helo",
    [CONF_PIPE_CLIENT_HOSTNAME] = "client_hostname",
    [CONF_PIPE_CLIENT_PORT] = "client_port",
    [CONF_PIPE_CLIENT_PROTOCOL] = "client_protocol",
    [CONF_PIPE_ENVID] = "envid",
    [CONF_PIPE_NEXTHOP] = "nexthop",
    [CONF_PIPE_QUEUE_ID] = "queue_id",
    [CONF_PIPE_SASL_METHOD] = "sasl_method",
    [CONF_PIPE_SASL_SENDER] = "sasl_sender",
    [CONF_PIPE_SASL_USERNAME] = "sasl_username",
    [CONF_PIPE_SENDER] = "sender",
    [CONF_PIPE_SIZE] = "size",
    [CONF_PIPE_DOMAIN] = "domain",
    [CONF_PIPE_EXTENSION] = "extension",
    [CONF_PIPE_MAILBOX] = "mailbox",
    [CONF_PIPE_ORIGINAL_RECIPIENT] = "original_recipient",
    [CONF_PIPE_RECIPIENT] = "recipient",
    [CONF_PIPE_USER] = "user",
};

static bool is_name_byte(uint8_t byte)
{
    return ascii_is_alnum(byte) || byte == '_';
}

/* The name behind a "$", in braces or parentheses or plain; *text moves past it. False: none. */
static bool take_name(struct span *text, struct span *name)
{
    const uint8_t first = text->length > 0 ? text->bytes[0] : 0;
    if (first == '{' || first == '(') {
        const size_t end = span_find_byte(*text, first == '{' ? '}' : ')');
        if (end == text->length)
            return false;
        *name = span_of(text->bytes + 1, end - 1);
        *text = span_after(*text, end + 1);
    } else {
        size_t length = 0;
        while (length < text->length && is_name_byte(text->bytes[length]))
            length++;
        *name = span_first(*text, length);
        *text = span_after(*text, length);
    }
    return name->length > 0;
}

/* CONF_PIPE_MACRO_COUNT when there is none of that name. */
static enum conf_pipe_macro find_macro(struct span name)
{
    int macro = 0;
    while (macro < CONF_PIPE_MACRO_COUNT &&
           !span_equals(name, span_from_string(macro_names[macro])))
        macro++;
    return (enum conf_pipe_macro)macro;
}

enum piece { PIECE_END, PIECE_TEXT, PIECE_MACRO, PIECE_BAD };

/* The next piece of an argument: *text, or *macro; of a bad one *text is the name. */
static enum piece next_piece(struct span *rest, struct span *text, enum conf_pipe_macro *macro)
{
    if (rest->length == 0)
        return PIECE_END;
    const size_t length = span_find_byte(*rest, '$');
    if (length > 0) {
        *text = span_first(*rest, length);
        *rest = span_after(*rest, length);
        return PIECE_TEXT;
    }
    *rest = span_after(*rest, 1);
    *text = span_first(*rest, 1);
    if (text->length > 0 && text->bytes[0] == '$') {
        *rest = span_after(*rest, 1);
        return PIECE_TEXT; /* "$$" */
    }
    if (!take_name(rest, text))
        return PIECE_BAD;
    *macro = find_macro(*text);
    return *macro == CONF_PIPE_MACRO_COUNT ? PIECE_BAD : PIECE_MACRO;
}

bool conf_pipe_is_per_recipient(struct span argument)
{
    struct span text;
    enum conf_pipe_macro macro;
    for (enum piece piece; (piece = next_piece(&argument, &text, &macro)) != PIECE_END;)
        if (piece == PIECE_MACRO && macro >= CONF_PIPE_DOMAIN)
            return true;
    return false;
}

bool conf_pipe_expand(struct span argument, const struct conf_pipe_values *values,
                      struct buffer *output)
{
    struct span text;
    enum conf_pipe_macro macro;
    for (enum piece piece; (piece = next_piece(&argument, &text, &macro)) != PIECE_END;) {
        if (piece == PIECE_BAD)
            return false;
        buffer_append_span(output, piece == PIECE_TEXT ? text : values->of[macro]);
    }
    return true;
}

/* ---- attributes ---- */

struct parsing {
    struct arena *arena;
    struct conf_pipe_command *command;
    struct conf_error *error;
};

static bool parse_flags(struct parsing *parsing, struct span value)
{
    static const char letters[] = "BDFORXhqu.>"; /* in the order of enum conf_pipe_flag */
    for (size_t i = 0; i < value.length; i++) {
        const char *found = value.bytes[i] ? strchr(letters, value.bytes[i]) : NULL;
        if (!found) {
            conf_error_set(parsing->error, "flags=%.*s: unknown flag; known are %s",
                           SPAN_PRINTF(span_first(value, 40)), letters);
            return false;
        }
        parsing->command->flags |= 1U << (found - letters);
    }
    return true;
}

static bool parse_user(struct parsing *parsing, struct span value)
{
    struct conf_pipe_command *command = parsing->command;
    struct span group = span_empty();
    const bool has_group = span_split_once(value, ':', &command->user, &group);
    command->group = group;
    if (command->user.length > 0 && has_group == (group.length > 0))
        return true;
    conf_error_set(parsing->error, "user=%.*s: must be a name, or a name, a colon and a group",
                   SPAN_PRINTF(span_first(value, 80)));
    return false;
}

static bool parse_size(struct parsing *parsing, struct span value)
{
    if (number_parse_uint64(value, INT64_MAX, &parsing->command->size_limit_bytes))
        return true;
    conf_error_set(parsing->error, "size=%.*s: must be a number of bytes",
                   SPAN_PRINTF(span_first(value, 40)));
    return false;
}

static bool parse_path(struct parsing *parsing, const char *name, struct span value,
                       struct span *path)
{
    *path = value;
    if (span_starts_with(value, SPAN("/")))
        return true;
    conf_error_set(parsing->error, "%s=%.*s: must be a path that begins with a slash", name,
                   SPAN_PRINTF(span_first(value, 80)));
    return false;
}

/* What a backslash and the byte behind it stand for in C; up to three octal digits. *text moves
 * past what was used. */
static uint8_t take_escape(struct span *text)
{
    static const char letters[] = "abfnrtv", meanings[] = "\a\b\f\n\r\t\v";
    const uint8_t first = text->bytes[0];
    const char *found = first ? strchr(letters, first) : NULL;
    unsigned number = 0;
    size_t digits = 0;
    while (digits < 3 && digits < text->length && text->bytes[digits] >= '0' &&
           text->bytes[digits] <= '7')
        number = number * 8 + (text->bytes[digits++] - (unsigned)'0');
    *text = span_after(*text, digits > 0 ? digits : 1);
    return digits > 0 ? (uint8_t)number : found ? (uint8_t)meanings[found - letters] : first;
}

static bool parse_line_end(struct parsing *parsing, struct span value)
{
    uint8_t *bytes = arena_alloc(parsing->arena, value.length ? value.length : 1);
    size_t length = 0;
    if (!bytes) {
        conf_error_set(parsing->error, "out of memory");
        return false;
    }
    while (value.length > 0) {
        const uint8_t byte = value.bytes[0];
        value = span_after(value, 1);
        bytes[length++] = byte == '\\' && value.length > 0 ? take_escape(&value) : byte;
    }
    parsing->command->line_end = span_of(bytes, length);
    if (length <= CONF_PIPE_LINE_END_MAX_BYTES)
        return true;
    conf_error_set(parsing->error, "eol: longer than %d bytes", CONF_PIPE_LINE_END_MAX_BYTES);
    return false;
}

static bool parse_attribute(struct parsing *parsing, struct span name, struct span value)
{
    struct conf_pipe_command *command = parsing->command;
    if (span_equals(name, SPAN("flags")))
        return parse_flags(parsing, value);
    if (span_equals(name, SPAN("user")))
        return parse_user(parsing, value);
    if (span_equals(name, SPAN("chroot")))
        return parse_path(parsing, "chroot", value, &command->chroot);
    if (span_equals(name, SPAN("directory")))
        return parse_path(parsing, "directory", value, &command->directory);
    if (span_equals(name, SPAN("eol")))
        return parse_line_end(parsing, value);
    if (span_equals(name, SPAN("size")))
        return parse_size(parsing, value);
    if (span_equals(name, SPAN("null_sender"))) {
        command->null_sender = value;
        return true;
    }
    conf_error_set(parsing->error,
                   "%.*s: unknown attribute; known are flags, user, chroot, directory, eol, "
                   "null_sender, size and, as the last, argv",
                   SPAN_PRINTF(span_first(name, 80)));
    return false;
}

/* Everything behind argv= belongs to the command. */
static bool parse_arguments(struct parsing *parsing, const struct span *words, size_t count,
                            struct span first)
{
    struct span *arguments = arena_alloc(parsing->arena, count * sizeof(*arguments));
    if (!arguments) {
        conf_error_set(parsing->error, "out of memory");
        return false;
    }
    memcpy(arguments, words, count * sizeof(*arguments));
    arguments[0] = first;
    /* "argv= /path" is written, too. */
    const size_t skipped = first.length == 0 ? 1 : 0;
    parsing->command->arguments = arguments + skipped;
    parsing->command->argument_count = count - skipped;
    for (size_t i = skipped; i < count; i++) {
        struct span rest = arguments[i], text;
        enum conf_pipe_macro macro;
        for (enum piece piece; (piece = next_piece(&rest, &text, &macro)) != PIECE_END;)
            if (piece == PIECE_BAD) {
                conf_error_set(parsing->error, "argv: unknown macro in \"%.*s\"",
                               SPAN_PRINTF(span_first(arguments[i], 80)));
                return false;
            }
    }
    return true;
}

bool conf_pipe_parse(const struct span *words, size_t count, struct arena *arena,
                     struct conf_pipe_command *command, struct conf_error *error)
{
    struct parsing parsing = {arena, command, error};
    *command =
        (struct conf_pipe_command){.line_end = SPAN("\n"), .null_sender = SPAN("MAILER-DAEMON")};
    for (size_t i = 0; i < count; i++) {
        struct span name, value;
        if (!span_split_once(words[i], '=', &name, &value)) {
            conf_error_set(error, "%.*s: must be name=value",
                           SPAN_PRINTF(span_first(words[i], 80)));
            return false;
        }
        if (span_equals(name, SPAN("argv"))) {
            if (!parse_arguments(&parsing, words + i, count - i, value))
                return false;
            break;
        }
        if (!parse_attribute(&parsing, name, value))
            return false;
    }
    if (command->user.length == 0)
        conf_error_set(error, "user= is missing: as whom the command is to run");
    else if (command->argument_count == 0)
        conf_error_set(error, "argv= is missing: the command to run");
    return command->user.length > 0 && command->argument_count > 0;
}
