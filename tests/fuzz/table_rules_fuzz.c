/* tests/fuzz/table_rules_fuzz - tables of patterns: first the key, up to a NUL, then the rules, a
 * line each. The first byte says which dialect. regexp: has only its syntax tried, since the C
 * library's compiler promises nothing about what it is given. */
#include "table/pattern.h"
#include "table/table.h"

enum { FUZZ_NAME_MAX_BYTES = 60000 };

static void ignore_warning(void *context, struct span text)
{
    (void)context;
    ASSERT(text.length > 0);
}

static void look_up(const char *type, struct span key, struct span rules)
{
    const struct table_options options = {.flags = TABLE_MAY_BLOCK, .warn = ignore_warning};
    struct buffer name, error, value;
    struct span line;

    buffer_init(&name, NULL, FUZZ_NAME_MAX_BYTES);
    buffer_init(&error, NULL, 65536);
    buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
    buffer_append_format(&name, "%s:{", type);
    while (rules.length) {
        (void)span_split_once(rules, '\n', &line, &rules);
        buffer_append_byte(&name, '{');
        buffer_append_span(&name, line);
        buffer_append_byte(&name, '}');
    }
    buffer_append_byte(&name, '}');
    struct table *table =
        buffer_ok(&name) ? table_open(buffer_span(&name), &options, &error) : NULL;
    ASSERT(table || error.length > 0 || !buffer_ok(&name));
    if (table)
        ASSERT(table_lookup(table, key, &value) != TABLE_WOULD_BLOCK);
    table_close(&table);
    buffer_release(&name);
    buffer_release(&error);
    buffer_release(&value);
}

static void take_apart(struct span key, struct span rules)
{
    struct rule_groups groups = {.count = 3, .groups = {key, key, {NULL, 0}}};
    struct pattern pattern;
    struct buffer value;
    struct span line, name;
    uint8_t delimiter;
    size_t highest;
    bool has_dollar;

    while (rules.length) {
        (void)span_split_once(rules, '\n', &line, &rules);
        if (pattern_take(&line, true, &pattern, &delimiter))
            continue;
        ASSERT(pattern.expression.length <= PATTERN_MAX_BYTES);
        buffer_init(&value, NULL, TABLE_VALUE_MAX_BYTES);
        if (pattern_result_check(line, 3, &highest, &has_dollar, &name) == PATTERN_RESULT_FINE)
            ASSERT(highest <= 3);
        pattern_expand(line, &groups, &value);
        buffer_release(&value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    const struct span input = span_of(bytes, length);
    struct span key, rules;

    if (!length || !span_split_once(span_after(input, 1), '\0', &key, &rules))
        return 0;
    if (bytes[0] == 'c')
        look_up("cidr", key, rules);
    else if (bytes[0] == 'p')
        look_up("pcre", key, rules);
    else
        take_apart(key, rules);
    return 0;
}
