/* master/fleet - all children: generations of them, their channels to each other, the order in
 * which they start and leave.
 *
 * A reload makes a new generation beside the present one. When all of it but qmgr stands ready, the
 * old one is told to leave, its qmgr first of all hands the queue over to the new one, and the
 * listening sockets go to the new one. If anything fails before that moment, the new generation
 * goes and the old one stays. What is left of an old generation finishes its sessions with helpers
 * of its own generation and with the new qmgr. Callers: master/main. Design: ARCHITECTURE.md,
 * "Generations". */
#ifndef MASTER_FLEET_H
#define MASTER_FLEET_H

#include "listeners.h"
#include "process.h"

struct fleet;

/* Once. text is one line that says what went wrong; empty when all is well. */
typedef void fleet_done(bool is_ok, const char *text, void *context);

struct fleet_options {
    struct loop *loop;
    struct maillog *log;
    struct maillog_client *log_client;
    struct listeners *listeners;
    int output; /* for logd, when it writes to standard output; -1: none */
    bool is_verbose;
};

/* NULL when memory is out. */
MUST_USE struct fleet *fleet_create(const struct fleet_options *options);
/* Every child must have gone. */
void fleet_destroy(struct fleet **fleet);

/* The generation that the next fleet_run() makes: what listeners_open() is told. */
uint32_t fleet_next_generation(const struct fleet *fleet);
/* Runs the plan in place of what runs now, if anything; takes the plan over in any case. done is
 * called when all of it serves, or when the first of it fails. */
void fleet_run(struct fleet *fleet, struct plan *plan, fleet_done *done, void *context);
/* The children of the master that was in our place before, as the generations that they were; once,
 * before the first fleet_run(). False when memory is out. */
MUST_USE bool fleet_adopt(struct fleet *fleet, const struct handover *handover,
                          const char *directory);
/* Fills in what the master after us has to know; false when it would not be whole. */
MUST_USE bool fleet_hand_over(struct fleet *fleet, struct handover *handover);
/* A start or reload is under way, or a stop. */
bool fleet_is_busy(const struct fleet *fleet);
/* All are to leave: by force when not graceful. done is called when the last has gone. Asked again
 * it may only become less patient. */
void fleet_stop(struct fleet *fleet, bool is_graceful, fleet_done *done, void *context);
/* One line per process, for people. */
void fleet_describe(const struct fleet *fleet, struct buffer *text);
/* The plan that runs; NULL before the first. */
const struct plan *fleet_plan(const struct fleet *fleet);

#endif
