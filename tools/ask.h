/* tools/ask - one question to a process that listens on a local socket, and its answer.
 * Callers: tools/posthouse. */
#ifndef TOOLS_ASK_H
#define TOOLS_ASK_H

#include "base/arena.h"
#include "ipc/message.h"

/* 0 with *reply filled (its spans are in the arena), or -1 and errno: ENOENT and ECONNREFUSED when
 * nobody listens, EPIPE when the other side closed without an answer, ETIMEDOUT. */
MUST_USE int ask(const char *directory, const char *socket_name, enum ipc_type type,
                 const void *message, enum ipc_type reply_type, void *reply, struct arena *arena,
                 int64_t timeout_ms);

#endif
