/* conf/expand - $name and its relatives. */
#include "conf/expand.h"

#include "base/ascii.h"
#include "base/number.h"

struct expansion {
    const struct conf_scope *scope;
    struct buffer *output;
    struct conf_error *error;
    unsigned depth;
    unsigned reference_count;
};

static bool expand_text(struct expansion *expansion, struct span text);

static bool is_name_byte(uint8_t byte)
{
    return ascii_is_alnum(byte) || byte == '_';
}

static struct span skip_space(struct span text)
{
    while (text.length > 0 && ascii_is_space(text.bytes[0]))
        text = span_after(text, 1);
    return text;
}

static bool begins_with(struct span text, uint8_t byte)
{
    return text.length > 0 && text.bytes[0] == byte;
}

/* The text starts with an opening bracket; its partner's offset, or the length without one. */
static size_t find_partner(struct span text)
{
    const uint8_t opening = text.bytes[0];
    const uint8_t closing = opening == '(' ? ')' : '}';
    size_t level = 0;

    for (size_t i = 0; i < text.length; i++) {
        if (text.bytes[i] == opening)
            level++;
        else if (text.bytes[i] == closing && --level == 0)
            return i;
    }
    return text.length;
}

/* Takes "{text}" off *rest, white space before it included. */
static bool take_braced(struct expansion *expansion, struct span *rest, struct span *inner)
{
    const struct span at = skip_space(*rest);
    const size_t end = begins_with(at, '{') ? find_partner(at) : at.length;

    if (end == at.length) {
        conf_error_set(expansion->error, "\"{text}\" expected at \"%.*s\"",
                       SPAN_PRINTF(span_first(at, 60)));
        return false;
    }
    *inner = span_between(at, 1, end);
    *rest = span_after(at, end + 1);
    return true;
}

/* What follows a condition: "?{a}:{b}", "?{a}", ":{b}", "?text", ":text". *chosen is the text of
 * the branch to take. */
static bool choose_branch(struct expansion *expansion, struct span rest, bool condition,
                          struct span *chosen)
{
    *chosen = span_empty();
    rest = skip_space(rest);
    if (begins_with(rest, ':')) {
        rest = span_after(rest, 1);
        struct span branch = rest;
        if (begins_with(skip_space(rest), '{')) {
            if (!take_braced(expansion, &rest, &branch))
                return false;
            if (!span_is_empty(skip_space(rest))) {
                conf_error_set(expansion->error, "unexpected text after '}': \"%.*s\"",
                               SPAN_PRINTF(span_first(rest, 60)));
                return false;
            }
        }
        if (!condition)
            *chosen = branch;
        return true;
    }
    if (!begins_with(rest, '?')) {
        conf_error_set(expansion->error, "'?' or ':' expected at \"%.*s\"",
                       SPAN_PRINTF(span_first(rest, 60)));
        return false;
    }
    rest = span_after(rest, 1);
    if (!begins_with(skip_space(rest), '{')) { /* the old form: all of it is the text */
        if (condition)
            *chosen = rest;
        return true;
    }
    struct span branch;
    if (!take_braced(expansion, &rest, &branch))
        return false;
    rest = skip_space(rest);
    if (!span_is_empty(rest) && !begins_with(rest, ':')) {
        conf_error_set(expansion->error, "':' expected at \"%.*s\"",
                       SPAN_PRINTF(span_first(rest, 60)));
        return false;
    }
    struct span otherwise = span_empty(); /* read even when not taken: mistakes there show too */
    if (!span_is_empty(rest) && !choose_branch(expansion, rest, false, &otherwise))
        return false;
    *chosen = condition ? branch : otherwise;
    return true;
}

/* Expands a comparison's side into memory of its own. */
static bool expand_aside(struct expansion *expansion, struct span text, struct buffer *aside)
{
    struct buffer *output = expansion->output;
    expansion->output = aside;
    const bool result = expand_text(expansion, text) && buffer_ok(aside);
    expansion->output = output;
    return result;
}

static bool parse_integer(struct span text, int64_t *value)
{
    uint64_t magnitude;
    const bool is_negative = begins_with(text, '-');
    if (!number_parse_uint64(span_after(text, is_negative), INT64_MAX, &magnitude))
        return false;
    *value = is_negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return true;
}

static int compare_plain(struct span left, struct span right)
{
    int64_t a, b;
    if (parse_integer(left, &a) && parse_integer(right, &b))
        return (a > b) - (a < b);
    return span_compare(left, right);
}

