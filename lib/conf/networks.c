/* conf/networks - see networks.h. */
#include "conf/networks.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/ascii.h"
#include "conf/lines.h"
#include "conf/private.h"

enum { NESTING_MAX = 4 };

static const char separators[] = ", \t\r\n";

struct expansion {
    const struct conf_place *place;
    struct buffer *output;
    struct conf_error *error;
    unsigned depth;
};

static bool expand_words(struct expansion *expansion, struct span words, bool is_negated);

static void append_word(struct expansion *expansion, struct span word, bool is_negated)
{
    if (expansion->output->length)
        buffer_append_byte(expansion->output, ' ');
    if (is_negated)
        buffer_append_byte(expansion->output, '!');
    buffer_append_span(expansion->output, word);
}

static bool read_text(struct expansion *expansion, struct span path, struct span *text)
{
    struct arena *arena = expansion->place->instance->arena;
    const char *name = arena_string(arena, path);
    const int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    const bool is_read = fd >= 0 && conf_read_descriptor(fd, CONF_SETTINGS_MAX_BYTES, arena, text);
    if (!is_read)
        conf_error_set(expansion->error, "%.*s: %s", SPAN_PRINTF(path), strerror(errno));
    if (fd >= 0)
        (void)close(fd); /* only read from */
    return is_read;
}

/* Calls for each logical line of a file. */
static bool read_lines(struct expansion *expansion, struct span path, bool is_negated,
                       bool (*take)(struct expansion *expansion, struct span path, struct span line,
                                    bool is_negated))
{
    struct span text;
    struct conf_lines lines;
    struct buffer line;
    uint32_t number;
    bool is_ok = true;
    if (expansion->depth >= NESTING_MAX) {
        conf_error_set(expansion->error, "%.*s: files name each other too deeply",
                       SPAN_PRINTF(path));
        return false;
    }
    if (!read_text(expansion, path, &text))
        return false;
    expansion->depth++;
    conf_lines_init(&lines, text);
    buffer_init(&line, NULL, CONF_SETTINGS_MAX_BYTES);
    while (is_ok && conf_lines_next(&lines, &line, &number))
        is_ok = take(expansion, path, buffer_span(&line), is_negated);
    buffer_release(&line);
    expansion->depth--;
    return is_ok;
}

static bool take_words(struct expansion *expansion, struct span path, struct span line,
                       bool is_negated)
{
    (void)path;
    return expand_words(expansion, line, is_negated);
}

/* "192.0.2.0/24 OK": cidr_table(5). A list has no way to say what "!" and "if" say there. */
static bool take_cidr(struct expansion *expansion, struct span path, struct span line,
                      bool is_negated)
{
    struct span pattern = span_empty();
    (void)span_next_word(&line, " \t", &pattern);
    if (pattern.length == 0 ||
        !(ascii_hex_value(pattern.bytes[0]) >= 0 || pattern.bytes[0] == ':' ||
          pattern.bytes[0] == '[') ||
        span_equals(pattern, SPAN("endif"))) {
        conf_error_set(expansion->error, "%.*s: only networks can be used here, not \"%.*s\"",
                       SPAN_PRINTF(path), SPAN_PRINTF(span_first(pattern, 60)));
        return false;
    }
    const bool is_bare_ipv6 =
        pattern.bytes[0] != '[' && span_find_byte(pattern, ':') < pattern.length;
    if (!is_bare_ipv6) {
        append_word(expansion, pattern, is_negated);
        return true;
    }
    struct span address, bits;
    const bool has_bits = span_split_once(pattern, '/', &address, &bits);
    append_word(expansion, SPAN("["), is_negated);
    buffer_append_span(expansion->output, address);
    buffer_append_byte(expansion->output, ']');
    if (has_bits) {
        buffer_append_byte(expansion->output, '/');
        buffer_append_span(expansion->output, bits);
    }
    return true;
}

static bool expand_mynetworks(struct expansion *expansion)
{
    const struct conf_place *place = expansion->place;
    struct buffer value;
    buffer_init(&value, NULL, CONF_EXPAND_MAX_BYTES);
    expansion->depth++;
    const bool is_ok = expansion->depth < NESTING_MAX &&
                       conf_instance_value(place->instance, place->service, SPAN("mynetworks"),
                                           &value, expansion->error) &&
                       expand_words(expansion, buffer_span(&value), false);
    expansion->depth--;
    buffer_release(&value);
    return is_ok;
}

static bool expand_word(struct expansion *expansion, struct span word, bool is_negated)
{
    const struct span cidr = SPAN("cidr:");
    struct span bare = word;
    while (bare.length && bare.bytes[0] == '!') {
        is_negated = !is_negated;
        bare = span_after(bare, 1);
    }
    if (span_starts_with(bare, SPAN("/")))
        return read_lines(expansion, bare, is_negated, take_words);
    if (span_starts_with_ascii_nocase(bare, cidr))
        return read_lines(expansion, span_after(bare, cidr.length), is_negated, take_cidr);
    if (span_equals_ascii_nocase(bare, SPAN("permit_inet_interfaces")))
        conf_append_interfaces(expansion->place, expansion->output);
    else if (span_equals_ascii_nocase(bare, SPAN("permit_mynetworks")))
        return expand_mynetworks(expansion);
    else if (!span_equals_ascii_nocase(bare, SPAN("check_address_map")))
        append_word(expansion, bare, is_negated);
    return true;
}

static bool expand_words(struct expansion *expansion, struct span words, bool is_negated)
{
    struct span word;
    while (span_next_word(&words, separators, &word))
        if (!expand_word(expansion, word, is_negated))
            return false;
    return true;
}

bool conf_networks_expand(const struct conf_place *place, struct span value, struct buffer *output,
                          struct conf_error *error)
{
    struct expansion expansion = {place, output, error, 0};
    if (!expand_words(&expansion, value, false))
        return false;
    if (buffer_ok(output))
        return true;
    conf_error_set(error, "too many networks");
    return false;
}
