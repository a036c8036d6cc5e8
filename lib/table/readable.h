/* table/readable - may addrd's user read the files of the tables that it is to ask? Root, who
 * checks, may read everything; addrd has a user of its own, and opens its tables as that.
 * Interface: table_check_readable(). Callers: master/rehearsal. */
#ifndef TABLE_READABLE_H
#define TABLE_READABLE_H

#include <sys/types.h>

#include "conf/instance.h"

/* Notes tables of main.cf and of restrictions that this user, in no other group, may not read. */
void table_check_readable(const struct conf_instance *instance, uid_t uid, gid_t gid,
                          struct conf_notices *notices);

#endif
