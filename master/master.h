/* master/master - the instance as a whole: started, reloaded, stopped, asked.
 * Interface: master_check(), master_run(). Callers: master/main. */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include <stdbool.h>

#include "base/compiler.h"

struct master_options {
    const char *directory; /* of main.cf, as a whole path */
    bool is_verbose;
    bool is_background;   /* leave the terminal alone once all daemons are ready */
    int handover;         /* what the master before us in this process left; -1: nothing */
    int ready_descriptor; /* told by one byte when all daemons are ready; -1: nobody waits */
};

/* Reads the configuration, looks at directories and program files, shows everything that is wrong
 * or left out. False when something is wrong. */
MUST_USE bool master_check(const struct master_options *options);
/* Runs until stopped: the exit status. */
MUST_USE int master_run(const struct master_options *options);

#endif
