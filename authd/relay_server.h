/* authd/relay_server - the process that authenticates for one smtp or lmtp; see relay.h.
 * Interface: relay_tables_open(), relay_serve(). Callers: authd/relay. */
#ifndef AUTHD_RELAY_SERVER_H
#define AUTHD_RELAY_SERVER_H

#include "conf/authd.h"
#include "ipc/channel.h"
#include "relay_cache.h"
#include "system/watchdog.h"
#include "table/list.h"

/* What the settings say of one service of smtp or lmtp. */
struct relay_settings {
    struct span passwords; /* tables; empty: none */
    struct span delimiter;
    int64_t cache_ms; /* 0: refused passwords are tried again */
};

struct relay_server {
    const struct conf_authd *settings;
    struct relay_settings own;
    struct table_list *passwords;
    struct ipc_channel *channel;
    struct list exchanges;
    struct relay_cache cache;
    struct watchdog watchdog; /* a table may hang */
    struct event lifeline_event;
    struct span warning; /* of the tables; empty: none */
    bool was_root;       /* opened its tables as such */
    bool has_worked;     /* they have been asked with success */
    struct arena arena;
};

/* All empty for a service that there is not. */
void relay_settings_find(const struct conf_authd *settings, enum ipc_role role, struct span service,
                         struct relay_settings *found);

/* Opens the tables, before the process becomes an ordinary one. False when memory is out. */
MUST_USE bool relay_server_init(struct relay_server *server, const struct conf_authd *settings,
                                enum ipc_role role, struct span service);
/* Serves until the client is gone, or whoever holds the other end of the lifeline. */
NORETURN void relay_server_run(struct relay_server *server, enum ipc_role role, int descriptor,
                               int lifeline);

#endif
