/* conf/defaults - the defaults that are computed: myhostname, mydomain, mynetworks.
 * Private to lib/conf. Pure: what the machine says is in the instance. */
#ifndef CONF_DEFAULTS_H
#define CONF_DEFAULTS_H

#include "conf/instance.h"

/* Where a name is looked up: an instance and, or not, one of its services. */
struct conf_place {
    const struct conf_instance *instance;
    const struct conf_service *service;
    unsigned depth; /* computing one default may ask for others */
};

MUST_USE bool conf_place_find(void *place, struct span name, struct conf_definition *definition);
/* As conf_place_find, for a computed name only: false when it is not one. */
MUST_USE bool conf_compute_default(const struct conf_place *place, struct span name,
                                   struct conf_definition *definition);
/* Is the name set by -o or in main.cf? Fills *value with the raw text. */
MUST_USE bool conf_place_is_set(const struct conf_place *place, struct span name,
                                struct span *value);

#endif
