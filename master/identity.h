/* master/identity - as which user each daemon runs.
 * Interface: identity_choose(). Callers: master/plan. */
#ifndef MASTER_IDENTITY_H
#define MASTER_IDENTITY_H

#include <sys/types.h>

#include "conf/instance.h"
#include "conf/master.h"
#include "wiring.h"

struct identity {
    uid_t uid;
    gid_t gid;
};

/* Not root: everybody is who we are. Else with daemon_uid_base that and the program's row; else
 * the user posthouse-PROGRAM; and virtual, where all mailboxes have one owner, is that owner.
 * pickup is of the group setgid_group, as postdrop is. False and *error when there is no such user.
 */
MUST_USE bool identity_choose(const struct conf_instance *instance,
                              const struct conf_service *service,
                              const struct conf_master_settings *settings,
                              const struct wiring_program *program, struct identity *identity,
                              struct conf_error *error);

#endif
