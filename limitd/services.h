/* limitd/services - how busy each service is, over all its processes, and whether that is stress.
 * Pure. Callers: limitd/serve. */
#ifndef LIMITD_SERVICES_H
#define LIMITD_SERVICES_H

#include "base/list.h"
#include "base/span.h"

/* A service of master.cf. */
struct service_load {
    struct list_link link;
    struct list members;
    struct span name; /* points behind the structure */
    uint64_t session_count;
    uint64_t capacity;
    bool is_stressed;
    bool is_full; /* no process has room */
};

/* One process of it; embedded in what the owner knows of the process. */
struct service_member {
    struct list_link link;
    struct service_load *service;
    uint32_t session_count;
    uint32_t capacity; /* 0: takes no more sessions, or has not reported yet */
};

struct services {
    struct list list;
};

void services_init(struct services *services);
/* False when memory is out. */
MUST_USE bool services_join(struct services *services, struct span name,
                            struct service_member *member);
/* True when the service has come under stress or has become full, or is no more, and the members
 * are to hear of it. */
MUST_USE bool services_report(struct service_member *member, uint32_t session_count,
                              uint32_t capacity);
/* The member has gone; *changed is the service when the others are to hear of a change, else NULL.
 * A service without members is forgotten. */
void services_part(struct services *services, struct service_member *member,
                   struct service_load **changed);

#endif
