/* tests/daemon - run one daemon in a test, with the test in the place of master, logd and peers.
 * As root the daemon enters an empty root and takes a user of its own, as under master. */
#ifndef TESTS_DAEMON_H
#define TESTS_DAEMON_H

#include <sys/types.h>

#include "base/buffer.h"
#include "conf/part.h"
#include "ipc/channel.h"

enum { DAEMON_WAIT_MS = 20000 };

struct daemon {
    pid_t process;
    struct loop *loop;
    enum ipc_role role;
    struct ipc_channel *control;
    struct ipc_channel *log_channel;
    struct buffer log; /* lines of text, each ended by LF */
    bool is_ready;
    bool has_failed; /* it said so; the reason is in the log */
    bool has_gone;
    bool has_probe_reply; /* to an IPC_PROBE, from a daemon built to answer it */
    uint32_t probe_result;
    char root_directory[64];
    char failure[1024]; /* why it does not serve, in its words; stays when it is gone */
    void (*on_log)(struct daemon *daemon); /* after new lines; may be NULL */
};

/* program: path of the executable below $top_builddir; main_text: lines of main.cf. Returns when
 * the daemon serves; false when it does not. */
MUST_USE bool daemon_start(struct daemon *daemon, struct loop *loop, const char *program,
                           enum ipc_role role, const struct conf_part *part, const char *main_text);
/* Gives the daemon a channel to a peer of that role and returns our end. */
int daemon_give_peer(struct daemon *daemon, enum ipc_role role, const char *service,
                     bool is_server);
/* Turns until something stops the loop. False when nothing did for DAEMON_WAIT_MS. */
MUST_USE bool daemon_run(struct daemon *daemon);
/* Asks it to end its work and leave, as at a reload, and waits. True when it left of its own. */
bool daemon_drain(struct daemon *daemon);
/* Ends it by closing its control channel, and waits. True when it left of its own. */
bool daemon_stop(struct daemon *daemon);
/* Kills it, and waits. */
void daemon_kill(struct daemon *daemon);
MUST_USE bool daemon_has_logged(const struct daemon *daemon, const char *text);

#endif
