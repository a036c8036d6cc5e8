/* local/worker - a process that delivers as one owner, and the root part that forks it.
 * The root part reads nothing but names: of whom a worker is wanted. The worker itself finds out
 * who that is, becomes that user for good, closes itself in, and only then reads a message.
 * Callers: local/local, local/virtual. */
#ifndef LOCAL_WORKER_H
#define LOCAL_WORKER_H

#include "deliverer.h"
#include "service/service.h"

enum { WORKER_TEXT_MAX_BYTES = 512, WORKER_PATH_MAX_BYTES = 4096, WORKER_PATHS_MAX = 4 };

#define WORKER_NO_MAIL_AS_ROOT "mail for root is not delivered as root: give root an alias"

/* Who a worker is to be. */
struct worker_identity {
    uid_t uid;
    gid_t gid;
    const char *user_name;  /* its groups are taken from there; NULL: gid alone */
    bool is_unprivileged;   /* it becomes the daemon's own user, whatever uid and gid say */
    bool is_answering;      /* it answers questions as it is, and refuses mail */
    const char *base_path;  /* directory that the mailboxes lie in; NULL: none */
    const char *spool_path; /* a mailbox file to be made there, as the directory's group permits */
    struct sandbox_path paths[WORKER_PATHS_MAX]; /* that it may open; none: base_path */
    size_t path_count;
    /* base is filled in later. Refusing: the worker becomes the daemon's own user and says so. */
    struct deliverer_rules rules;
    char text[WORKER_TEXT_MAX_BYTES]; /* for the refusal's reason */
    char path[WORKER_PATH_MAX_BYTES]; /* for base_path */
    struct arena arena;
    void *context; /* identify's own */
};

/* What a worker has, to serve with. */
struct worker_place {
    struct loop *loop;
    struct pool *pool; /* NULL when everything is refused */
    const struct worker_identity *identity;
};

struct worker_program {
    enum ipc_role role; /* of the dispatcher */
    bool is_root;
    uid_t refusing_uid; /* of the daemon */
    gid_t refusing_gid;
    /* Runs in the worker while it is still root, under the root part's filter. */
    void (*identify)(struct worker_identity *identity, struct span key, void *context);
    void *context;
    /* After the sandbox is closed: what deliver and on_question get, which have to say what a
     * refusing identity says. NULL, all three: a deliverer's work. */
    void *(*begin)(const struct worker_place *place);
    void (*deliver)(struct agent_message *message, void *context);
    void (*on_question)(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context);
    /* Root part and workers have no filter, since programs that they run would have it, too. They
     * keep nothing else that they do not need. */
    bool runs_commands;
    struct sandbox_filter *filter; /* the root part's to fill in */
};

/* Refuses all recipients for now. The text is copied. */
void worker_refuse(struct worker_identity *identity, enum outcome_kind kind, uint16_t subject,
                   uint16_t detail, const char *format, ...) PRINTF_LIKE(5, 6);

/* Forks the root part, before the daemon enters its own sandbox. The program is copied; what it
 * points to lives on in the root part's memory. The descriptor of a channel to it, or -1. */
MUST_USE int worker_fork_root_part(struct service *service, const struct worker_program *program);

#endif
