/* service/service - the skeleton of every daemon.
 * A daemon's main.c names its settings, its promises and its functions in a service_definition and
 * calls service_main(). The order of its life: START comes from master on descriptor 3, settings
 * are read, prepare() warms libraries up and opens what the daemon needs while it may, the sandbox
 * closes, begin() builds the daemon's state, READY goes to master; then listeners and channels
 * arrive, in any order and at any time, until STOP, or until master is gone. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "conf/part.h"
#include "ipc/channel.h"
#include "maillog/client.h"
#include "sandbox/sandbox.h"

struct service;

/* Who is at the other end of a channel, as master says. */
struct service_peer {
    enum ipc_role role;
    struct span service;     /* its name in master.cf; lasts for the call only */
    uint32_t process_number; /* tells two processes of one service apart; never used again */
    uint32_t process_id;
    uint32_t channel; /* the number that master gave it */
    bool is_server;   /* this end answers the requests */
};

struct service_definition {
    const char *program;          /* "smtpd" */
    const struct conf_part *part; /* conf_part_smtpd */
    unsigned promises;            /* of enum sandbox_promise */
    uint64_t descriptor_limit;    /* 0: 1024 */
    bool keeps_root;              /* opens paths: its root directory is not the empty one */
    /* Before the sandbox: open and warm up; may change service->profile. False after service_say().
     * May be NULL. */
    bool (*prepare)(struct service *service);
    /* In the sandbox: build the state. False after service_say(). */
    bool (*begin)(struct service *service);
    /* Both take the descriptor over. NULL: such a descriptor is closed. */
    void (*on_listener)(struct service *service, struct span endpoint, int descriptor);
    void (*on_peer)(struct service *service, const struct service_peer *peer, int descriptor);
    /* Take no new work; call service_leave() when the last has ended. NULL: leaves at once. */
    void (*drain)(struct service *service);
    /* After drain, at once or, where a reload lets sessions go on, when the time for that is over:
     * sessions with clients end as soon as they can. NULL: there are none. */
    void (*end_sessions)(struct service *service);
    /* What killed processes twice; see lib/ipc/schema.def. NULL: nothing is done about it. */
    void (*on_poison)(struct service *service, const struct ipc_poison *poison);
};

struct service {
    const struct service_definition *definition;
    struct loop *loop;
    struct maillog log;
    struct maillog_client log_client;
    struct arena arena;      /* for what lives as long as the process */
    void *settings;          /* struct conf_PROGRAM */
    void *stressed_settings; /* the same with stress = yes; the very same where none differ */
    char *name;              /* in master.cf */
    uint32_t process_number;
    uint32_t generation;
    struct span arguments;  /* of its command in master.cf, each ended by a NUL */
    uint32_t process_limit; /* of processes that it may make; 0: none is set */
    bool is_root;           /* master runs as root: users can be changed */
    bool is_draining;       /* STOP has come */
    bool is_verbose;
    struct sandbox_profile profile; /* as it will be entered */
    void *state;                    /* the daemon's own */
};

/* Never returns to a daemon that goes on; the value is main's. */
int service_main(const struct service_definition *definition);

/* Before READY: one line that says what is wrong and what to do; master prints it. */
void service_say(struct service *service, const char *format, ...) PRINTF_LIKE(2, 3);
/* The end of a channel that was handed on to a process of this one's making has closed there:
 * master makes another, as it does where this process itself had it. */
void service_tell_lost(struct service *service, const struct service_peer *peer);
/* What this process read in prepare() has changed: master is asked to start another in its place,
 * and tells this one to leave when that serves. May be asked again, until it does. */
void service_ask_for_successor(struct service *service);
/* Writes out what is to be logged and ends the process. */
NORETURN void service_leave(struct service *service, int status);

#endif
