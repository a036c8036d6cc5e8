/* ipc/role - see role.h. */
#include "ipc/role.h"

/* clang-format off */
static const char *const names[IPC_ROLE_COUNT] = {
    [IPC_ROLE_NONE] = "none",
    [IPC_ROLE_MASTER] = "master",
    [IPC_ROLE_LOGD] = "logd",
    [IPC_ROLE_SMTPD] = "smtpd",
    [IPC_ROLE_ADDRD] = "addrd",
    [IPC_ROLE_DNSD] = "dnsd",
    [IPC_ROLE_QMGR] = "qmgr",
    [IPC_ROLE_SMTP] = "smtp",
    [IPC_ROLE_LOCAL] = "local",
    [IPC_ROLE_VIRTUAL] = "virtual",
    [IPC_ROLE_BOUNCE] = "bounce",
    [IPC_ROLE_ERROR] = "error",
    [IPC_ROLE_DISCARD] = "discard",
    [IPC_ROLE_LIMITD] = "limitd",
    [IPC_ROLE_PIPE] = "pipe",
    [IPC_ROLE_VERIFY] = "verify",
    [IPC_ROLE_WORKER] = "worker",
    [IPC_ROLE_TOOL] = "tool",
    [IPC_ROLE_LMTP] = "lmtp",
    [IPC_ROLE_CONNECTD] = "connectd",
    [IPC_ROLE_PICKUP] = "pickup",
    [IPC_ROLE_STSD] = "stsd",
    [IPC_ROLE_FETCHD] = "fetchd",
    [IPC_ROLE_REPORTD] = "reportd",
    [IPC_ROLE_AUTHD] = "authd",
    [IPC_ROLE_KEYD] = "keyd",
    [IPC_ROLE_SUBMITD] = "submitd",
};
/* clang-format on */

const char *ipc_role_name(enum ipc_role role)
{
    return (unsigned)role < IPC_ROLE_COUNT ? names[role] : "unknown";
}

enum ipc_role ipc_role_from_name(struct span name)
{
    for (int role = IPC_ROLE_NONE + 1; role < IPC_ROLE_COUNT; role++)
        if (span_equals(name, span_from_string(names[role])))
            return (enum ipc_role)role;
    return IPC_ROLE_NONE;
}
