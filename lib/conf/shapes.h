/* conf/shapes - texts that have to look like something: a host name, an address, a path, a next
 * hop, the name of a transport. The catalogue's rows say how long a text may be; what else is wrong
 * with one that somebody has set is said here, before a daemon finds out with mail in its hands.
 * Interface: conf_shape_check(), conf_shape_compare(). Pure but for names of ports and users.
 * Callers: conf/check. */
#ifndef CONF_SHAPES_H
#define CONF_SHAPES_H

#include "conf/instance.h"

/* One value that is set, expanded (a raw one: as written), with its origin for messages. */
struct conf_shape_question {
    const struct conf_instance *instance;
    const struct conf_service *service; /* NULL: main.cf */
    struct span name;
    struct span value;
    struct span origin;
};

/* Notes what is wrong, at most once. */
void conf_shape_check(const struct conf_shape_question *question, struct conf_notices *notices);
/* Notes what does not go together in main.cf: of two values at least one is set there. */
void conf_shape_compare(const struct conf_instance *instance, struct conf_notices *notices);

#endif
