/* bounce/request - see request.h. */
#include "request.h"

#include "ipc/codec.h"
#include "queuefile/id.h"

enum { MICROSECONDS_PER_SECOND = 1000000 };

static enum dsn_action action_of(enum dsn_kind kind, const struct ipc_bounce_recipient *recipient)
{
    switch (kind) {
    case DSN_DELAY:
        return DSN_ACTION_DELAYED;
    case DSN_SUCCESS:
        /* RFC 3461 section 5.2.2: handed to another system, which may or may not report. */
        return span_is_empty(recipient->remote) ? DSN_ACTION_DELIVERED : DSN_ACTION_RELAYED;
    default:
        return DSN_ACTION_FAILED;
    }
}

static struct dsn_recipient recipient_of(enum dsn_kind kind,
                                         const struct ipc_bounce_recipient *recipient)
{
    return (struct dsn_recipient){
        .final_recipient = recipient->recipient,
        .original_recipient = recipient->original,
        .orcpt = recipient->orcpt,
        .action = action_of(kind, recipient),
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
    size_t count = 0;
    for (struct span rest = records; rest.length > 0; count++)
        if ((result = ipc_records_next(&rest, IPC_BOUNCE_RECIPIENT, &recipient)) != PARSE_OK)
            return result;
    request->recipients = arena_alloc(arena, count * sizeof(*request->recipients));
    if (!request->recipients)
        return PARSE_TOO_LONG;
    request->recipient_count = count;
    for (size_t i = 0; i < count && result == PARSE_OK; i++) {
        result = ipc_records_next(&records, IPC_BOUNCE_RECIPIENT, &recipient);
        request->recipients[i] = recipient_of(request->kind, &recipient);
    }
    return result;
}

enum parse_result bounce_request_decode(const struct ipc_bounce *message, struct arena *arena,
                                        struct bounce_request *request)
{
    struct span header = message->envelope;
    *request = (struct bounce_request){.queue_id = message->queue_id};
    if (!queue_id_is_valid(message->queue_id) || message->kind > DSN_SUCCESS ||
        span_is_empty(message->recipients))
        return PARSE_MALFORMED;
    request->kind = (enum dsn_kind)message->kind;
    const enum parse_result result = queue_envelope_next_header(&header, &request->envelope);
    if (result != PARSE_OK)
        return result;
    return decode_recipients(message->recipients, arena, request);
}
