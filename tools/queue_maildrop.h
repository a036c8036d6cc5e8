/* tools/queue_maildrop - what has been dropped and not yet been taken in, for lists of the queue:
 * it waits there while the mail system is down. Callers: tools/postqueue. */
#ifndef TOOLS_QUEUE_MAILDROP_H
#define TOOLS_QUEUE_MAILDROP_H

#include "queue_text.h"

/* Those of the queue directory that are whole; none where the user may not list them. */
void queue_maildrop_list(int queue, struct queue_text *text);

#endif
