/* master/key_check - can the private keys be used that the settings name? For posthouse check: the
 * process that runs the others never reads a key.
 * Interface: key_check(). Caller: master/master. */
#ifndef MASTER_KEY_CHECK_H
#define MASTER_KEY_CHECK_H

#include "plan.h"

/* Notes a warning for each file that keyd would leave out, in its words. */
void key_check(const struct plan *plan, struct conf_notices *notices);

#endif
