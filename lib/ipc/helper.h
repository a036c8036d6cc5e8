/* ipc/helper - the channel to a process that is asked, and that says nothing unasked.
 * Master brings another one when it ends; in between there is none, and whoever asks copes.
 * Interface: ipc_helper_attach(). Callers: lib/addr, lib/dns, lib/connect, lib/smtpserver, verify.
 */
#ifndef IPC_HELPER_H
#define IPC_HELPER_H

#include "ipc/channel.h"

/* Takes the descriptor over: *place is the channel from now on, in place of the one before, and
 * NULL once that has closed (or where memory is out). The place must last as long as the loop. */
void ipc_helper_attach(struct ipc_channel **place, struct loop *loop, int descriptor,
                       enum ipc_role role);

#endif
