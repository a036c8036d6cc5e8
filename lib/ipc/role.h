/* ipc/role - what a process is, as its peers see it. master says it when it hands out a channel;
 * a server decides by it what the peer may ask. */
#ifndef IPC_ROLE_H
#define IPC_ROLE_H

#include "base/span.h"

enum ipc_role {
    IPC_ROLE_NONE,
    IPC_ROLE_MASTER,
    IPC_ROLE_LOGD,
    IPC_ROLE_SMTPD,
    IPC_ROLE_ADDRD,
    IPC_ROLE_DNSD,
    IPC_ROLE_QMGR,
    IPC_ROLE_SMTP,
    IPC_ROLE_LOCAL,
    IPC_ROLE_VIRTUAL,
    IPC_ROLE_BOUNCE,
    IPC_ROLE_ERROR,
    IPC_ROLE_DISCARD,
    IPC_ROLE_LIMITD,
    IPC_ROLE_PIPE,
    IPC_ROLE_VERIFY,
    IPC_ROLE_WORKER, /* a daemon's own forked helper */
    IPC_ROLE_TOOL,   /* a command, through a socket in public/, known by its peer credentials */
    IPC_ROLE_LMTP,
    IPC_ROLE_CONNECTD,
    IPC_ROLE_PICKUP,
    IPC_ROLE_STSD,
    IPC_ROLE_FETCHD,
    IPC_ROLE_REPORTD,
    IPC_ROLE_AUTHD,
    IPC_ROLE_KEYD,
    IPC_ROLE_SUBMITD,
    IPC_ROLE_COUNT
};

/* For the sets in permission lists. */
#define IPC_ROLE_BIT(role) (UINT32_C(1) << (role))

/* "smtpd" and so on: the program's name. */
const char *ipc_role_name(enum ipc_role role);
/* IPC_ROLE_NONE when there is none of that name. */
enum ipc_role ipc_role_from_name(struct span name);

#endif
