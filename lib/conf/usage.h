/* conf/usage - which of the names that a configuration sets anything uses, and which it mentions
 * without setting them. Interface: conf_usage_*(), conf_name_*(). Pure.
 * Callers: conf/check, tools/postconf. */
#ifndef CONF_USAGE_H
#define CONF_USAGE_H

#include "conf/instance.h"

/* Is the service one of those that deliver, so that TRANSPORT_suffix may be set for it? */
MUST_USE bool conf_service_is_transport(const struct conf_service *service);
/* Is there such a transport? Without a single service (no master.cf) any name may be one. */
MUST_USE bool conf_has_transport(const struct conf_instance *instance, struct span transport);
/* Does this release do something with the parameter: a row of the catalogue, or of a family with
 * such a transport, or a name that is always there? */
MUST_USE bool conf_name_is_built(const struct conf_instance *instance, struct span name);
/* Is it a parameter of Postfix that this release does not build, alone or as TRANSPORT_suffix? */
MUST_USE bool conf_name_is_known(const struct conf_instance *instance, struct span name);

struct conf_usage {
    struct conf_instance *instance;
    void *context;
    /* A name set in main.cf (service NULL) or by a service's -o that nothing uses. May be NULL. */
    void (*unused)(void *context, const struct conf_service *service, struct span name,
                   struct span value, uint32_t line);
    /* $name where nobody defines it; called once per name and place. May be NULL. */
    void (*undefined)(void *context, const struct conf_service *service, struct span name,
                      uint32_t line);
};

/* Sets is_referenced in every entry of main.cf whose name something mentions. */
void conf_usage_mark(struct conf_instance *instance);
/* Marks, and reports in the order: undefined, unused in main.cf, unused in master.cf. */
void conf_usage_report(const struct conf_usage *usage);

#endif
