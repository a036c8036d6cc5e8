/* master/control - the socket on which the posthouse command speaks to a running master:
 * run_directory/master.sock. Root and the user that master runs as may.
 * Callers: master/master. */
#ifndef MASTER_CONTROL_H
#define MASTER_CONTROL_H

#include "ipc/channel.h"

struct control;
struct control_request;

/* Every request is answered once, now or later, whether its sender still waits or not. */
typedef void control_handler(struct control_request *request, struct span command, void *context);

/* Takes the listening socket over. NULL when memory is out. */
MUST_USE struct control *control_create(struct loop *loop, int listener, control_handler *handler,
                                        void *context);
void control_destroy(struct control **control);
/* The request is gone afterwards; the answer has left, as far as the socket takes it. */
void control_answer(struct control_request *request, bool is_done, struct span text);

#endif
