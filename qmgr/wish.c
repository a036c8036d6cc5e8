/* qmgr/wish - see wish.h. */
#include "wish.h"

#include "system/clock.h"

void wish_note(struct message *message, enum queue_record_kind kind)
{
    if (kind == QUEUE_RECORD_EXPIRE)
        message->has_expire_note = true;
    else
        message->has_hold_note = true;
    message->has_notes = true;
}

static void append(enum queue_record_kind kind, struct buffer *journal)
{
    const struct queue_record record = {.kind = kind, .time_us = clock_realtime_us()};
    queue_journal_append(&record, journal);
}

void wish_append_records(struct message *message, struct buffer *journal)
{
    if (message->has_hold_note)
        append(message->is_holding ? QUEUE_RECORD_HOLD : QUEUE_RECORD_RELEASE, journal);
    if (message->has_expire_note)
        append(QUEUE_RECORD_EXPIRE, journal);
    message->has_hold_note = message->has_expire_note = false;
}

void wish_take_record(struct message *message, const struct queue_record *record)
{
    if (record->kind == QUEUE_RECORD_HOLD)
        message->is_holding = true;
    else if (record->kind == QUEUE_RECORD_RELEASE)
        message->is_holding = false;
    else if (record->kind == QUEUE_RECORD_EXPIRE)
        message->is_forced_expire = true;
}

void wish_append_fulfilled(struct buffer *journal)
{
    append(QUEUE_RECORD_RELEASE, journal);
}
