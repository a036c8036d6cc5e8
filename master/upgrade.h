/* master/upgrade - another master's program takes the place of this one in the same process, so
 * that its children, sockets and lock stay what they are. Callers: master/master. */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include "handover.h"
#include "maillog/log.h"

struct upgrade_request {
    const char *program;   /* path of the master to become */
    const char *directory; /* of main.cf */
    bool is_verbose;
    const struct handover *handover;
};

/* Asks the new program whether it likes the configuration, then becomes it. Returns only when that
 * was not to be, with the reason for the log; nothing has changed then. */
const char *upgrade_become(const struct upgrade_request *request);
/* What was left to us in that descriptor, which is closed: the text is in the arena. */
MUST_USE bool upgrade_receive(int descriptor, struct arena *arena, struct handover *handover);

#endif
