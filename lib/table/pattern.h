/* table/pattern - /regular expression/options as regexp: and pcre: tables have it, and results
 * with $1 in them. Pure. Callers: table/regexp, table/pcre, table/rules, the fuzzer. */
#ifndef TABLE_PATTERN_H
#define TABLE_PATTERN_H

#include "table/rules.h"

enum { PATTERN_MAX_BYTES = 64 * 1024 };

struct pattern {
    struct span expression; /* between the delimiters, backslashes untouched */
    struct span options;
    bool is_negated;
};

/* Takes one pattern off *rest; options end at white space, or with ends_at_exclamation at "!".
 * NULL, or what is wrong. *delimiter is that of an expression without an
 * end, or 0. */
MUST_USE const char *pattern_take(struct span *rest, bool ends_at_exclamation,
                                  struct pattern *pattern, uint8_t *delimiter);

enum pattern_result_problem {
    PATTERN_RESULT_FINE,
    PATTERN_RESULT_BAD_SYNTAX,  /* $ with nothing that it could mean behind it */
    PATTERN_RESULT_NOT_NUMERIC, /* $name */
    PATTERN_RESULT_OUT_OF_RANGE /* $0, or more than the expression has */
};

/* Looks for $1, ${1}, $(1) and $$. *highest: the highest number; *has_dollar: it must be expanded;
 * *name: the number or name that is wrong. */
MUST_USE enum pattern_result_problem pattern_result_check(struct span result, size_t group_count,
                                                          size_t *highest, bool *has_dollar,
                                                          struct span *name);
/* Appends the result, which pattern_result_check() found fine, with what the groups matched. */
void pattern_expand(struct span result, const struct rule_groups *groups, struct buffer *value);

/* For both dialects: the pattern, with a warning and false where there is none; and their
 * check_result, given the number of groups. */
MUST_USE bool pattern_take_or_warn(struct table *table, const struct rule *rule, struct span *rest,
                                   bool ends_at_exclamation, struct pattern *pattern);
MUST_USE bool pattern_check_rule(struct table *table, struct rule *rule, size_t group_count,
                                 bool is_negated);

#endif
