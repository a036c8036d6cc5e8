/* table/pattern - see pattern.h. */
#include "table/pattern.h"

#include "base/ascii.h"
#include "base/number.h"

const char *pattern_take(struct span *rest, bool ends_at_exclamation, struct pattern *pattern,
                         uint8_t *delimiter)
{
    struct span text = *rest;
    size_t end = 1;

    *pattern = (struct pattern){.is_negated = false};
    *delimiter = 0;
    for (; text.length && (text.bytes[0] == '!' || ascii_is_space(text.bytes[0]));
         text = span_after(text, 1))
        if (text.bytes[0] == '!')
            pattern->is_negated = !pattern->is_negated;
    if (!text.length)
        return "no regexp";
    while (end < text.length && text.bytes[end] != text.bytes[0])
        end += text.bytes[end] == '\\' ? 2 : 1;
    if (end >= text.length) {
        *delimiter = text.bytes[0];
        return "no closing regexp delimiter";
    }
    if (end > PATTERN_MAX_BYTES)
        return "regexp is too long";
    pattern->expression = span_between(text, 1, end);
    text = span_after(text, end + 1);
    for (end = 0; end < text.length && !ascii_is_space(text.bytes[end]) &&
                  !(ends_at_exclamation && text.bytes[end] == '!');)
        end++;
    pattern->options = span_first(text, end);
    *rest = span_after(text, end);
    return NULL;
}

bool pattern_take_or_warn(struct table *table, const struct rule *rule, struct span *rest,
                          bool ends_at_exclamation, struct pattern *pattern)
{
    uint8_t delimiter = 0;
    const char *problem = pattern_take(rest, ends_at_exclamation, pattern, &delimiter);

    if (problem && delimiter)
        rules_warn(table, rule->line_number, "%s \"%c\": skipping this rule", problem, delimiter);
    else if (problem)
        rules_warn(table, rule->line_number, "%s: skipping this rule", problem);
    return !problem;
}

/* What stands after a "$", which is gone from *rest: the name, or no bytes for "$$". */
static bool take_reference(struct span *rest, struct span *name)
{
    size_t end = 0;

    *name = span_empty();
    if (!rest->length)
        return false;
    const uint8_t first = rest->bytes[0];
    if (first == '$') {
        *rest = span_after(*rest, 1);
        return true;
    }
    if (first == '{' || first == '(') {
        end = span_find_byte(*rest, first == '{' ? '}' : ')');
        if (end == rest->length)
            return false;
        *name = span_between(*rest, 1, end);
        *rest = span_after(*rest, end + 1);
        return name->length > 0;
    }
    while (end < rest->length && (ascii_is_alnum(rest->bytes[end]) || rest->bytes[end] == '_'))
        end++;
    *name = span_first(*rest, end);
    *rest = span_after(*rest, end);
    return end > 0;
}

enum pattern_result_problem pattern_result_check(struct span result, size_t group_count,
                                                 size_t *highest, bool *has_dollar,
                                                 struct span *name)
{
    *highest = 0;
    *has_dollar = false;
    *name = span_empty();
    for (size_t dollar; (dollar = span_find_byte(result, '$')) < result.length;) {
        uint64_t number = 0;
        result = span_after(result, dollar + 1);
        *has_dollar = true;
        if (!take_reference(&result, name))
            return PATTERN_RESULT_BAD_SYNTAX;
        if (!name->length)
            continue;
        for (size_t i = 0; i < name->length; i++)
            if (!ascii_is_digit(name->bytes[i]))
                return PATTERN_RESULT_NOT_NUMERIC;
        if (!number_parse_uint64(*name, RULE_GROUPS_MAX - 1, &number) || number == 0 ||
            number > group_count)
            return PATTERN_RESULT_OUT_OF_RANGE;
        if (number > *highest)
            *highest = (size_t)number;
    }
    return PATTERN_RESULT_FINE;
}

void pattern_expand(struct span result, const struct rule_groups *groups, struct buffer *value)
{
    while (result.length) {
        const size_t dollar = span_find_byte(result, '$');
        struct span name;
        uint64_t number = 0;

        buffer_append_span(value, span_first(result, dollar));
        if (dollar == result.length)
            return;
        result = span_after(result, dollar + 1);
        if (!take_reference(&result, &name))
            return;
        if (!name.length)
            buffer_append_byte(value, '$');
        else if (number_parse_uint64(name, RULE_GROUPS_MAX - 1, &number) &&
                 number < groups->count && groups->groups[number].bytes)
            buffer_append_span(value, groups->groups[number]);
    }
}

bool pattern_check_rule(struct table *table, struct rule *rule, size_t group_count, bool is_negated)
{
    size_t highest;
    struct span name;
    /* What a pattern that did not match has in its groups is nothing. */
    const enum pattern_result_problem problem =
        pattern_result_check(rule->result, is_negated ? RULE_GROUPS_MAX : group_count, &highest,
                             &rule->is_expanded, &name);

    switch (problem) {
    case PATTERN_RESULT_FINE:
        break;
    case PATTERN_RESULT_BAD_SYNTAX:
        rules_warn(table, rule->line_number, "bad replacement syntax: skipping this rule");
        return false;
    case PATTERN_RESULT_NOT_NUMERIC:
        rules_warn(table, rule->line_number,
                   "non-numeric replacement index \"%.*s\": skipping this rule",
                   SPAN_PRINTF(span_first(name, 100)));
        return false;
    case PATTERN_RESULT_OUT_OF_RANGE:
        rules_warn(table, rule->line_number,
                   "out of range replacement index \"%.*s\": skipping this rule",
                   SPAN_PRINTF(span_first(name, 100)));
        return false;
    }
    if (is_negated && highest > 0) {
        rules_warn(table, rule->line_number,
                   "$number found in negative match replacement text: skipping this rule");
        return false;
    }
    return true;
}
