/* conf/check - what an operator should know about a configuration before it is used: wrong values,
 * names that nothing uses and what may have been meant, settings of Postfix that this release does
 * not build. Interface: conf_check(). Callers: master, at start, reload and posthouse check. */
#ifndef CONF_CHECK_H
#define CONF_CHECK_H

#include "conf/instance.h"

/* Looks at values that lib/conf cannot judge, such as tables; origin begins messages. */
struct conf_value_check {
    void (*check)(void *context, const struct conf_parameter *parameter, struct span name,
                  struct span value, struct span origin, struct conf_notices *notices);
    void *context;
};

/* Errors are what must stop a start: values that are wrong, and parameters that restrict who may
 * send or what is let in where this release would not. All else is a warning. value_check may be
 * NULL. False when an error was noted. */
MUST_USE bool conf_check(struct conf_instance *instance, const struct conf_value_check *value_check,
                         struct conf_notices *notices);

#endif
