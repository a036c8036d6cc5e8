/* table/pcre - pcre:FILE, Perl's regular expressions as pcre_table(5) of Postfix has them.
 * Steps, depth and memory of a match are bounded; a key that needs more than that is a temporary
 * error. Compiling needs more stack than a task has, and steps take time: these are slow tables.
 * No JIT: it wants memory that can be written and run, which the sandbox refuses. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/utf8.h"
#include "table/pattern.h"
#include "table/rules.h"

enum {
    PCRE_STEPS_MAX = 1000000,
    PCRE_DEPTH_MAX = 100000,
    PCRE_HEAP_MAX_KB = 16 * 1024,
    PCRE_NESTING_MAX = 100,
    PCRE_ERROR_MAX_BYTES = 256
};

struct pcre {
    pcre2_compile_context *compiling;
    pcre2_match_context *matching;
    pcre2_match_data *data;
};

static bool read_options(struct table *table, const struct rule *rule, struct span options,
                         uint32_t *flags)
{
    static const struct {
        uint32_t flag;
        uint8_t letter;
    } letters[] = {{PCRE2_CASELESS, 'i'}, {PCRE2_MULTILINE, 'm'},
                   {PCRE2_DOTALL, 's'},   {PCRE2_EXTENDED, 'x'},
                   {PCRE2_ANCHORED, 'A'}, {PCRE2_DOLLAR_ENDONLY, 'E'},
                   {PCRE2_UNGREEDY, 'U'}, {0, 'X'}}; /* X has no meaning in this library */

    *flags = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C;
    for (size_t i = 0; i < options.length; i++) {
        size_t row = 0;
        while (row < ARRAY_LENGTH(letters) && letters[row].letter != options.bytes[i])
            row++;
        if (row == ARRAY_LENGTH(letters)) {
            rules_warn(table, rule->line_number, "unknown regexp option \"%c\": skipping this rule",
                       options.bytes[i]);
            return false;
        }
        *flags ^= letters[row].flag;
    }
    return true;
}

static bool pcre_take_pattern(struct table *table, struct rule *rule, struct span *rest)
{
    const struct rules *rules = table->state;
    const struct pcre *pcre = rules->dialect_state;
    struct pattern pattern;
    uint32_t flags;
    int error;
    PCRE2_SIZE offset;

    if (!pattern_take_or_warn(table, rule, rest, false, &pattern) ||
        !read_options(table, rule, pattern.options, &flags))
        return false;
    if (utf8_is_valid(pattern.expression))
        flags |= PCRE2_UTF | PCRE2_NO_UTF_CHECK;
    rule->is_negated = pattern.is_negated;
    rule->pattern = pcre2_compile(pattern.expression.bytes, pattern.expression.length, flags,
                                  &error, &offset, pcre->compiling);
    if (!rule->pattern) {
        PCRE2_UCHAR text[PCRE_ERROR_MAX_BYTES] = "";
        (void)pcre2_get_error_message(error, text, sizeof(text)); /* cut off if too long */
        rules_warn(table, rule->line_number, "error in regex at offset %zu: %s", (size_t)offset,
                   (const char *)text);
    }
    return rule->pattern != NULL;
}

static void pcre_release(struct rule *rule)
{
    pcre2_code_free(rule->pattern);
    rule->pattern = NULL;
}

static bool pcre_check_result(struct table *table, struct rule *rule)
{
    uint32_t count = 0;
    (void)pcre2_pattern_info(rule->pattern, PCRE2_INFO_CAPTURECOUNT, &count); /* cannot fail */
    return pattern_check_rule(table, rule, count, rule->is_negated);
}

/* As in Postfix, what is not UTF-8 is not looked up. */
static bool pcre_take_key(struct table *table UNUSED, struct span key)
{
    return utf8_is_valid(key);
}

static enum rule_verdict pcre_match(struct table *table, const struct rule *rule, struct span key,
                                    struct rule_groups *groups)
{
    const struct rules *rules = table->state;
    const struct pcre *pcre = rules->dialect_state;
    const int result = pcre2_match(rule->pattern, key.bytes, key.length, 0, PCRE2_NO_UTF_CHECK,
                                   pcre->data, pcre->matching);

    if (result == PCRE2_ERROR_NOMATCH)
        return RULE_DIFFERS;
    if (result < 0) {
        PCRE2_UCHAR text[PCRE_ERROR_MAX_BYTES] = "";
        (void)pcre2_get_error_message(result, text, sizeof(text)); /* cut off if too long */
        table_fail(table, "line %zu: %s", rule->line_number, (const char *)text);
        return RULE_FAILS;
    }
    const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(pcre->data);
    /* 0: more groups than there is room for, and none of those may be asked for */
    groups->count = result > 0 ? (size_t)result : RULE_GROUPS_MAX;
    for (size_t i = 0; i < groups->count; i++) {
        const bool is_set = ends[2 * i] != PCRE2_UNSET && ends[2 * i] <= ends[2 * i + 1];
        groups->groups[i] =
            is_set ? span_between(key, ends[2 * i], ends[2 * i + 1]) : (struct span){NULL, 0};
    }
    return RULE_MATCHES;
}

static void pcre_close(struct table *table)
{
    struct rules *rules = table->state;
    struct pcre *pcre = rules ? rules->dialect_state : NULL;

    rules_close(table);
    if (!pcre)
        return;
    pcre2_match_data_free(pcre->data);
    pcre2_match_context_free(pcre->matching);
    pcre2_compile_context_free(pcre->compiling);
}

static bool pcre_open(struct table *table, struct span argument)
{
    static const struct rule_dialect dialect = {.name = "pcre",
                                                .take_pattern = pcre_take_pattern,
                                                .check_result = pcre_check_result,
                                                .take_key = pcre_take_key,
                                                .match = pcre_match,
                                                .release = pcre_release};
    struct pcre *pcre = arena_alloc(&table->arena, sizeof(*pcre));

    if (!pcre || !rules_open(table, argument, &dialect))
        return false;
    ((struct rules *)table->state)->dialect_state = pcre;
    *pcre = (struct pcre){.compiling = pcre2_compile_context_create(NULL),
                          .matching = pcre2_match_context_create(NULL),
                          .data = pcre2_match_data_create(RULE_GROUPS_MAX, NULL)};
    if (!pcre->compiling || !pcre->matching || !pcre->data) {
        table_fail(table, "memory is out");
        return false;
    }
    (void)pcre2_set_parens_nest_limit(pcre->compiling, PCRE_NESTING_MAX); /* these cannot fail */
    (void)pcre2_set_max_pattern_length(pcre->compiling, PATTERN_MAX_BYTES);
    (void)pcre2_set_match_limit(pcre->matching, PCRE_STEPS_MAX);
    (void)pcre2_set_depth_limit(pcre->matching, PCRE_DEPTH_MAX);
    (void)pcre2_set_heap_limit(pcre->matching, PCRE_HEAP_MAX_KB);
    return true;
}

const struct table_kind table_kind_pcre = {.type = "pcre",
                                           .is_slow = true,
                                           .keeps_key = true,
                                           .open = pcre_open,
                                           .lookup = rules_lookup,
                                           .prepare = rules_prepare,
                                           .close = pcre_close};
