/* bounce/request - see request.h. */
#include "request.h"

#include "ipc/codec.h"
#include "queuefile/id.h"
#include "queuefile/ranges.h"

enum { MICROSECONDS_PER_SECOND = 1000000 };

static struct dsn_recipient recipient_of(const struct ipc_bounce_recipient *recipient)
{
    return (struct dsn_recipient){
        .final_recipient = recipient->recipient,
        .original_recipient = recipient->original,
        .orcpt = recipient->orcpt,
        .action = (enum dsn_action)recipient->action,
        .status = recipient->outcome.status,
        .remote_mta = recipient->remote,
        .diagnostic = recipient->diagnostic,
        .reason = recipient->outcome.reason,
        .last_attempt_s = (int64_t)(recipient->last_attempt_us / MICROSECONDS_PER_SECOND),
    };
}

static enum parse_result decode_recipients(struct span records, struct arena *arena,
                                           struct bounce_request *request)
{
    struct ipc_bounce_recipient recipient;
    enum parse_result result = PARSE_OK;
    struct queue_ranges ranges = {.count = 0};
    struct buffer indexes;
    size_t count = 0;
    for (struct span rest = records; rest.length > 0; count++)
        if ((result = ipc_records_next(&rest, IPC_BOUNCE_RECIPIENT, &recipient)) != PARSE_OK)
            return result;
    request->recipients = arena_alloc(arena, count * sizeof(*request->recipients));
    if (!request->recipients)
        return PARSE_TOO_LONG;
    request->recipient_count = count;
    buffer_init(&indexes, arena, QUEUE_RANGES_MAX_BYTES);
    for (size_t i = 0; i < count && result == PARSE_OK; i++) {
        result = ipc_records_next(&records, IPC_BOUNCE_RECIPIENT, &recipient);
        if (result == PARSE_OK && recipient.action >= DSN_ACTION_COUNT)
            result = PARSE_MALFORMED;
        if (result == PARSE_OK && !queue_ranges_add(&ranges, recipient.index, &indexes))
            result = PARSE_MALFORMED;
        request->recipients[i] = recipient_of(&recipient);
    }
    queue_ranges_finish(&ranges, &indexes);
    if (result == PARSE_OK && !buffer_ok(&indexes))
        result = PARSE_TOO_LONG;
    request->indexes = buffer_span(&indexes);
    return result;
}

enum parse_result bounce_request_decode(const struct ipc_bounce *message, struct arena *arena,
                                        struct bounce_request *request)
{
    struct span header = message->envelope;
    *request = (struct bounce_request){.queue_id = message->queue_id, .sender = message->sender};
    if (!queue_id_is_valid(message->queue_id) || message->kind >= DSN_KIND_COUNT ||
        span_is_empty(message->recipients))
        return PARSE_MALFORMED;
    request->kind = (enum dsn_kind)message->kind;
    request->retry_until_s = (int64_t)(message->retry_until_us / MICROSECONDS_PER_SECOND);
    const enum parse_result result = queue_envelope_next_header(&header, &request->envelope);
    if (result != PARSE_OK)
        return result;
    return decode_recipients(message->recipients, arena, request);
}
