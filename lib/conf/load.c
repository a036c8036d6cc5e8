/* conf/load - read sealed settings into the struct of a part.
 * The text has a line "name = value" per parameter, and for families "transport/suffix = value",
 * with
 * "/suffix = value" for transports without one. Everything is expanded and was checked by the
 * writer; it is checked again because a reader trusts nobody. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "address/ip.h"
#include "base/ascii.h"
#include "conf/part.h"
#include "conf/private.h"
#include "conf/value.h"

static bool accepts_words(const struct conf_parameter *parameter, struct span value,
                          struct span *word)
{
    struct span rest = value;
    while (span_next_word(&rest, ", \t", word))
        if (!conf_value_is_one_of(*word, parameter->choices))
            return false;
    return true;
}

static size_t count_digits(struct span text)
{
    size_t count = 0;
    while (count < text.length && ascii_is_digit(text.bytes[count]))
        count++;
    return count;
}

static bool has_unit(struct span text)
{
    const size_t digits = count_digits(text);
    return digits > 0 &&
           conf_value_is_one_of(span_after(text, digits), "b|k|kb|kib|m|mb|mib|g|gb|gib");
}

static bool accepts_number(const struct conf_parameter *parameter, struct span value,
                           struct conf_error *error, int64_t *number)
{
    if (conf_value_parse_number(value, number) && *number >= parameter->minimum &&
        *number <= parameter->maximum)
        return true;
    const char *remark = has_unit(value) ? ", written out, without a unit" : "";
    const bool is_too_large =
        value.length > 0 && count_digits(value) == value.length &&
        (!conf_value_parse_number(value, number) || *number > parameter->maximum);
    if (parameter->maximum >= CONF_NUMBER_MAX && !is_too_large)
        conf_error_set(error, "a number of %lld or more is allowed%s",
                       (long long)parameter->minimum, remark);
    else
        conf_error_set(error, "a number from %lld to %lld is allowed%s",
                       (long long)parameter->minimum, (long long)parameter->maximum, remark);
    return false;
}

static bool accepts_time(const struct conf_parameter *parameter, struct span value,
                         struct conf_error *error, int64_t *time_ms)
{
    if (conf_value_parse_time(value, parameter->unit, time_ms) &&
        *time_ms / 1000 >= parameter->minimum && *time_ms / 1000 <= parameter->maximum)
        return true;
    if (parameter->maximum >= CONF_TIME_MAX_S)
        conf_error_set(
            error,
            "a time of %llds or more is allowed: a number and s, m, h, d or w (without a "
            "letter: %c)",
            (long long)parameter->minimum, parameter->unit);
    else
        conf_error_set(
            error,
            "a time from %llds to %llds is allowed: a number and s, m, h, d or w (without "
            "a letter: %c)",
            (long long)parameter->minimum, (long long)parameter->maximum, parameter->unit);
    return false;
}

/* "hash:/file". */
static bool names_table(struct span word)
{
    const size_t colon = span_find_byte(word, ':');
    return colon > 0 && colon + 1 < word.length && word.bytes[colon + 1] == '/';
}

static bool accepts_networks(struct span value, struct conf_error *error)
{
    struct arena arena;
    struct ip_network_list list;
    struct span word = span_empty();

    arena_init(&arena, CONF_SETTINGS_MAX_BYTES, 0);
    const enum parse_result result = ip_network_list_parse(value, &arena, &list, &word);
    arena_destroy(&arena);
    if (result == PARSE_OK)
        return true;
    if (result == PARSE_MALFORMED && names_table(word)) {
        conf_error_set(error,
                       "\"%.*s\": networks cannot be in a table of this type; networks, files of "
                       "them as /file, and cidr:/file are allowed",
                       SPAN_PRINTF(span_first(word, 100)));
        return false;
    }
    conf_error_set(error,
                   "\"%.*s\" is no network: address, address/bits, [IPv6 address] or [IPv6 "
                   "address]/bits is allowed, with ! before it to leave it out; bits of the "
                   "address past /bits must be zero",
                   SPAN_PRINTF(span_first(word, 100)));
    return false;
}