/* Release levels: numbers between dots, compared one by one, missing ones counting as 0. */
static bool compare_levels(struct expansion *expansion, struct span left, struct span right,
                           int *order)
{
    *order = 0;
    while (!span_is_empty(left) || !span_is_empty(right)) {
        uint64_t a = 0, b = 0;
        struct span part;
        bool is_number = true;
        if (!span_is_empty(left)) {
            (void)span_split_once(left, '.', &part, &left); /* the last part has no dot */
            is_number = number_parse_uint64(part, UINT32_MAX, &a);
        }
        if (!span_is_empty(right)) {
            (void)span_split_once(right, '.', &part, &right);
            is_number = number_parse_uint64(part, UINT32_MAX, &b) && is_number;
        }
        if (!is_number) {
            conf_error_set(expansion->error,
                           "a level is numbers between dots, as in 3.6, or a single number");
            return false;
        }
        if (*order == 0)
            *order = (a > b) - (a < b);
    }
    return true;
}

struct operator_name {
    const char *text;
    bool is_true_if_less;
    bool is_true_if_equal;
    bool is_true_if_greater;
};

/* Longer ones first, so that "<=" is not read as "<". */
static const struct operator_name operators[] = {
    {"==", false, true, false}, {"!=", true, false, true}, {"<=", true, true, false},
    {">=", false, true, true},  {"<", true, false, false}, {">", false, false, true},
};

/* "{left} op {right}"; *rest is what follows. */
static bool evaluate_comparison(struct expansion *expansion, struct span *rest, bool *result)
{
    struct span sides[2];
    struct buffer values[2];
    const struct operator_name *operator= NULL;
    bool is_ok = false, is_level = false;
    int order = 0;

    buffer_init(&values[0], NULL, CONF_EXPAND_MAX_BYTES);
    buffer_init(&values[1], NULL, CONF_EXPAND_MAX_BYTES);
    if (!take_braced(expansion, rest, &sides[0]))
        goto done;
    *rest = skip_space(*rest);
    for (size_t i = 0; i < ARRAY_LENGTH(operators) && !operator; i++)
        if (span_starts_with(*rest, span_from_string(operators[i].text)))
            operator= & operators[i];
    if (!operator) {
        conf_error_set(expansion->error, "==, !=, <, <=, >= or > expected at \"%.*s\"",
                       SPAN_PRINTF(span_first(*rest, 60)));
        goto done;
    }
    *rest = span_after(*rest, strlen(operator->text));
    if (span_starts_with(*rest, SPAN("level"))) {
        is_level = true;
        *rest = span_after(*rest, 5);
    }
    if (!take_braced(expansion, rest, &sides[1]) ||
        !expand_aside(expansion, sides[0], &values[0]) ||
        !expand_aside(expansion, sides[1], &values[1]))
        goto done;
    if (!is_level)
        order = compare_plain(buffer_span(&values[0]), buffer_span(&values[1]));
    else if (!compare_levels(expansion, buffer_span(&values[0]), buffer_span(&values[1]), &order))
        goto done;
    *result = order < 0 ? operator->is_true_if_less : order == 0
        ?
        operator->is_true_if_equal : operator->is_true_if_greater;
    is_ok = true;
done:
    buffer_release(&values[0]);
    buffer_release(&values[1]);
    return is_ok;
}

static bool find_name(struct expansion *expansion, struct span name,
                      struct conf_definition *definition)
{
    *definition = (struct conf_definition){.text = span_empty()};
    return expansion->scope->find(expansion->scope->context, name, definition);
}

static bool expand_name(struct expansion *expansion, struct span name)
{
    struct conf_definition definition;
    if (!find_name(expansion, name, &definition)) {
        if (expansion->scope->undefined_count)
            ++*expansion->scope->undefined_count;
        return true;
    }
    if (definition.is_literal) {
        buffer_append_span(expansion->output, definition.text);
        return true;
    }
    if (expansion->depth >= CONF_EXPAND_MAX_DEPTH) {
        conf_error_set(expansion->error, "$%.*s refers to itself, or references nest too deeply",
                       SPAN_PRINTF(span_first(name, 60)));
        return false;
    }
    return expand_text(expansion, definition.text);
}

