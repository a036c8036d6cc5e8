/* master/fleet_private - what fleet.c and adopt.c share. */
#ifndef MASTER_FLEET_PRIVATE_H
#define MASTER_FLEET_PRIVATE_H

#include <signal.h>

#include "fleet.h"
#include "poison.h"
#include "repair.h"

struct generation {
    struct list_link link;
    uint32_t number;
    struct plan *plan;
    struct list processes;
    bool is_leaving;
    bool is_foreign; /* of a release whose messages are others: it talks only among itself */
};

struct fleet {
    struct fleet_options options;
    struct process_world world;
    struct list generations; /* oldest first */
    struct generation *present;
    struct generation *awaited; /* being started; NULL: none */
    fleet_done *run_done;
    void *run_context;
    fleet_done *stop_done;
    void *stop_context;
    uint32_t last_generation;
    bool is_stopping;
    struct loop_timer ping_timer;
    struct repairs repairs;
    uint32_t last_channel; /* its number */
    struct poisons poisons;
    struct loop_timer repair_timer;
    int64_t last_tick_ms;
    struct event child_event;
    struct loop_hook hook; /* looks at everything once events have been handled */
};

#define FOR_EACH_GENERATION(fleet, name)                                                           \
    LIST_FOR_EACH (&(fleet)->generations, name##_link)                                             \
        for (struct generation *name = LIST_ITEM(name##_link, struct generation, link); name;      \
             name = NULL)
#define FOR_EACH_PROCESS(generation, name)                                                         \
    LIST_FOR_EACH (&(generation)->processes, name##_link)                                          \
        for (struct process *name = LIST_ITEM(name##_link, struct process, link); name; name = NULL)

/* Our own log lines go to this logd from now on. */
void fleet_join_ourselves(struct fleet *fleet, struct process *logd);
/* Takes the plan over in any case; NULL when memory is out. */
MUST_USE struct generation *fleet_add_generation(struct fleet *fleet, struct plan *plan,
                                                 uint32_t number);
/* A process wants another in its place (master/renew). */
void fleet_renew(struct process *process, void *context);
/* What has become of such. */
void fleet_review_renewals(struct fleet *fleet);
/* Children that have ended are told of. */
void fleet_reap(struct fleet *fleet);

#endif
