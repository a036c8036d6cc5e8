/* qmgr/flush - attempts before their time, for postqueue -i and -s. Both from a task. */
#ifndef QMGR_FLUSH_H
#define QMGR_FLUSH_H

#include "message.h"

/* Tries this message now. Temporary when it is not in the queue, or is held, or when many others
 * wait for room in the active set that were asked for like that. */
struct outcome flush_message(struct qmgr *qmgr, struct span queue_id);
/* Tries every deferred message that still waits for a recipient of this domain, or whose last
 * attempt spoke with this host. Reads the queue page by page and lets what it found go first. */
void flush_site(struct qmgr *qmgr, struct span site);
/* Begins that for a client of smtpd (ETRN): temporary while another one's is under way. Not only
 * from a task. */
struct outcome flush_site_on_request(struct qmgr *qmgr, struct span site);

#endif
