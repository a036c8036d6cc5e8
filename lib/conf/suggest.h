/* conf/suggest - the name that somebody may have meant. Interface: conf_suggest_name(),
 * conf_suggest_word(), conf_suggest_transport(). Pure. Callers: conf/check, conf/shapes,
 * table/check, table/restrictions. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

#include "conf/instance.h"

/* The parameter whose name is nearest, counting letters that are missing, too many, wrong or
 * swapped; empty when none is near. Text of a family is in the instance's arena. */
MUST_USE struct span conf_suggest_name(const struct conf_instance *instance, struct span name);
/* Likewise, the nearest of these words. */
MUST_USE struct span conf_suggest_word(struct span wanted, const char *const *words, size_t count);
/* Likewise, the nearest service of master.cf that delivers mail. */
MUST_USE struct span conf_suggest_transport(const struct conf_instance *instance,
                                            struct span wanted);

#endif
