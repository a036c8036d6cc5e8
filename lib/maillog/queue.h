/* maillog/queue - the lines of qmgr and bounce, which follow a message by its queue id.
 * Shapes as Postfix writes them. */
#ifndef MAILLOG_QUEUE_H
#define MAILLOG_QUEUE_H

#include "maillog/log.h"

/* QID: from=<S>, size=N, nrcpt=N (queue active) */
void maillog_active(struct maillog *log, struct span queue_id, struct span sender,
                    uint64_t size_bytes, size_t recipient_count);
/* QID: removed */
void maillog_removed(struct maillog *log, struct span queue_id);
/* QID: from=<S>, status=expired, returned to sender; or force-expired. */
void maillog_expired(struct maillog *log, struct span queue_id, struct span sender, bool is_forced);

enum log_notification {
    LOG_NOTIFICATION_SENDER_FAILURE,     /* sender non-delivery notification */
    LOG_NOTIFICATION_SENDER_DELAY,       /* sender delay notification */
    LOG_NOTIFICATION_SENDER_SUCCESS,     /* sender delivery status notification */
    LOG_NOTIFICATION_POSTMASTER_FAILURE, /* postmaster non-delivery notification */
    LOG_NOTIFICATION_POSTMASTER_DELAY    /* postmaster delay notification */
};
/* QID: sender non-delivery notification: NEWQID */
void maillog_notification(struct maillog *log, struct span queue_id, enum log_notification kind,
                          struct span new_queue_id);
/* warning: QID: sender notification failed to <R>: REASON */
void maillog_notification_failed(struct maillog *log, struct span queue_id, struct span recipient,
                                 struct span reason);

#endif
