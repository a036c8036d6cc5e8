/* qmgr/timing - see timing.h. */
#include "timing.h"

#include "smtp/date.h"
#include "space.h"
#include "system/clock.h"

bool timing_is_early(const struct message *message)
{
    return message->envelope.release_us > clock_realtime_us();
}

bool timing_is_late(const struct message *message)
{
    return message->envelope.deliver_by != QUEUE_DELIVER_BY_NONE &&
           message->envelope.deliver_by_us <= clock_realtime_us();
}

bool timing_is_over(const struct message *message)
{
    return message->envelope.deliver_by == QUEUE_DELIVER_BY_RETURN && timing_is_late(message) &&
           space_trusts_clock(message->qmgr);
}

uint64_t timing_birth_us(const struct message *message)
{
    const struct queue_envelope *envelope = &message->envelope;
    return envelope->release_us > envelope->arrival_us ? envelope->release_us
                                                       : envelope->arrival_us;
}

/* No further ahead than a back-off, because the queue does not believe in what is. */
uint64_t timing_next_us(const struct message *message, uint64_t now_us, uint64_t next_us)
{
    const struct queue_envelope *envelope = &message->envelope;
    const uint64_t furthest_us =
        now_us + (uint64_t)message->qmgr->settings->maximal_backoff_time_ms * 1000U;
    if (envelope->release_us > now_us)
        next_us = envelope->release_us < furthest_us ? envelope->release_us : furthest_us;
    if (envelope->deliver_by != QUEUE_DELIVER_BY_NONE && envelope->deliver_by_us > now_us &&
        envelope->deliver_by_us < next_us)
        next_us = envelope->deliver_by_us;
    return next_us;
}

bool timing_reports_relay(const struct message *message, uint32_t index)
{
    const struct recipient *recipient = &message->recipients[index];
    return message->envelope.deliver_by != QUEUE_DELIVER_BY_NONE &&
           (message->envelope.recipients[index].notify & QUEUE_NOTIFY_NEVER) == 0 &&
           (!span_is_empty(recipient->remote) || recipient->is_relayed);
}

void timing_log_hold(const struct message *message)
{
    struct buffer *line =
        maillog_begin(&message->qmgr->service->log, LOG_LEVEL_INFO, message_id(message));
    buffer_append_string(line, "held until ");
    smtp_timestamp_append(line, (int64_t)(message->envelope.release_us / 1000000U));
    buffer_append_string(line, ", as its sender asked");
    maillog_end(&message->qmgr->service->log);
}

struct outcome timing_outcome(enum outcome_kind kind)
{
    return outcome_make(kind, 0, 4, 7, SPAN("delivery time expired"));
}
