/* tests/poison/deadly - daemons with a fault: what has "poison" in it is their end. The linker puts
 * these functions in front of the real ones (--wrap); everything else is as installed. */
#include <signal.h>
#include <stdlib.h>

#include "dsn/report.h"
#include "maillog/delivery.h"
#include "maillog/queue.h"
#include "maillog/receive.h"
#include "smtpsession/session_private.h"

void __real_maillog_delivery(struct maillog *log, struct span queue_id,
                             const struct log_delivery *delivery);
void __wrap_maillog_delivery(struct maillog *log, struct span queue_id,
                             const struct log_delivery *delivery);
void __real_maillog_active(struct maillog *log, struct span queue_id, struct span sender,
                           uint64_t size_bytes, size_t recipient_count);
void __wrap_maillog_active(struct maillog *log, struct span queue_id, struct span sender,
                           uint64_t size_bytes, size_t recipient_count);
void __real_dsn_append_notice(const struct dsn_report *report, struct buffer *out);
void __wrap_dsn_append_notice(const struct dsn_report *report, struct buffer *out);
void __real_maillog_pickup(struct maillog *log, struct span queue_id, unsigned uid,
                           struct span sender);
void __wrap_maillog_pickup(struct maillog *log, struct span queue_id, unsigned uid,
                           struct span sender);
bool __real_session_vrfy(struct smtpsession *session, struct span argument);
bool __wrap_session_vrfy(struct smtpsession *session, struct span argument);

static int *volatile nowhere; /* a wild pointer */

static void die_of(struct span text)
{
    if (span_starts_with(text, SPAN("poison")))
        *nowhere = 0;
}

void __wrap_maillog_delivery(struct maillog *log, struct span queue_id,
                             const struct log_delivery *delivery)
{
    die_of(delivery->recipient);
    __real_maillog_delivery(log, queue_id, delivery);
}

void __wrap_maillog_active(struct maillog *log, struct span queue_id, struct span sender,
                           uint64_t size_bytes, size_t recipient_count)
{
    die_of(sender);
    __real_maillog_active(log, queue_id, sender, size_bytes, recipient_count);
}

void __wrap_dsn_append_notice(const struct dsn_report *report, struct buffer *out)
{
    die_of(report->original_sender);
    __real_dsn_append_notice(report, out);
}

void __wrap_maillog_pickup(struct maillog *log, struct span queue_id, unsigned uid,
                           struct span sender)
{
    die_of(sender);
    __real_maillog_pickup(log, queue_id, uid, sender);
}

bool __wrap_session_vrfy(struct smtpsession *session, struct span argument)
{
    die_of(argument);
    return __real_session_vrfy(session, argument);
}
