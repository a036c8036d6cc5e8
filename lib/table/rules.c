/* table/rules - see rules.h. */
#include "table/rules.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "table/names.h"
#include "table/pattern.h"

enum { RULES_WARNING_MAX_BYTES = 1024 };

void rules_warn(struct table *table, size_t line_number, const char *format, ...)
{
    const struct rules *rules = table->state;
    char text[RULES_WARNING_MAX_BYTES];
    struct buffer line;
    va_list arguments;

    if (!table->options.warn)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *byte = text; *byte; byte++)
        if (!ascii_is_print((uint8_t)*byte))
            *byte = '?'; /* a warning is one line of text */
    buffer_init(&line, NULL, 2 * RULES_WARNING_MAX_BYTES);
    buffer_append_format(
        &line, "%s map %.*s, line %zu: %s", rules->dialect->name,
        SPAN_PRINTF(span_first(table->file ? span_from_string(table->file) : table->name, 400)),
        line_number, text);
    if (buffer_ok(&line))
        table->options.warn(table->options.warn_context, buffer_span(&line));
    buffer_release(&line);
}

struct span rules_skip_space(struct span text)
{
    while (text.length && ascii_is_space(text.bytes[0]))
        text = span_after(text, 1);
    return text;
}

/* ---- reading ---- */

static void clear(struct table *table)
{
    struct rules *rules = table->state;

    if (rules->dialect->release)
        for (struct rule *rule = rules->first; rule; rule = rule->next)
            rules->dialect->release(rule);
    rules->first = rules->last = rules->open_if = NULL;
    rules->is_out_of_memory = false;
    arena_destroy(&rules->arena);
    arena_init(&rules->arena, RULES_MAX_BYTES, 0);
}

static void link_rule(struct rules *rules, struct rule *rule)
{
    if (rules->last)
        rules->last->next = rule;
    else
        rules->first = rule;
    rules->last = rule;
}

/* Does the line begin with the word, whatever its case, and is that a word of its own? */
static bool take_word(struct span *line, const char *name)
{
    const struct span word = span_from_string(name);
    if (!span_equals_ascii_nocase(span_first(*line, word.length), word) ||
        (line->length > word.length && ascii_is_alnum(line->bytes[word.length])))
        return false;
    *line = rules_skip_space(span_after(*line, word.length));
    return true;
}

static bool finish_rule(struct table *table, struct rule *rule, struct span rest)
{
    struct rules *rules = table->state;
    const struct rule_dialect *dialect = rules->dialect;

    rest = rules_skip_space(rest);
    if (rule->action == RULE_IF && rest.length && dialect->has_bare_blocks) {
        rules_warn(table, rule->line_number, "garbage after IF: skipping this rule");
        return false;
    }
    if (rule->action == RULE_IF) {
        if (rest.length) {
            rules_warn(table, rule->line_number, "ignoring extra text after IF statement: \"%.*s\"",
                       SPAN_PRINTF(span_first(rest, 200)));
            rules_warn(table, rule->line_number,
                       "do not prepend whitespace to statements between IF and ENDIF");
        }
        return true;
    }
    if (!rest.length && dialect->needs_result) {
        rules_warn(table, rule->line_number, "no lookup result: skipping this rule");
        return false;
    }
    if (!rest.length)
        rules_warn(table, rule->line_number, "no replacement text: using empty string");
    rule->result = arena_copy(&rules->arena, rest);
    if (!rule->result.bytes) {
        rules->is_out_of_memory = true;
        return false;
    }
    return !dialect->check_result || dialect->check_result(table, rule);
}

static void end_block(struct table *table, struct rule *rule, struct span rest)
{
    struct rules *rules = table->state;

    if (rest.length && rules->dialect->has_bare_blocks) {
        rules_warn(table, rule->line_number, "garbage after ENDIF: skipping this rule");
        return;
    }
    if (rest.length)
        rules_warn(table, rule->line_number, "ignoring extra text after ENDIF");
    if (!rules->open_if) {
        rules_warn(table, rule->line_number, "ignoring ENDIF without matching IF");
        return;
    }
    rules->open_if->block_end = rule;
    rules->open_if = rules->open_if->enclosing;
    link_rule(rules, rule);
}

/* False when memory is out. */
static bool add_line(struct table *table, struct span line, size_t line_number)
{
    struct rules *rules = table->state;
    struct rule *rule = arena_alloc(&rules->arena, sizeof(*rule));

    if (!rule)
        return false;
    *rule = (struct rule){.line_number = line_number};
    if (take_word(&line, "ENDIF")) {
        rule->action = RULE_ENDIF;
        end_block(table, rule, line);
        return true;
    }
    rule->action = take_word(&line, "IF") ? RULE_IF : RULE_MATCH;
    if (!rules->dialect->take_pattern(table, rule, &line) || !finish_rule(table, rule, line)) {
        if (rules->dialect->release)
            rules->dialect->release(rule);
        return !rules->is_out_of_memory;
    }
    link_rule(rules, rule);
    if (rule->action == RULE_IF) {
        rule->enclosing = rules->open_if;
        rules->open_if = rule;
    }
    return true;
}