/* What stands between ${ and }. */
static bool expand_braced(struct expansion *expansion, struct span inner)
{
    bool condition = false;
    struct span rest = skip_space(inner), chosen;

    if (begins_with(rest, '{')) {
        if (!evaluate_comparison(expansion, &rest, &condition))
            return false;
        if (span_is_empty(skip_space(rest))) { /* no branches: the value of a true comparison */
            if (condition)
                buffer_append_string(expansion->output, "true");
            return true;
        }
        return choose_branch(expansion, rest, condition, &chosen) && expand_text(expansion, chosen);
    }
    size_t length = 0;
    while (length < rest.length && is_name_byte(rest.bytes[length]))
        length++;
    const struct span name = span_first(rest, length);
    rest = skip_space(span_after(rest, length));
    if (length == 0) {
        conf_error_set(expansion->error, "a name is missing in \"${%.*s}\"",
                       SPAN_PRINTF(span_first(inner, 60)));
        return false;
    }
    if (span_is_empty(rest))
        return expand_name(expansion, name);
    if (rest.bytes[0] != '?' && rest.bytes[0] != ':') {
        conf_error_set(expansion->error,
                       "names have letters, digits and '_': unexpected \"%.*s\" in \"${%.*s}\"",
                       SPAN_PRINTF(span_first(rest, 20)), SPAN_PRINTF(span_first(inner, 60)));
        return false;
    }
    struct conf_definition definition;
    condition = find_name(expansion, name, &definition) && !span_is_empty(definition.text);
    return choose_branch(expansion, rest, condition, &chosen) && expand_text(expansion, chosen);
}

static bool expand_reference(struct expansion *expansion, struct span *rest)
{
    if (++expansion->reference_count > CONF_EXPAND_MAX_REFERENCES) {
        conf_error_set(expansion->error, "more than %d references in one value",
                       CONF_EXPAND_MAX_REFERENCES);
        return false;
    }
    const struct span at = *rest; /* after the dollar sign */
    if (begins_with(at, '$')) {
        buffer_append_byte(expansion->output, '$');
        *rest = span_after(at, 1);
        return true;
    }
    if (begins_with(at, '{') || begins_with(at, '(')) {
        const size_t end = find_partner(at);
        if (end == at.length) {
            conf_error_set(expansion->error, "'%c' is missing after \"$%.*s\"",
                           at.bytes[0] == '(' ? ')' : '}', SPAN_PRINTF(span_first(at, 60)));
            return false;
        }
        *rest = span_after(at, end + 1);
        return expand_braced(expansion, span_between(at, 1, end));
    }
    size_t length = 0;
    while (length < at.length && is_name_byte(at.bytes[length]))
        length++;
    if (length == 0) {
        conf_error_set(expansion->error,
                       "a name is missing after '$' in \"$%.*s\"; write $$ for a dollar sign",
                       SPAN_PRINTF(span_first(at, 60)));
        return false;
    }
    *rest = span_after(at, length);
    return expand_name(expansion, span_first(at, length));
}

static bool expand_text(struct expansion *expansion, struct span text)
{
    bool is_ok = true;

    if (expansion->depth >= CONF_EXPAND_MAX_DEPTH) {
        conf_error_set(expansion->error, "references nest too deeply");
        return false;
    }
    expansion->depth++;
    while (is_ok && !span_is_empty(text)) {
        const size_t dollar = span_find_byte(text, '$');
        buffer_append_span(expansion->output, span_first(text, dollar));
        if (dollar == text.length)
            break;
        text = span_after(text, dollar + 1);
        is_ok = expand_reference(expansion, &text);
    }
    expansion->depth--;
    return is_ok;
}

bool conf_expand(struct span text, const struct conf_scope *scope, struct buffer *output,
                 struct conf_error *error)
{
    struct expansion expansion = {.scope = scope, .output = output, .error = error};
    if (!expand_text(&expansion, text))
        return false;
    if (!buffer_ok(output)) {
        conf_error_set(error, "the value grows too long when its references are replaced");
        return false;
    }
    return true;
}

void conf_for_each_reference(struct span text, void (*visit)(void *context, struct span name),
                             void *context)
{
    while (!span_is_empty(text)) {
        text = span_after(text, span_find_byte(text, '$') + 1);
        if (begins_with(text, '$')) {
            text = span_after(text, 1);
            continue;
        }
        struct span at = text;
        if (begins_with(at, '{') || begins_with(at, '('))
            at = skip_space(span_after(at, 1));
        size_t length = 0;
        while (length < at.length && is_name_byte(at.bytes[length]))
            length++;
        if (length > 0)
            visit(context, span_first(at, length));
    }
}
