/* table/regexp - regexp:FILE, POSIX regular expressions as regexp_table(5) of Postfix has them.
 * The C library bounds neither the time nor the memory of a match, so these are slow tables: they
 * are asked where a hang costs nobody else anything, and is ended. */
#include "config.h"

#include <regex.h>
#include <stdlib.h>

#include "table/pattern.h"
#include "table/rules.h"

enum {
    REGEXP_ERROR_MAX_BYTES = 256,
    /* The library's compiler recurses; its stack is what this bounds. */
    REGEXP_NESTING_MAX = 250
};

struct expression {
    regex_t compiled;
    bool is_negated;
};

/* /first/ or /first/!/second/: what matches the first and not the second. */
struct regexp {
    struct expression first;
    struct expression second;
    bool has_first;
    bool has_second;
};

static bool read_options(struct table *table, const struct rule *rule, struct span options,
                         int *flags)
{
    *flags = REG_EXTENDED | REG_ICASE;
    for (size_t i = 0; i < options.length; i++) {
        switch (options.bytes[i]) {
        case 'i':
            *flags ^= REG_ICASE;
            break;
        case 'm':
            *flags ^= REG_NEWLINE;
            break;
        case 'x':
            *flags ^= REG_EXTENDED;
            break;
        default:
            rules_warn(table, rule->line_number, "unknown regexp option \"%c\": skipping this rule",
                       options.bytes[i]);
            return false;
        }
    }
    return true;
}

static bool is_nested_too_deeply(struct span expression)
{
    size_t depth = 0, deepest = 0;

    for (size_t i = 0; i < expression.length; i++) {
        if (expression.bytes[i] == '(' && ++depth > deepest)
            deepest = depth;
        else if (expression.bytes[i] == ')' && depth > 0)
            depth--;
    }
    return deepest > REGEXP_NESTING_MAX;
}

static bool take_expression(struct table *table, const struct rule *rule, struct span *rest,
                            bool may_have_second, struct expression *expression, bool *is_compiled)
{
    struct pattern pattern;
    struct arena scratch;
    int flags;

    if (!pattern_take_or_warn(table, rule, rest, may_have_second, &pattern) ||
        !read_options(table, rule, pattern.options, &flags))
        return false;
    if (is_nested_too_deeply(pattern.expression)) {
        rules_warn(table, rule->line_number, "too many nested parentheses: skipping this rule");
        return false;
    }
    arena_init(&scratch, PATTERN_MAX_BYTES + 64, 0);
    const char *string = arena_string(&scratch, pattern.expression);
    const int error = string ? regcomp(&expression->compiled, string, flags) : REG_ESPACE;
    arena_destroy(&scratch);
    if (error) {
        char text[REGEXP_ERROR_MAX_BYTES];
        (void)regerror(error, &expression->compiled, text, sizeof(text));
        rules_warn(table, rule->line_number, "%s", text);
        return false;
    }
    expression->is_negated = pattern.is_negated;
    *is_compiled = true;
    return true;
}

static bool regexp_take_pattern(struct table *table, struct rule *rule, struct span *rest)
{
    struct rules *rules = table->state;
    const bool may_have_second = rule->action == RULE_MATCH;
    struct regexp *regexp = arena_alloc(&rules->arena, sizeof(*regexp));

    if (!regexp) {
        rules->is_out_of_memory = true;
        return false;
    }
    *regexp = (struct regexp){.has_first = false};
    rule->pattern = regexp;
    if (!take_expression(table, rule, rest, may_have_second, &regexp->first, &regexp->has_first))
        return false;
    return !may_have_second || !span_starts_with(*rest, span_from_string("!")) ||
           take_expression(table, rule, rest, false, &regexp->second, &regexp->has_second);
}

static void regexp_release(struct rule *rule)
{
    struct regexp *regexp = rule->pattern;

    if (regexp && regexp->has_first)
        regfree(&regexp->first.compiled);
    if (regexp && regexp->has_second)
        regfree(&regexp->second.compiled);
    rule->pattern = NULL;
}

static bool regexp_check_result(struct table *table, struct rule *rule)
{
    const struct regexp *regexp = rule->pattern;
    return pattern_check_rule(table, rule, regexp->first.compiled.re_nsub,
                              regexp->first.is_negated);
}

#ifdef POSTHOUSE_SANITIZERS
/* AddressSanitizer looks for a NUL at the end, whatever REG_STARTEND says. */
static int execute(const regex_t *compiled, struct span key, size_t count, regmatch_t *parts)
{
    char *text = malloc(key.length + 1);
    if (!text)
        return REG_ESPACE;
    if (key.length)
        memcpy(text, key.bytes, key.length);
    text[key.length] = '\0';
    const int result = regexec(compiled, text, count, parts, REG_STARTEND);
    free(text);
    return result;
}
#else
static int execute(const regex_t *compiled, struct span key, size_t count, regmatch_t *parts)
{
    return regexec(compiled, (const char *)key.bytes, count, parts, REG_STARTEND);
}
#endif

static enum rule_verdict try_expression(struct table *table, const struct rule *rule,
                                        const struct expression *expression, struct span key,
                                        regmatch_t *parts, size_t count)
{
    /* The key is not ended by a NUL, and may have some. */
    parts[0] = (regmatch_t){.rm_so = 0, .rm_eo = (regoff_t)key.length};
    const int result = execute(&expression->compiled, key, count, parts);
    if (result == 0 || result == REG_NOMATCH)
        return (result == 0) != expression->is_negated ? RULE_MATCHES : RULE_DIFFERS;
    char text[REGEXP_ERROR_MAX_BYTES];
    (void)regerror(result, &expression->compiled, text, sizeof(text));
    table_fail(table, "line %zu: %s", rule->line_number, text);
    return RULE_FAILS;
}

static enum rule_verdict regexp_match(struct table *table, const struct rule *rule, struct span key,
                                      struct rule_groups *groups)
{
    const struct regexp *regexp = rule->pattern;
    const size_t wanted = rule->is_expanded ? regexp->first.compiled.re_nsub + 1 : 1;
    regmatch_t parts[RULE_GROUPS_MAX];
    regmatch_t ignored[1];

    const size_t count = wanted < RULE_GROUPS_MAX ? wanted : RULE_GROUPS_MAX;
    enum rule_verdict verdict = try_expression(table, rule, &regexp->first, key, parts, count);
    if (verdict == RULE_MATCHES && regexp->has_second)
        verdict = try_expression(table, rule, &regexp->second, key, ignored, 1);
    if (verdict != RULE_MATCHES || regexp->first.is_negated)
        return verdict;
    groups->count = count;
    for (size_t i = 0; i < count; i++)
        groups->groups[i] = parts[i].rm_so < 0
                                ? (struct span){NULL, 0}
                                : span_between(key, (size_t)parts[i].rm_so, (size_t)parts[i].rm_eo);
    return verdict;
}

static bool regexp_open(struct table *table, struct span argument)
{
    static const struct rule_dialect dialect = {.name = "regexp",
                                                .take_pattern = regexp_take_pattern,
                                                .check_result = regexp_check_result,
                                                .match = regexp_match,
                                                .release = regexp_release};
    return rules_open(table, argument, &dialect);
}

const struct table_kind table_kind_regexp = {.type = "regexp",
                                             .is_slow = true,
                                             .keeps_key = true,
                                             .open = regexp_open,
                                             .lookup = rules_lookup,
                                             .prepare = rules_prepare,
                                             .close = rules_close};