static bool add_entry(struct table *table, const struct table_source_entry *entry)
{
    switch (entry->problem) {
    case TABLE_SOURCE_LEADING_SPACE:
        rules_warn(table, entry->line_number,
                   "logical line must not start with whitespace: "
                   "skipping this rule");
        return true;
    case TABLE_SOURCE_HAS_NUL:
        rules_warn(table, entry->line_number, "null byte: skipping this rule");
        return true;
    case TABLE_SOURCE_TOO_LONG:
        rules_warn(table, entry->line_number, "line is too long: skipping this rule");
        return true;
    case TABLE_SOURCE_FINE:
    case TABLE_SOURCE_LOOKS_LIKE_ALIAS:
    case TABLE_SOURCE_NO_VALUE:
    case TABLE_SOURCE_UNBALANCED_QUOTE:
    case TABLE_SOURCE_NOT_UTF8:
        break; /* of no meaning in a pattern */
    }
    return add_line(table, entry->line, entry->line_number);
}

static bool finish(struct table *table)
{
    struct rules *rules = table->state;
    for (; rules->open_if; rules->open_if = rules->open_if->enclosing)
        rules_warn(table, rules->open_if->line_number, "IF has no matching ENDIF");
    return true;
}

static enum table_result load_inline(struct table *table)
{
    struct rules *rules = table->state;
    struct span rest = rules->inline_text;
    struct span word;

    if (rules->file.is_loaded)
        return TABLE_FOUND;
    clear(table);
    for (size_t number = 1; table_next_name(&rest, &word); number++) {
        struct span line;
        ASSERT(word.bytes[0] == '{' && !table_strip_braces(word, &line)); /* open_inline() */
        if (line.length && !add_line(table, line, number)) {
            clear(table);
            table_fail(table, "memory is out");
            return TABLE_ERROR;
        }
    }
    rules->file.is_loaded = true;
    return finish(table) ? TABLE_FOUND : TABLE_ERROR;
}

enum table_result rules_prepare(struct table *table)
{
    static const struct text_file_reader reader = {clear, add_entry, finish};
    struct rules *rules = table->state;

    return rules->inline_text.bytes ? load_inline(table)
                                    : text_file_prepare(table, &rules->file, &reader);
}

/* Every rule in braces of its own. */
static bool open_inline(struct table *table, struct span argument)
{
    struct rules *rules = table->state;
    const char *problem = table_strip_braces(argument, &rules->inline_text);
    struct span rest = rules->inline_text;
    struct span word = table->name;
    struct span line;

    while (!problem && table_next_name(&rest, &word))
        problem = word.bytes[0] == '{' ? table_strip_braces(word, &line) : "no '{' at the start";
    if (problem)
        table_fail(table, "%s of \"%.*s\"; need \"%s:{{rule}...}\"", problem,
                   SPAN_PRINTF(span_first(word, 400)), rules->dialect->name);
    return !problem;
}

bool rules_open(struct table *table, struct span argument, const struct rule_dialect *dialect)
{
    struct rules *rules = arena_alloc(&table->arena, sizeof(*rules));
    if (!rules)
        return false;
    *rules = (struct rules){.dialect = dialect};
    arena_init(&rules->arena, RULES_MAX_BYTES, 0);
    table->state = rules;
    if (argument.bytes[0] == '{')
        return open_inline(table, argument);
    table->file = arena_string(&table->arena, argument);
    return table->file != NULL;
}

/* ---- asking ---- */

enum table_result rules_lookup(struct table *table, struct span key, struct buffer *value)
{
    struct rules *rules = table->state;
    struct rule_groups groups;
    const enum table_result ready = rules_prepare(table);

    if (ready != TABLE_FOUND)
        return ready;
    if (rules->dialect->take_key && !rules->dialect->take_key(table, key))
        return TABLE_NOT_FOUND;
    for (const struct rule *rule = rules->first; rule; rule = rule->next) {
        if (rule->action == RULE_ENDIF)
            continue;
        groups.count = 0;
        const enum rule_verdict verdict = rules->dialect->match(table, rule, key, &groups);
        if (verdict == RULE_FAILS)
            return TABLE_ERROR;
        const bool applies = verdict == (rule->is_negated ? RULE_DIFFERS : RULE_MATCHES);
        if (rule->action == RULE_IF && !applies) {
            if (!rule->block_end)
                return TABLE_NOT_FOUND;
            rule = rule->block_end;
        } else if (rule->action == RULE_MATCH && applies) {
            if (rule->is_expanded)
                pattern_expand(rule->result, &groups, value);
            else
                buffer_append_span(value, rule->result);
            return TABLE_FOUND;
        }
    }
    return TABLE_NOT_FOUND;
}

void rules_close(struct table *table)
{
    struct rules *rules = table->state;
    if (!rules)
        return;
    clear(table);
    arena_destroy(&rules->arena);
}
