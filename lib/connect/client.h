/* connect/client - have connectd make a connection, from a task.
 * Whoever speaks a protocol with a local server gets a connected socket and nothing else: neither
 * the path nor the right to open one is in its sandbox.
 * Interface: connect_client_attach(), connect_to_path(). Callers: smtp (its lmtp program). */
#ifndef CONNECT_CLIENT_H
#define CONNECT_CLIENT_H

#include "base/outcome.h"
#include "ipc/channel.h"

enum {
    /* How long a question waits for a new connectd when the old one went away. */
    CONNECT_CLIENT_PATIENCE_MS = 5000
};

struct connect_client {
    struct ipc_channel *channel; /* NULL while there is none */
};

/* Takes over the descriptor of a channel to connectd, in place of the one before. */
void connect_client_attach(struct connect_client *client, struct loop *loop, int descriptor);

/* A connected stream socket of the Unix server at that path, or -1 and *outcome, temporary: its
 * reason is what follows "connect to NAME: " in a log line; the arena's, or a literal. A server
 * that is too busy to take connections is asked again until the deadline. */
MUST_USE int connect_to_path(struct connect_client *client, struct span path, int64_t deadline_ms,
                             struct arena *arena, struct outcome *outcome);

#endif
