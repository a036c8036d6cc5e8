/* auth/check - are the password databases that a setting names there, and can they be understood?
 * Said before the start. Interface: auth_check_setting(), made for conf_check();
 * auth_check_services(). Reads files, never asks a server; and password files,
 * which hold hashes and may be long, only for posthouse check (is_thorough), not in a master that
 * others wait for. Callers: master. */
#ifndef AUTH_CHECK_H
#define AUTH_CHECK_H

#include "conf/instance.h"

void auth_check_setting(struct span name, struct span value, struct span origin,
                        struct conf_notices *notices);
/* Mechanisms with which users of these databases cannot log in. */
void auth_check_services(const struct conf_instance *instance, struct conf_notices *notices);

#endif
