/* table/rules - tables that are a list of patterns, tried in order: cidr:, regexp:, pcre:.
 *   pattern result      the first rule whose pattern matches gives the result
 *   !pattern result     matches what the pattern does not
 *   if pattern, endif   rules between are tried only where the pattern matches
 * A dialect says what a pattern is. The text is a file, or stands in the name:
 * regexp:{ {/a/ b}, {/c/ d} }. A rule that is wrong is left out with a warning.
 * Private to lib/table. */
#ifndef TABLE_RULES_H
#define TABLE_RULES_H

#include "table/text_file.h"

enum { RULE_GROUPS_MAX = 100, RULES_MAX_BYTES = 64 * 1024 * 1024 };

enum rule_action { RULE_MATCH, RULE_IF, RULE_ENDIF };
enum rule_verdict {
    RULE_MATCHES,
    RULE_DIFFERS,
    RULE_IS_APART, /* of another kind than the key: its negation does not match either */
    RULE_FAILS     /* table_fail() says why */
};

struct rule {
    struct rule *next;
    struct rule *enclosing; /* RULE_IF while loading: the one around it */
    struct rule *block_end; /* RULE_IF: its endif, NULL at the end of the table */
    enum rule_action action;
    bool is_negated;
    bool is_expanded; /* the result has $ in it */
    size_t line_number;
    struct span result;
    void *pattern; /* the dialect's */
};

/* What the parts in parentheses matched; spans with NULL bytes for those that did not take part. */
struct rule_groups {
    struct span groups[RULE_GROUPS_MAX];
    size_t count;
};

struct rule_dialect {
    const char *name;
    /* Takes the pattern, and the ! before it, off *rest and sets rule->is_negated and pattern.
     * False after a warning. */
    bool (*take_pattern)(struct table *table, struct rule *rule, struct span *rest);
    /* Looks at rule->result of a RULE_MATCH; false after a warning. NULL: anything will do. */
    bool (*check_result)(struct table *table, struct rule *rule);
    /* What all rules have in common about a key; false: no rule can match. May be NULL. */
    bool (*take_key)(struct table *table, struct span key);
    enum rule_verdict (*match)(struct table *table, const struct rule *rule, struct span key,
                               struct rule_groups *groups);
    void (*release)(struct rule *rule); /* NULL: the arena is all */
    bool needs_result;                  /* a rule without one is left out, not empty */
    bool has_bare_blocks; /* if and endif with text behind them are left out, not read without */
};

struct rules {
    const struct rule_dialect *dialect;
    struct arena arena; /* of the rules; emptied when the text is read again */
    struct rule *first;
    struct rule *last;
    struct rule *open_if;
    struct text_file file;
    bool is_out_of_memory;
    struct span inline_text; /* inside the braces; NULL bytes: a file */
    void *dialect_state;     /* for the life of the table */
};

MUST_USE bool rules_open(struct table *table, struct span argument,
                         const struct rule_dialect *dialect);
MUST_USE enum table_result rules_prepare(struct table *table);
MUST_USE enum table_result rules_lookup(struct table *table, struct span key, struct buffer *value);
void rules_close(struct table *table);

/* "regexp map FILE, line N: ..." */
void rules_warn(struct table *table, size_t line_number, const char *format, ...) PRINTF_LIKE(3, 4);
struct span rules_skip_space(struct span text);

#endif
