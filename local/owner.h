/* local/owner - who owns a virtual mailbox: virtual_uid_maps and virtual_gid_maps.
 * Callers: local/virtual, before the sandbox and in workers. */
#ifndef LOCAL_OWNER_H
#define LOCAL_OWNER_H

#include <sys/types.h>

#include "conf/virtual.h"
#include "table/list.h"

enum owner_result {
    OWNER_FOUND,
    OWNER_ABSENT,    /* no such entry */
    OWNER_REFUSED,   /* the uid is not between virtual_minimum_uid and last_valid_uid */
    OWNER_MALFORMED, /* the entry is no number */
    OWNER_ERROR      /* the table cannot say; *error has why */
};

struct owner {
    uid_t uid;
    gid_t gid;
};

/* Whether both settings are one static: table each, the same owner for every mailbox. */
MUST_USE bool owner_is_static(const struct conf_virtual *settings);

struct owner_tables {
    const struct conf_virtual *settings;
    struct table_list *uids;
    struct table_list *gids;
};

/* Nothing is read before the first question. False: memory is out. */
MUST_USE bool owner_open(const struct conf_virtual *settings, struct owner_tables *tables);
void owner_close(struct owner_tables *tables);
/* As owner_look_up(). */
MUST_USE enum owner_result owner_find(const struct owner_tables *tables, struct span recipient,
                                      struct arena *arena, struct owner *owner, struct span *error);

/* Opens the tables and looks the recipient up, as virtual(8) says: the address, without its
 * extension, @domain. uid alone is filled in on OWNER_REFUSED. */
MUST_USE enum owner_result owner_look_up(const struct conf_virtual *settings, struct span recipient,
                                         struct arena *arena, struct owner *owner,
                                         struct span *error);

#endif
