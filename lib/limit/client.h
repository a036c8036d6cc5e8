/* limit/client - count with limitd, from a task.
 * Limits protect; they are no reason to keep anybody waiting or to refuse anybody: where limitd is
 * away, silent or slow, the answer is "nothing is known", and the caller lets pass. Nobody waits
 * longer than LIMIT_ANSWER_MS, and while limitd has failed to answer nobody waits at all.
 * What is held (open connections) is told to the next limitd when one dies.
 * Interface: limit_client_init(), limit_client_set_channel(), limit_hold_begin(),
 * limit_hold_end(), limit_count(), limit_set(). Callers: lib/smtpsession, smtpd. */
#ifndef LIMIT_CLIENT_H
#define LIMIT_CLIENT_H

#include "ipc/channel.h"
#include "limit/kind.h"

enum { LIMIT_ANSWER_MS = 1000 };

struct limit_client {
    struct ipc_channel *channel; /* NULL while there is none */
    struct list holds;
    uint32_t channel_count; /* so far: tells one limitd from the next */
    bool is_silent;         /* it did not answer in time, and has not answered since */
};

struct limit_answer {
    bool is_known;
    uint32_t count;      /* in the present window */
    uint32_t held_count; /* by everybody */
};

/* Something that is held open; embedded in what it belongs to, zero before the first use. */
struct limit_hold {
    struct list_link link;
    enum limit_kind kind;
    struct span key;
    bool is_told; /* limitd was asked to count it */
};

void limit_client_init(struct limit_client *client);
/* The channel stays its owner's, who says so (NULL) before it goes. A new one is told what is
 * held. */
void limit_client_set_channel(struct limit_client *client, struct ipc_channel *channel);

/* From a task. The key must live until limit_hold_end(). The answer includes this one. */
void limit_hold_begin(struct limit_client *client, struct limit_hold *hold, enum limit_kind kind,
                      struct span key, struct limit_answer *answer);
/* From anywhere; nothing for one that was not begun. */
void limit_hold_end(struct limit_client *client, struct limit_hold *hold);

/* From a task: adds to the count (an amount of 0 only asks) in windows of that length; 0:
 * anvil_rate_time_unit. */
void limit_count(struct limit_client *client, enum limit_kind kind, struct span key,
                 uint32_t amount, uint32_t window_s, struct limit_answer *answer);
/* From anywhere: a fact to be remembered for so long. Nobody learns whether it was. */
void limit_set(struct limit_client *client, enum limit_kind kind, struct span key, uint32_t value,
               uint32_t window_s);

#endif
