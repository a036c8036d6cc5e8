/* authd/lockout - who has failed too often is not asked for a while. Counted by limitd, for all
 * processes and beyond restarts.
 *
 * Strangers must not be able to lock a user out by failing in his name. So a network from which the
 * user has logged in before is judged by itself, by failures of this user from there; what happens
 * elsewhere means nothing to it. Only where a user has never been do failures of anybody in his
 * name count, and those of the address, whoever it says to be. IPv6 counts by /64. Where an asker
 * sends no address, or what is none, it is one network of all such clients: leaving it out is no
 * way around the limits.
 * A program that repeats one wrong password (it was changed elsewhere) fails once.
 * Who tries holds a place until it is known how that ended, so that attempts side by side are not
 * more guesses than one after the other: where the failures counted and the attempts ahead reach a
 * limit, an attempt waits.
 * Where limitd is away everybody may try.
 * Callers: authd/exchange. */
#ifndef AUTHD_LOCKOUT_H
#define AUTHD_LOCKOUT_H

#include "authd.h"

/* What is known of somebody who tries; embedded in his exchange, zero before the first use. */
struct lockout {
    struct list_link link; /* authd->attempts, in the order in which they began */
    struct task *task;
    struct span network; /* "192.0.2.7", "2001:db8::/64", "unknown"; empty: is not counted */
    struct span pair;    /* "user|network" */
    struct span user;    /* empty: who that is only a token will say */
    bool is_known;       /* the user has been there before */
    bool is_stirred;     /* an attempt has ended since lockout_ask() */
    uint32_t failures;   /* that count against this attempt */
};

enum lockout_answer {
    LOCKOUT_MAY_TRY,
    LOCKOUT_WAIT, /* others are ahead: ask again when the task is woken with is_stirred */
    LOCKOUT_REFUSED,
};

/* From a task, which is woken when there is reason to ask again: takes a place, to be given back by
 * lockout_end(), and asks. *reason, for the log, unless it may try. */
MUST_USE enum lockout_answer lockout_begin(struct authd *authd, struct lockout *lockout,
                                           struct span user, struct span address,
                                           struct arena *arena, const char **reason);
MUST_USE enum lockout_answer lockout_ask(struct authd *authd, struct lockout *lockout,
                                         const char **reason);
/* From a task: it failed. password: empty where the mechanism hides it. Returns how long the answer
 * is to be held back. */
MUST_USE int64_t lockout_fail(struct authd *authd, struct lockout *lockout, struct span password);
/* It is the user. */
void lockout_succeed(struct authd *authd, const struct lockout *lockout);
/* However it ended, and it is counted; nothing for one that has no place. */
void lockout_end(struct authd *authd, struct lockout *lockout);

#endif
