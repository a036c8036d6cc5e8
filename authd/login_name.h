/* authd/login_name - a login name as databases are asked for it. Pure.
 * Callers: authd/exchange. */
#ifndef AUTHD_LOGIN_NAME_H
#define AUTHD_LOGIN_NAME_H

#include "base/arena.h"
#include "base/buffer.h"
#include "conf/authd.h"

enum login_name_result {
    LOGIN_NAME_OK,
    LOGIN_NAME_FORBIDDEN, /* empty, too long, or characters that names may not have */
    LOGIN_NAME_NO_MEMORY
};

/* Completes it with auth_default_realm, checks it and writes it as auth_username_format says. */
MUST_USE enum login_name_result login_name_make(const struct conf_authd *settings, struct span name,
                                                struct arena *arena, struct span *result);
/* Is it a format? %u %n %d, with L or U behind the percent sign; %% is a percent sign. */
MUST_USE bool login_name_format_is_valid(struct span format);

#endif
