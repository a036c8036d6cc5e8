/* table/check - are the tables that a setting names usable? A type that does not exist, or a text
 * that is none, is an error; a file that is missing or cannot be read is a warning, since lookups
 * wait for it as temporary errors. Interface: table_check_setting(), made for conf_check().
 * Callers: master. */
#ifndef TABLE_CHECK_H
#define TABLE_CHECK_H

#include "conf/instance.h"

void table_check_setting(void *context, const struct conf_parameter *parameter, struct span name,
                         struct span value, struct span origin, struct conf_notices *notices);

/* A service that takes mail and would relay it for everybody does not start. */
void table_check_services(const struct conf_instance *instance, struct conf_notices *notices);

#endif
