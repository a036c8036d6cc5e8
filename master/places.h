/* master/places - the directories of an instance, made where they are missing, and checked.
 * Layout: queue_directory (qmgr's) with tmp new deferred hold corrupt (qmgr's, nobody else's) and
 * pid public (master's); data_directory with one directory per program that keeps files;
 * run_directory with empty, the root directory of sandboxed daemons.
 * Callers: master/main. Design: man/posthouse.8, "FILES". */
#ifndef MASTER_PLACES_H
#define MASTER_PLACES_H

#include "plan.h"

struct places {
    int pid;    /* descriptor of queue_directory/pid */
    int public; /* of queue_directory/public */
    int run;    /* of run_directory */
};

/* Opens, making what is missing. Directories of the queue belong to a daemon that may be hostile:
 * nothing below them is reached through a name that it could have changed. Everything wrong is
 * noted; false when there was an error, and then nothing stays open. */
MUST_USE bool places_open(const struct plan *plan, struct places *places,
                          struct conf_notices *notices);
void places_close(struct places *places);

#endif