/* With settings NULL only checks. */
static bool store_value(const struct conf_parameter *parameter, struct span value, void *field,
                        struct conf_error *error)
{
    struct span word;
    int64_t number = 0;
    bool truth = false;

    switch (parameter->type) {
    case CONF_TYPE_TEXT:
        if ((int64_t)value.length < parameter->minimum ||
            (int64_t)value.length > parameter->maximum) {
            conf_error_set(error, "a text of %lld to %lld bytes is allowed",
                           (long long)parameter->minimum, (long long)parameter->maximum);
            return false;
        }
        if (parameter->content == CONF_CONTENT_NETWORKS && !accepts_networks(value, error))
            return false;
        break;
    case CONF_TYPE_CHOICE:
        /* An empty default means that empty is a choice too; so does an empty first choice. */
        if (!conf_value_is_one_of(value, parameter->choices) &&
            !(span_is_empty(value) &&
              (parameter->default_text[0] == '\0' || parameter->choices[0] == '|'))) {
            conf_error_set(error, "one of %s is allowed",
                           parameter->choices + (parameter->choices[0] == '|'));
            return false;
        }
        break;
    case CONF_TYPE_WORDS:
        if (!accepts_words(parameter, value, &word)) {
            conf_error_set(error, "words of %s are allowed, not \"%.*s\"", parameter->choices,
                           SPAN_PRINTF(span_first(word, 60)));
            return false;
        }
        break;
    case CONF_TYPE_BOOL:
        if (!conf_value_parse_bool(value, &truth)) {
            conf_error_set(error, "yes or no is allowed");
            return false;
        }
        if (field)
            *(bool *)field = truth;
        return true;
    case CONF_TYPE_NUMBER:
    case CONF_TYPE_SIZE:
        if (!accepts_number(parameter, value, error, &number))
            return false;
        if (field && parameter->family)
            *(int64_t *)field = number;
        else if (field && parameter->type == CONF_TYPE_SIZE)
            *(uint64_t *)field = (uint64_t)number;
        else if (field)
            *(uint32_t *)field = (uint32_t)number; /* rows end at CONF_NUMBER_MAX */
        return true;
    case CONF_TYPE_TIME:
        if (!accepts_time(parameter, value, error, &number))
            return false;
        if (field)
            *(int64_t *)field = number;
        return true;
    case CONF_TYPE_FEEDBACK:
        if (!conf_value_parse_feedback(value, &number)) {
            conf_error_set(error, "a number from 0 to 1 is allowed, alone or divided by "
                                  "concurrency or sqrt_concurrency, as in 1 / concurrency");
            return false;
        }
        if (field)
            *(int64_t *)field = number;
        return true;
    }
    if (field)
        *(struct span *)field = value;
    return true;
}

bool conf_parameter_accepts(const struct conf_parameter *parameter, struct span value,
                            struct conf_error *error)
{
    return store_value(parameter, value, NULL, error);
}

static const struct conf_parameter *find_row(const struct conf_part *part, struct span name,
                                             bool is_family)
{
    for (size_t i = 0; i < part->parameter_count; i++) {
        const struct conf_parameter *parameter = &part->parameters[i];
        const enum conf_family_role role = is_family ? CONF_FAMILY_SUFFIX : CONF_FAMILY_NONE;
        if (parameter->family == role && span_equals(name, span_from_string(parameter->name)))
            return parameter;
    }
    return NULL;
}

/* Room for the values of each family: as many as there are lines for it. */
static bool allocate_families(const struct conf_part *part, struct span text, struct arena *arena,
                              uint8_t *settings)
{
    size_t line_count = 0;
    for (struct span rest = text; !span_is_empty(rest);
         rest = span_after(rest, span_find_byte(rest, '\n') + 1))
        line_count++;
    for (size_t i = 0; i < part->parameter_count; i++) {
        if (part->parameters[i].family != CONF_FAMILY_SUFFIX)
            continue;
        void *field = settings + part->parameters[i].offset;
        struct conf_family *family = field;
        size_t count = 0;
        const struct span suffix = span_from_string(part->parameters[i].name);
        struct span rest = text, line, name, value;
        while (!span_is_empty(rest)) {
            (void)span_split_once(rest, '\n', &line, &rest); /* the last line may lack its end */
            (void)span_split_once(line, ' ', &name, &value);
            if (span_ends_with(name, suffix))
                count++;
        }
        ASSERT(count <= line_count);
        family->values = arena_alloc(arena, (count ? count : 1) * sizeof(*family->values));
        if (!family->values)
            return false;
    }
    return true;
}

