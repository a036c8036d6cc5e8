/* master/renew - one process in another's place, within a generation: a daemon whose files have
 * changed asks for that. The new one has read what is there now; when it serves, the one before is
 * told to leave. If it does not come to that, what ran before goes on, and asks again. */
#include "fleet_private.h"

#include "ipc/channel.h"

static bool is_gone(const struct process *process)
{
    return process->state == SUPERVISE_GONE;
}

static bool has_successor(struct generation *generation, const struct process *process)
{
    FOR_EACH_PROCESS(generation, other)
    if (other->predecessor == process)
        return true;
    return false;
}

void fleet_renew(struct process *process, void *context)
{
    struct fleet *fleet = context;
    struct generation *generation = fleet->present;
    if (!generation || process->generation != generation->number || fleet_is_busy(fleet) ||
        process->state != SUPERVISE_SERVING || has_successor(generation, process))
        return;
    struct process *successor =
        process_create(&fleet->world, generation->plan, process->service, generation->number);
    if (!successor)
        return;
    successor->predecessor = process;
    list_append(&generation->processes, &successor->link);
    process_handle(successor, SUPERVISE_BEGIN, NULL);
}

static void give_up(struct fleet *fleet, struct process *successor)
{
    maillog_text(fleet->options.log, LOG_LEVEL_WARNING, span_empty(),
                 "%s: another could not be started in its place, what ran before goes on",
                 successor->service->program->program);
    successor->predecessor = NULL;
    successor->is_superseded = true;
    process_handle(successor, SUPERVISE_END, NULL);
}

static void step(struct fleet *fleet, struct process *successor)
{
    struct process *predecessor = successor->predecessor;
    if (successor->state == SUPERVISE_SERVING) {
        successor->predecessor = NULL;
        predecessor->is_superseded = true;
        process_handle(predecessor, SUPERVISE_LEAVE, NULL);
    } else if (successor->state != SUPERVISE_STARTING) {
        give_up(fleet, successor);
    }
}

void fleet_review_renewals(struct fleet *fleet)
{
    FOR_EACH_GENERATION(fleet, generation)
    {
        FOR_EACH_PROCESS(generation, process)
        if (process->predecessor && !generation->is_leaving)
            step(fleet, process);
        LIST_FOR_EACH (&generation->processes, link) {
            struct process *process = LIST_ITEM(link, struct process, link);
            if (!process->is_superseded || !is_gone(process))
                continue;
            list_remove(&generation->processes, link);
            process_destroy(&process);
        }
    }
}
