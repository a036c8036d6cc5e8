/* smtp/keep - connections that stay open for a moment after a delivery, for the next one to the
 * same next hop. qmgr hears of them and sends such mail here.
 * Callers: smtp/delivery. */
#ifndef SMTP_KEEP_H
#define SMTP_KEEP_H

#include "connection.h"

/* At most so many; further ones are closed at once. */
enum { KEEP_MAX_SESSIONS = 200 };

struct keep {
    struct loop *loop;
    const struct conf_smtp *settings;
    struct list idle; /* struct connection, the longest kept first */
    struct loop_timer timer;
    size_t leaving_count; /* connections that are told good-bye just now */
    bool is_draining;
};

void keep_init(struct keep *keep, struct loop *loop, const struct conf_smtp *settings);
/* An open connection to that next hop, under the same rules (smtp/protection), the one used last;
 * NULL when there is none. */
MUST_USE struct connection *keep_take(struct keep *keep, struct span destination,
                                      const uint8_t rules_digest[TLS_WISH_DIGEST_BYTES]);
/* Does one of those lead to that host and address? It stays. */
MUST_USE bool keep_has(const struct keep *keep, struct span destination,
                       const uint8_t rules_digest[TLS_WISH_DIGEST_BYTES],
                       const struct plan_target *target);
/* An open connection to that host and address, whatever next hop it served: domains that share a
 * mail exchanger share connections, if they want the same protection. NULL when there is none. */
MUST_USE struct connection *keep_take_target(struct keep *keep, const struct plan_target *target,
                                             const uint8_t wish_digest[TLS_WISH_DIGEST_BYTES]);
/* Takes the connection over if it may be used again, and says whether it did. From a task. */
MUST_USE bool keep_put(struct keep *keep, struct connection **connection, struct span destination);
/* Says good-bye to all, and keeps no more. */
void keep_drain(struct keep *keep);
/* Some have not been told yet. */
bool keep_is_busy(const struct keep *keep);

#endif
