/* master/listeners - listening sockets: bound once, kept over restarts and reloads, handed to every
 * process of the service. A connection that waits in one survives them all.
 * Callers: master/main, master/fleet. */
#ifndef MASTER_LISTENERS_H
#define MASTER_LISTENERS_H

#include "base/list.h"
#include "handover.h"
#include "maillog/log.h"
#include "plan.h"

struct listener {
    struct list_link link;
    char *text; /* "127.0.0.1:25", "public/qmgr" */
    int socket;
    uint32_t generation; /* the newest plan that wants it */
    bool is_new;         /* bound for that plan */
};

struct listeners {
    struct list list;
};

void listeners_init(struct listeners *listeners);
/* Binds what the plan needs and is not bound yet. public_directory is the descriptor for Unix
 * sockets. False when an error was noted: then nothing has changed. */
MUST_USE bool listeners_open(struct listeners *listeners, const struct plan *plan,
                             uint32_t generation, int public_directory,
                             struct conf_notices *notices);
/* Binds what is on the network for a moment, without listening: what would be refused is noted.
 * Where the instance is running, a socket may be its own. */
void listeners_rehearse(const struct plan *plan, bool is_running, struct conf_notices *notices);
/* Sockets that the master before us has bound. False when memory is out. */
MUST_USE bool listeners_adopt(struct listeners *listeners, const struct handover *handover);
/* What the master after us gets; false when there are too many. */
MUST_USE bool listeners_hand_over(const struct listeners *listeners, struct handover *handover);
/* The plan of that generation will not run after all: what was bound for it goes. */
void listeners_abandon(struct listeners *listeners, uint32_t generation);
/* Closes what only older generations wanted. */
void listeners_retire(struct listeners *listeners, uint32_t generation);
void listeners_close(struct listeners *listeners);
/* All processes of a service share a socket, and one that was taken over may have ended it: it
 * listens again, and the log says so. */
void listeners_restore(const struct listeners *listeners, struct maillog *log);
/* NULL when it is not there. */
MUST_USE const struct listener *listeners_find(const struct listeners *listeners, const char *text);

/* A listening socket of that type in a directory, in place of one that is there: its descriptor, or
 * -1 and errno. */
MUST_USE int listeners_bind_unix(int directory, const char *name, int type, unsigned mode);

#endif
