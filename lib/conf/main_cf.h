/* conf/main_cf - the text of main.cf as a sorted list of names with raw values (postconf(5)
 * syntax). Interface: conf_main_parse(), conf_main_find(). Pure: text in, structure out. Callers:
 * conf/instance, tools/postconf, the fuzzer. */
#ifndef CONF_MAIN_CF_H
#define CONF_MAIN_CF_H

#include "conf/notice.h"

enum { CONF_LINE_MAX_BYTES = 256 * 1024, CONF_MAIN_MAX_ENTRIES = 20000 };

struct conf_entry {
    struct span name;
    struct span value; /* as written, $name not replaced */
    uint32_t line;
    bool is_referenced; /* something mentions $name or otherwise knows it */
};

struct conf_main {
    struct span file;           /* for messages */
    struct conf_entry *entries; /* sorted by name, each once */
    size_t entry_count;
};

/* "name = value", as main.cf and "-o" write it: fills both, trimmed. On failure false and *reason
 * is a text for the operator. */
MUST_USE bool conf_split_assignment(struct span text, struct span *name, struct span *value,
                                    const char **reason);

/* Fills *main even when lines were wrong (they are left out). The later of two lines with one name
 * wins, with a warning. file is what messages call the text. False when an error was noted. */
MUST_USE bool conf_main_parse(struct span text, struct span file, struct arena *arena,
                              struct conf_main *main, struct conf_notices *notices);
/* NULL when the file does not set it. Names are case-sensitive. */
MUST_USE struct conf_entry *conf_main_find(const struct conf_main *main, struct span name);
/* As if the last line of the file said so. False when memory is out. */
MUST_USE bool conf_main_set(struct conf_main *main, struct span name, struct span value,
                            struct arena *arena);

#endif
