/* qmgr/unreported - the first recipient that a report of some kind is still to tell of. A report
 * to half a million goes out in a thousand parts, and none of them looks again at those before it.
 * Interface: unreported_find(), unreported_note(). Callers: message, report, warn. */
#ifndef QMGR_UNREPORTED_H
#define QMGR_UNREPORTED_H

#include "message.h"

/* False: there is none. Where one was found, message->unreported_from[kind] says which. */
MUST_USE bool unreported_find(struct message *message, enum dsn_kind kind);
/* Something has become of this one that is perhaps to be told. Not for what was told. */
void unreported_note(struct message *message, uint32_t index);

#endif
