/* master/process - one child and its life: started, told who it is, pinged, killed, replaced. What
 * is done when is the table in master/supervise; who it may talk to is up to master/fleet.
 * Callers: master/fleet. */
#ifndef MASTER_PROCESS_H
#define MASTER_PROCESS_H

#include "handover.h"
#include "ipc/channel.h"
#include "maillog/client.h"
#include "plan.h"
#include "supervise.h"
#include "system/note.h"

struct process;

/* What all processes share. */
struct process_world {
    struct loop *loop;
    struct maillog *log;
    int output; /* logd's standard output, -1: none */
    bool is_verbose;
    uint32_t last_process_number;
    /* It has been forked: wire it. */
    void (*on_started)(struct process *process, void *context);
    /* It went through an event; reason says why, for events of trouble. The process may be freed
     * later, never within. */
    void (*on_changed)(struct process *process, enum supervise_event event, const char *reason,
                       void *context);
    /* It broke down, and this is what it noted last. */
    void (*on_work_failed)(struct process *process, struct span work, void *context);
    /* It wants another in its place, because what it read at its start has changed. */
    void (*on_renewal)(struct process *process, void *context);
    /* A channel of it to the process of that number has closed; is_server: it was the server. */
    void (*on_peer_lost)(struct process *process, const struct ipc_peer_lost *lost, void *context);
    void *context;
};

enum {
    PROCESS_REASON_BYTES = 1024,
    PROCESS_ERRORS_BYTES = 4096,
    /* From the order to leave to the SIGKILL: an operator who says stop does not wait for slow
     * clients, and nothing that was acknowledged is lost by it. */
    PROCESS_LEAVE_MS = 10000,
};

struct process {
    struct list_link link; /* in its generation */
    struct process_world *world;
    const struct plan *plan;
    const struct plan_service *service;
    uint32_t generation;
    enum supervise_state state;
    uint32_t number; /* of the present run; 0: none */
    pid_t pid;       /* 0: none */
    struct ipc_channel *control;
    struct loop_timer timer;
    int64_t served_since_ms; /* 0: not yet */
    int64_t pinged_ms;       /* the oldest ping without an answer; 0: none */
    uint32_t ping_serial;
    uint32_t failure_count;
    struct note_page *notes;     /* what it works on, by its own word; NULL: none */
    size_t listeners_given;      /* the fleet's: how many of its sockets it has got */
    bool lacks_listeners;        /* the fleet's: and that the others could not be given */
    bool has_hung;               /* it answered no ping */
    bool is_kill_expected;       /* its end by SIGKILL is no news */
    struct process *predecessor; /* the fleet's: leaves when this one serves; NULL: nobody */
    bool is_superseded;          /* the fleet's: of no use any more, once it has gone */
    struct event error_event;
    int error_pipe;
    size_t error_line_count;
    struct buffer errors;              /* what it wrote to standard error and is not logged yet */
    char reason[PROCESS_REASON_BYTES]; /* what it gave as the reason of its failure, or "" */
};

/* NULL when memory is out. It is held. */
MUST_USE struct process *process_create(struct process_world *world, const struct plan *plan,
                                        const struct plan_service *service, uint32_t generation);
/* A child of the master that was in our place before; NULL when memory is out. */
MUST_USE struct process *process_adopt(struct process_world *world, const struct plan *plan,
                                       const struct plan_service *service,
                                       const struct handover_process *adopted);
/* What the master after us has to know of it; false when there is nothing to take over. */
MUST_USE bool process_hand_over(struct process *process, struct handover_process *adopted);
/* It must be gone or held. */
void process_destroy(struct process **process);

void process_handle(struct process *process, enum supervise_event event, const char *reason);
/* waitpid() has said so. */
void process_reaped(struct process *process, int wait_status);
/* Once per interval: sends a ping, or finds that the last was not answered in time. forgives: the
 * clock shows that we ourselves stood still. */
void process_check_pulse(struct process *process, int64_t now_ms, bool forgives);

/* Has it a control channel over which it will read what it is sent? */
MUST_USE bool process_is_reachable(const struct process *process);

#endif
