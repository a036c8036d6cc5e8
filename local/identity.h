/* local/identity - who a worker of local is, by its key: "u" and a user's name, or "a" and the
 * number of a table in alias_maps. The worker finds it out itself, still as root, and keeps what it
 * has learnt.
 * Callers: local/local (identify), local/delivery and local/runner (what was learnt). */
#ifndef LOCAL_IDENTITY_H
#define LOCAL_IDENTITY_H

#include "conf/local.h"
#include "table/list.h"
#include "worker.h"

enum local_kind {
    LOCAL_USER,
    LOCAL_NOBODY, /* a name that no user has: as the daemon's own user */
    LOCAL_ROOT,   /* who may have a mailbox elsewhere (mailbox_transport): as that user, too */
    LOCAL_ALIASES /* as the table's owner, or default_privs where that is root */
};

struct local_identity {
    enum local_kind kind;
    const struct conf_local *settings;
    struct span name; /* LOCAL_USER: as passwd has it; LOCAL_NOBODY: as asked */
    struct span home;
    struct span shell;
    size_t table_number;
};

/* For worker_program.identify; context: the struct service. Sets identity->context to a struct
 * local_identity. */
void local_identify(struct worker_identity *identity, struct span key, void *context);

/* alias_maps, opened. Nothing is read before the first question. */
MUST_USE struct table_list *local_open_tables(struct span names);

#endif
