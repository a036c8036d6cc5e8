/* authd/lockout - who has failed too often is not asked for a while. Counted by limitd, for all
 * processes and beyond restarts.
 *
 * Strangers must not be able to lock a user out by failing in his name. So a network from which the
 * user has logged in before is judged by itself, by failures of this user from there; what happens
 * elsewhere means nothing to it. Only where a user has never been do failures of anybody in his
 * name count, and those of the address, whoever it says to be. IPv6 counts by /64.
 * A program that repeats one wrong password (it was changed elsewhere) fails once.
 * Where limitd is away everybody may try.
 * Callers: authd/exchange. */
#ifndef AUTHD_LOCKOUT_H
#define AUTHD_LOCKOUT_H

#include "authd.h"

/* What is known of somebody who tries; embedded in his exchange. */
struct lockout {
    struct span network; /* "192.0.2.7", "2001:db8::/64"; empty: is not counted */
    struct span pair;    /* "user|network" */
    struct span user;    /* empty: who that is only a token will say */
    bool is_known;       /* the user has been there before */
    uint32_t failures;   /* that count against this attempt */
};

/* From a task. False: too many failures, and *reason for the log. */
MUST_USE bool lockout_permits(struct authd *authd, struct lockout *lockout, struct span user,
                              struct span address, struct arena *arena, const char **reason);
/* From a task: it failed. password: empty where the mechanism hides it. Returns how long the answer
 * is to be held back. */
MUST_USE int64_t lockout_fail(struct authd *authd, struct lockout *lockout, struct span password);
/* It is the user. */
void lockout_succeed(struct authd *authd, const struct lockout *lockout);

#endif
