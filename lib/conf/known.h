/* conf/known - parameters of Postfix that this release knows and does not build: they may be set,
 * and what becomes of it depends on whether ignoring them would let somebody in. Interface:
 * conf_known_find(), conf_known_is_harmless(). Rows: catalogue/known.def. */
#ifndef CONF_KNOWN_H
#define CONF_KNOWN_H

#include "base/span.h"

struct conf_known {
    const char *name;
    const char *default_text;
    /* It narrows access: a value other than the default stops the start, unless every word of it is
     * among these (separated by '|'), which change nothing. NULL: it may be ignored with a warning.
     */
    const char *harmless_words;
    size_t name_length;
};

extern const struct conf_known conf_known[];
extern const size_t conf_known_count;

MUST_USE const struct conf_known *conf_known_find(struct span name);
/* May this expanded value be ignored? If not, *harmful_word is the first word that may not. */
MUST_USE bool conf_known_is_harmless(const struct conf_known *known, struct span value,
                                     struct span default_value, struct span *harmful_word);

#endif