/* One line into its field. seen has a flag per row. */
static bool load_line(const struct conf_part *part, struct span line, uint8_t *settings, bool *seen,
                      struct conf_error *error)
{
    struct span name, value, transport = span_empty();
    struct conf_error reason;
    const size_t sign = span_find(line, SPAN(" = "));
    bool is_repeated;

    if (sign == line.length) {
        conf_error_set(error, "settings of %s: \"name = value\" expected: %.*s", part->name,
                       SPAN_PRINTF(span_first(line, 100)));
        return false;
    }
    name = span_first(line, sign);
    value = span_after(line, sign + 3);
    const struct span full_name = name;
    const bool is_family = span_split_once(name, '/', &transport, &name);
    if (!is_family) {
        name = full_name;
        transport = span_empty();
    }
    const struct conf_parameter *parameter = find_row(part, name, is_family);
    if (!parameter) {
        conf_error_set(error, "settings of %s: no such parameter: %.*s", part->name,
                       SPAN_PRINTF(span_first(full_name, 100)));
        return false;
    }
    void *field = settings + parameter->offset;
    const bool is_member = !span_is_empty(transport);
    bool *row_seen = &seen[parameter - part->parameters];
    if (is_member) {
        struct conf_family *family = field;
        is_repeated = false;
        for (size_t i = 0; i < family->value_count; i++)
            is_repeated = is_repeated || span_equals(family->values[i].transport, transport);
        if (!is_repeated) {
            family->values[family->value_count].transport = transport;
            field = &family->values[family->value_count++].value;
        }
    } else {
        is_repeated = *row_seen;
        *row_seen = true;
        if (is_family)
            field = &((struct conf_family *)field)->otherwise;
    }
    if (is_repeated) {
        conf_error_set(error, "settings of %s: given twice: %.*s", part->name,
                       SPAN_PRINTF(span_first(full_name, 100)));
        return false;
    }
    if (parameter->programs) {
        *(struct span *)field = value; /* each was checked; together they may be longer */
        return true;
    }
    if (!store_value(parameter, value, field, &reason)) {
        conf_error_set(error, "%.*s = %.*s: %s", SPAN_PRINTF(full_name),
                       SPAN_PRINTF(span_first(value, 100)), reason.text);
        return false;
    }
    return true;
}

bool conf_load_text(const struct conf_part *part, struct span text, struct arena *arena,
                    void *settings, struct conf_error *error)
{
    const struct span copy = arena_copy(arena, text);
    bool *seen = arena_alloc(arena, part->parameter_count * sizeof(*seen));

    memset(settings, 0, part->settings_size);
    if (!copy.bytes || !seen || !allocate_families(part, copy, arena, settings)) {
        conf_error_set(error, "settings of %s: too large for the memory set aside", part->name);
        return false;
    }
    for (struct span rest = copy, line; !span_is_empty(rest);) {
        (void)span_split_once(rest, '\n', &line, &rest); /* the last line may lack its end */
        if (!load_line(part, line, settings, seen, error))
            return false;
    }
    for (size_t i = 0; i < part->parameter_count; i++) {
        if (!seen[i] && part->parameters[i].family != CONF_FAMILY_MEMBER) {
            conf_error_set(error, "settings of %s: %s is missing", part->name,
                           part->parameters[i].name);
            return false;
        }
    }
    return true;
}

bool conf_load(const struct conf_part *part, int fd, struct arena *arena, void *settings,
               struct conf_error *error)
{
    struct span text;
    if (!conf_read_descriptor(fd, CONF_SETTINGS_MAX_BYTES, arena, &text)) {
        conf_error_set(error, "settings of %s: %s", part->name, strerror(errno));
        return false;
    }
    return conf_load_text(part, text, arena, settings, error);
}
