/* master/rehearsal - what a start would meet on this machine, looked at beforehand: sockets that
 * cannot be had, a log file that cannot be written, a full disk, files of the configuration that
 * others may change, tables that addrd may not read.
 * Callers: master/master, for posthouse check. */
#ifndef MASTER_REHEARSAL_H
#define MASTER_REHEARSAL_H

#include "places.h"

/* Nothing stays open or bound, and nothing is made. The instance may be running: its own sockets
 * are no mistake. */
void rehearse_start(const struct plan *plan, const struct places *places,
                    struct conf_notices *notices);

#endif
