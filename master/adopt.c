/* master/adopt - children over the change of master: what the one after us is told of them, and how
 * those of the one before us become ours. See fleet.h. */
#include <sys/wait.h>

#include "fleet_private.h"
#include "system/file.h"

enum { NOTICES_BYTES = 1 << 20 };

bool fleet_hand_over(struct fleet *fleet, struct handover *handover)
{
    handover->last_generation = fleet->last_generation;
    handover->last_number = fleet->world.last_process_number;
    FOR_EACH_GENERATION(fleet, generation)
    FOR_EACH_PROCESS(generation, process)
    {
        if (handover->process_count == HANDOVER_ITEMS_MAX)
            return false;
        if (process_hand_over(process, &handover->processes[handover->process_count]))
            handover->process_count++;
    }
    return true;
}

/* The service of the present configuration that comes nearest; it says which program it is, and how
 * long it may take to leave. It is never started anew. */
static const struct plan_service *find_service(const struct plan *plan,
                                               const struct handover_process *adopted)
{
    const struct plan_service *found = NULL;
    for (size_t i = 0; i < plan->service_count; i++) {
        const struct plan_service *service = plan->services[i];
        if (!span_equals(span_from_string(service->program->program), adopted->program))
            continue;
        if (span_equals(service->name, adopted->service))
            return service;
        found = service;
    }
    return found;
}

/* Of a service that is not configured any more. */
static const struct plan_service *make_service(struct plan *plan,
                                               const struct handover_process *adopted)
{
    struct plan_service *service = arena_alloc(&plan->arena, sizeof(*service));
    const struct wiring_program *program = wiring_find(adopted->program);
    if (!service || !program)
        return NULL;
    service->name = arena_copy(&plan->arena, adopted->service);
    service->program = program;
    service->path = program->program;
    service->settings = -1;
    return service;
}

static struct generation *find_generation(struct fleet *fleet, uint32_t number)
{
    FOR_EACH_GENERATION(fleet, generation)
    if (generation->number == number)
        return generation;
    return NULL;
}

/* Each generation has a plan of its own, which goes with it. */
static struct plan *make_plan(const char *directory)
{
    struct arena arena;
    struct conf_notices notices;
    arena_init(&arena, NOTICES_BYTES, 0);
    conf_notices_init(&notices, &arena);
    struct plan *plan = plan_create(directory, &notices);
    arena_destroy(&arena);
    return plan;
}

static bool adopt_process(struct fleet *fleet, const struct handover_process *adopted,
                          const char *directory, bool is_foreign)
{
    struct generation *generation = find_generation(fleet, adopted->generation);
    if (!generation) {
        struct plan *plan = make_plan(directory);
        generation = plan ? fleet_add_generation(fleet, plan, adopted->generation) : NULL;
        if (!generation)
            return false;
        generation->is_leaving = adopted->generation != fleet->last_generation;
        generation->is_foreign = is_foreign;
    }
    const struct plan_service *service = find_service(generation->plan, adopted);
    if (!service)
        service = make_service(generation->plan, adopted);
    if (!service) { /* a program that this release does not know: with its channel it leaves */
        file_close(adopted->control);
        file_close(adopted->errors);
        return true;
    }
    struct process *process = process_adopt(&fleet->world, generation->plan, service, adopted);
    if (!process)
        return false;
    list_append(&generation->processes, &process->link);
    if (!generation->is_leaving && !is_foreign && service->program->role == IPC_ROLE_LOGD)
        fleet_join_ourselves(fleet, process);
    return true;
}

bool fleet_adopt(struct fleet *fleet, const struct handover *handover, const char *directory)
{
    struct buffer schema;
    buffer_init(&schema, NULL, 256);
    handover_schema(&schema);
    const bool is_foreign = !span_equals(buffer_span(&schema), handover->schema);
    buffer_release(&schema);
    fleet->last_generation = handover->last_generation;
    fleet->world.last_process_number = handover->last_number;
    for (size_t i = 0; i < handover->process_count; i++)
        if (!adopt_process(fleet, &handover->processes[i], directory, is_foreign))
            return false;
    fleet->present = find_generation(fleet, handover->last_generation);
    /* Those that ended while nobody could be told. */
    fleet_reap(fleet);
    return true;
}
