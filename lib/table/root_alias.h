/* table/root_alias - has root's mail somewhere to go? Nothing is delivered as root: without an
 * alias its mail waits, and is returned in the end. Interface: table_check_root_alias(). Callers:
 * master/rehearsal. */
#ifndef TABLE_ROOT_ALIAS_H
#define TABLE_ROOT_ALIAS_H

#include "conf/instance.h"

/* Notes a local transport whose alias_maps have no root. Of what cannot be known nothing is said:
 * tables of servers, texts that are not there or not root's. */
void table_check_root_alias(const struct conf_instance *instance, struct conf_notices *notices);

#endif
