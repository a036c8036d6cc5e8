/* limitd/services - see services.h. */
#include "services.h"

#include <stdlib.h>

#include "limit/load.h"

void services_init(struct services *services)
{
    list_init(&services->list);
}

static struct service_load *find(struct services *services, struct span name)
{
    LIST_FOR_EACH (&services->list, link) {
        struct service_load *service = LIST_ITEM(link, struct service_load, link);
        if (span_equals(service->name, name))
            return service;
    }
    return NULL;
}

static struct service_load *make(struct services *services, struct span name)
{
    struct service_load *service = calloc(1, sizeof(*service) + name.length);
    if (!service)
        return NULL;
    memcpy(service + 1, name.bytes, name.length);
    service->name = span_of(service + 1, name.length);
    list_init(&service->members);
    list_append(&services->list, &service->link);
    return service;
}

bool services_join(struct services *services, struct span name, struct service_member *member)
{
    struct service_load *service = find(services, name);
    if (!service)
        service = make(services, name);
    *member = (struct service_member){.service = service};
    if (service)
        list_append(&service->members, &member->link);
    return service != NULL;
}

static bool judge(struct service_load *service)
{
    const bool was_stressed = service->is_stressed;
    const bool was_full = service->is_full;
    service->is_stressed =
        limit_load_is_stressed(was_stressed, service->session_count, service->capacity);
    service->is_full = service->capacity > 0 && service->session_count >= service->capacity;
    return service->is_stressed != was_stressed || service->is_full != was_full;
}

bool services_report(struct service_member *member, uint32_t session_count, uint32_t capacity)
{
    struct service_load *service = member->service;
    service->session_count = service->session_count - member->session_count + session_count;
    service->capacity = service->capacity - member->capacity + capacity;
    member->session_count = session_count;
    member->capacity = capacity;
    return judge(service);
}

void services_part(struct services *services, struct service_member *member,
                   struct service_load **changed)
{
    struct service_load *service = member->service;
    *changed = services_report(member, 0, 0) ? service : NULL;
    list_remove(&service->members, &member->link);
    member->service = NULL;
    if (!list_is_empty(&service->members))
        return;
    *changed = NULL;
    list_remove(&services->list, &service->link);
    free(service);
}
