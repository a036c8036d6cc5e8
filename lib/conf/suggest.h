/* conf/suggest - the name that somebody may have meant. Interface: conf_suggest_name(). Pure.
 * Callers: conf/check. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

#include "conf/instance.h"

/* The parameter whose name is nearest, counting letters that are missing, too many, wrong or
 * swapped; empty when none is near. Text of a family is in the instance's arena. */
MUST_USE struct span conf_suggest_name(const struct conf_instance *instance, struct span name);

#endif
