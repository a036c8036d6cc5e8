/* queuefile/state - see state.h. */
#include "queuefile/state.h"

#include "base/number.h"
#include "queuefile/record_private.h"

enum { CHECKSUM_BYTES = 4, STATUS_NUMBER_MAX = 999 };

/* A record as it lies in the file. */
struct stored_record {
    uint64_t time_us;
    uint32_t first_recipient;
    uint32_t recipient_count;
    unsigned outcome_kind; /* 0: none, else the kind plus 1 */
    uint16_t reply_code;
    uint16_t status_subject;
    uint16_t status_detail;
    struct span reason;
    struct span remote;
    struct span next_hop;
    struct span text;
    uint64_t next_attempt_us;
    uint32_t attempt_count;
};

#define FIELD(tag, type, is_required, member, maximum)                                             \
    {                                                                                              \
        tag, type, is_required, offsetof(struct stored_record, member), maximum                    \
    }
static const struct record_field record_fields[] = {
    FIELD(1, RECORD_UINT64, true, time_us, UINT64_MAX),
    FIELD(2, RECORD_UINT32, false, first_recipient, UINT32_MAX),
    FIELD(3, RECORD_UINT32, false, recipient_count, UINT32_MAX),
    FIELD(4, RECORD_ENUM, false, outcome_kind, OUTCOME_PERMANENT + 1),
    FIELD(5, RECORD_UINT16, false, reply_code, STATUS_NUMBER_MAX),
    FIELD(6, RECORD_UINT16, false, status_subject, STATUS_NUMBER_MAX),
    FIELD(7, RECORD_UINT16, false, status_detail, STATUS_NUMBER_MAX),
    FIELD(8, RECORD_TEXT, false, reason, QUEUE_RECORD_TEXT_MAX_BYTES),
    FIELD(9, RECORD_TEXT, false, remote, QUEUE_RECORD_TEXT_MAX_BYTES),
    FIELD(10, RECORD_TEXT, false, text, QUEUE_RECORD_TEXT_MAX_BYTES),
    FIELD(11, RECORD_UINT64, false, next_attempt_us, UINT64_MAX),
    FIELD(12, RECORD_UINT32, false, attempt_count, UINT32_MAX),
    FIELD(13, RECORD_TEXT, false, next_hop, QUEUE_RECORD_NEXT_HOP_MAX_BYTES),
};
#undef FIELD

enum queue_status queue_status_from_byte(uint8_t byte)
{
    switch (byte) {
    case QUEUE_STATUS_DELIVERED:
    case QUEUE_STATUS_FAILED:
    case QUEUE_STATUS_EXPIRED:
    case QUEUE_STATUS_SUCCEEDED:
    case QUEUE_STATUS_REPORTED:
        return (enum queue_status)byte;
    default:
        return QUEUE_STATUS_PENDING;
    }
}

bool queue_status_is_done(enum queue_status status)
{
    return status == QUEUE_STATUS_DELIVERED || status == QUEUE_STATUS_REPORTED;
}

void queue_state_append_initial(uint32_t recipient_count, struct buffer *out)
{
    uint8_t *room = buffer_reserve(out, recipient_count);
    if (!room)
        return;
    memset(room, QUEUE_STATUS_PENDING, recipient_count);
    buffer_extend(out, recipient_count);
}

uint64_t queue_state_status_offset(const struct queue_preamble *preamble, uint32_t recipient_index)
{
    return preamble->state_offset + recipient_index;
}

uint64_t queue_state_journal_offset(const struct queue_preamble *preamble)
{
    return preamble->state_offset + preamble->recipient_count;
}

/* CRC-32C, reflected, four bits at a time. It finds torn writes; nobody is kept out by it. */
static uint32_t checksum(struct span bytes)
{
    static const uint32_t table[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    uint32_t value = UINT32_MAX;
    for (size_t i = 0; i < bytes.length; i++) {
        value ^= bytes.bytes[i];
        value = value >> 4 ^ table[value & 15];
        value = value >> 4 ^ table[value & 15];
    }
    return ~value;
}

static bool is_known_kind(uint8_t kind)
{
    return memchr("adnhrxwb", kind, 8) != NULL;
}

/* The text, cut and cleaned into storage where that is needed. */
static struct span clean_text(struct span text, uint8_t *storage)
{
    const size_t length = span_first(text, QUEUE_RECORD_TEXT_MAX_BYTES).length;
    for (size_t i = 0; i < length; i++)
        storage[i] = text.bytes[i] < 0x20 || text.bytes[i] == 0x7f ? '?' : text.bytes[i];
    return span_of(storage, length);
}

static uint16_t limit_number(uint16_t number)
{
    return number <= STATUS_NUMBER_MAX ? number : 0;
}

/* Not within its callers: their frames are large enough. */
NOINLINE void queue_journal_append(const struct queue_record *record, struct buffer *out)
{
    uint8_t reason[QUEUE_RECORD_TEXT_MAX_BYTES], remote[QUEUE_RECORD_TEXT_MAX_BYTES],
        text[QUEUE_RECORD_TEXT_MAX_BYTES], next_hop[QUEUE_RECORD_NEXT_HOP_MAX_BYTES];
    struct stored_record stored = {
        .time_us = record->time_us,
        .first_recipient = record->first_recipient,
        .recipient_count = record->recipient_count,
        .remote = clean_text(record->remote, remote),
        .next_hop = clean_text(span_first(record->next_hop, sizeof(next_hop)), next_hop),
        .text = clean_text(record->text, text),
        .next_attempt_us = record->next_attempt_us,
        .attempt_count = record->attempt_count,
    };
    if (record->has_outcome) {
        stored.outcome_kind = (unsigned)record->outcome.kind + 1;
        stored.reply_code = limit_number(record->outcome.reply_code);
        stored.status_subject = limit_number(record->outcome.status.subject);
        stored.status_detail = limit_number(record->outcome.status.detail);
        stored.reason = clean_text(record->outcome.reason, reason);
    }
    const size_t start = out->length;
    record_encode(out, (uint8_t)record->kind, record_fields, ARRAY_LENGTH(record_fields), &stored);
    if (buffer_ok(out))
        buffer_append_uint32(out, checksum(span_after(buffer_span(out), start)));
}

bool queue_journal_next(struct span *rest, struct queue_record *record)
{
    struct stored_record stored = {.time_us = 0};
    struct span after = *rest;
    uint8_t kind;
    if (!record_peek_kind(*rest, &kind) || !is_known_kind(kind) ||
        record_decode(&after, kind, record_fields, ARRAY_LENGTH(record_fields), &stored) !=
            PARSE_OK ||
        after.length < CHECKSUM_BYTES ||
        number_get_uint32(after.bytes) != checksum(span_first(*rest, rest->length - after.length)))
        return false;
    *record = (struct queue_record){
        .kind = (enum queue_record_kind)kind,
        .time_us = stored.time_us,
        .first_recipient = stored.first_recipient,
        .recipient_count = stored.recipient_count,
        .has_outcome = stored.outcome_kind != 0,
        .remote = stored.remote,
        .next_hop = stored.next_hop,
        .text = stored.text,
        .next_attempt_us = stored.next_attempt_us,
        .attempt_count = stored.attempt_count,
    };
    if (record->has_outcome)
        record->outcome =
            outcome_make((enum outcome_kind)(stored.outcome_kind - 1), stored.reply_code,
                         stored.status_subject, stored.status_detail, stored.reason);
    *rest = span_after(after, CHECKSUM_BYTES);
    return true;
}
