/* qmgr/warn - see warn.h. */
#include "warn.h"

#include "system/clock.h"
#include "timing.h"
#include "unreported.h"

enum { MICROSECONDS_PER_MILLISECOND = 1000 };

static bool has_sender(const struct message *message)
{
    return !span_is_empty(message->envelope.reverse_path) &&
           !(message->envelope.flags & QUEUE_FLAG_NO_REPORT);
}

static bool is_old_enough(const struct message *message)
{
    const int64_t delay_ms = message->qmgr->settings->delay_warning_time_ms;
    const uint64_t now_us = clock_realtime_us();
    const uint64_t arrival_us = timing_birth_us(message);
    /* RFC 2852 section 4.1.3. */
    if (message->envelope.deliver_by == QUEUE_DELIVER_BY_NOTIFY && timing_is_late(message))
        return true;
    return delay_ms > 0 && now_us > arrival_us &&
           now_us - arrival_us >= (uint64_t)delay_ms * MICROSECONDS_PER_MILLISECOND;
}

/* RFC 3461 section 4.1: conditions without DELAY decline it; where none were given it is ours to
 * choose. */
static bool is_delay_wanted(uint8_t notify)
{
    return notify == 0 || (notify & QUEUE_NOTIFY_DELAY) != 0;
}

bool warn_concerns(const struct message *message, uint32_t index, enum dsn_kind kind)
{
    const struct recipient *recipient = &message->recipients[index];
    if (kind == DSN_VERIFY)
        return !recipient->is_traced;
    return recipient->status == QUEUE_STATUS_PENDING && !recipient->is_warned &&
           is_delay_wanted(message->envelope.recipients[index].notify);
}

bool warn_is_due(struct message *message)
{
    return has_sender(message) && is_old_enough(message) && unreported_find(message, DSN_DELAY);
}

bool warn_traces(struct message *message)
{
    return (message->envelope.flags & (QUEUE_FLAG_VERIFY | QUEUE_FLAG_TRACE)) != 0 &&
           has_sender(message) && unreported_find(message, DSN_VERIFY);
}

bool warn_reports_success(const struct message *message, uint32_t index)
{
    return (message->envelope.recipients[index].notify & QUEUE_NOTIFY_SUCCESS) != 0 ||
           timing_reports_relay(message, index) ||
           (message->recipients[index].is_warned && message->qmgr->settings->confirm_delay_cleared);
}

void warn_note(struct message *message, uint32_t index, enum dsn_kind kind)
{
    struct recipient *recipient = &message->recipients[index];
    if (kind == DSN_DELAY ? recipient->is_warned : recipient->is_traced)
        return;
    if (kind == DSN_DELAY) {
        recipient->is_warned = true;
    } else {
        recipient->is_traced = true;
        if (recipient->status == QUEUE_STATUS_SUCCEEDED) { /* that was in it */
            recipient->status = QUEUE_STATUS_DELIVERED;
            message_note_change(message, index);
        }
    }
    recipient->has_note = true;
    message->has_notes = true;
}

static uint32_t append_run(struct message *message, uint32_t first, struct buffer *journal)
{
    const bool is_warned = message->recipients[first].is_warned;
    const bool is_traced = message->recipients[first].is_traced;
    uint32_t end = first;
    for (; end < message->recipient_count; end++) {
        struct recipient *recipient = &message->recipients[end];
        if (!recipient->has_note || recipient->is_warned != is_warned ||
            recipient->is_traced != is_traced)
            break;
        recipient->has_note = false;
    }
    struct queue_record record = {
        .time_us = clock_realtime_us(), .first_recipient = first, .recipient_count = end - first};
    if (is_warned) {
        record.kind = QUEUE_RECORD_WARNED;
        queue_journal_append(&record, journal);
    }
    if (is_traced) {
        record.kind = QUEUE_RECORD_REPORTED;
        queue_journal_append(&record, journal);
    }
    return end;
}

void warn_append_records(struct message *message, struct buffer *journal)
{
    if (!message->has_notes)
        return;
    message->has_notes = false;
    for (uint32_t i = 0; i < message->recipient_count;)
        i = message->recipients[i].has_note ? append_run(message, i, journal) : i + 1;
}

void warn_take_record(struct message *message, const struct queue_record *record)
{
    for (uint32_t i = 0; i < record->recipient_count; i++) {
        const uint64_t index = (uint64_t)record->first_recipient + i;
        if (index >= message->recipient_count)
            return;
        if (record->kind == QUEUE_RECORD_WARNED)
            message->recipients[index].is_warned = true;
        else if (record->kind == QUEUE_RECORD_REPORTED)
            message->recipients[index].is_traced = true;
    }
}
