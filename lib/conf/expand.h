/* conf/expand - $name, ${name?text}, ${name:text}, ${name?{a}:{b}}, ${{a} == {b} ? {c} : {d}}.
 * $(...) is the same as ${...}, $$ is a dollar sign. A condition looks at the raw value of its
 * name, as Postfix does: a name whose value only refers to an undefined one counts as set. Numbers
 * are compared as numbers when both sides are, release levels ("3.6") with the operator suffix
 * "level". Interface: conf_expand(). Pure: names are found through a callback. Callers:
 * conf/instance, tools/postconf, the fuzzer. */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base/buffer.h"
#include "conf/notice.h"

enum {
    CONF_EXPAND_MAX_DEPTH = 50,
    CONF_EXPAND_MAX_REFERENCES = 20000, /* against values that double at each step */
    CONF_EXPAND_MAX_BYTES = 256 * 1024
};

struct conf_definition {
    struct span text;
    bool is_literal; /* not to be expanded again */
};

struct conf_scope {
    /* False when nobody defines the name: it is then empty. */
    bool (*find)(void *context, struct span name, struct conf_definition *definition);
    void *context;
    size_t *undefined_count; /* NULL, or counts the $name that nobody defines */
};

/* Appends the expanded text. On failure false, and *error says why (without file and line). */
MUST_USE bool conf_expand(struct span text, const struct conf_scope *scope, struct buffer *output,
                          struct conf_error *error);
/* Calls visit for every name that the text mentions, in whatever branch. */
void conf_for_each_reference(struct span text, void (*visit)(void *context, struct span name),
                             void *context);

#endif
