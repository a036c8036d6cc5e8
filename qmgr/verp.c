/* qmgr/verp - see verp.h. */
#include "verp.h"

#include "address/mailbox.h"
#include "address/verp.h"

enum { SCRATCH_BYTES = 16 * ADDRESS_MAX_BYTES };

bool verp_is_wanted(const struct message *message)
{
    return !span_is_empty(message->envelope.verp_delimiters) &&
           !span_is_empty(message->envelope.reverse_path);
}

bool verp_reports_apart(const struct message *message)
{
    return verp_is_wanted(message) && !message->qmgr->settings->disable_verp_bounces;
}

/* The recipient as the sender named it: that is whom the sender knows. */
static struct span named(const struct message *message, uint32_t index)
{
    const struct queue_recipient *recipient = &message->envelope.recipients[index];
    return span_is_empty(recipient->original_recipient) ? recipient->forward_path
                                                        : recipient->original_recipient;
}

bool verp_append_header(const struct message *message, uint32_t index, struct buffer *out,
                        struct outcome *outcome)
{
    struct queue_envelope envelope = message->envelope;
    const struct span recipient = named(message, index);
    const size_t longest = 2 * (envelope.reverse_path.length + recipient.length);
    struct arena arena;
    arena_init(&arena, SCRATCH_BYTES, 0);
    envelope.reverse_path =
        verp_sender(envelope.reverse_path, recipient, envelope.verp_delimiters, &arena);
    envelope.verp_delimiters = span_empty();
    const bool is_made = envelope.reverse_path.bytes != NULL;
    if (is_made)
        queue_envelope_encode_header(&envelope, out);
    else /* of two short ones it is memory that is missing */
        *outcome = longest > ADDRESS_MAX_BYTES / 2
                       ? outcome_permanent(553, 1, 7, "the sender address for it is too long")
                       : outcome_temporary(451, 3, 0, "queue manager is out of memory");
    arena_destroy(&arena);
    if (is_made && !buffer_ok(out))
        *outcome = outcome_temporary(451, 3, 0, "queue manager is out of memory");
    return is_made && buffer_ok(out);
}

struct span verp_report_address(const struct message *message, uint32_t index, struct arena *arena)
{
    struct mailbox mailbox;
    const struct span address = verp_sender(message->envelope.reverse_path, named(message, index),
                                            message->envelope.verp_delimiters, arena);
    return address.bytes && mailbox_parse(address, ADDRESS_LENIENT | (unsigned)ADDRESS_ALLOW_UTF8,
                                          arena, &mailbox) == PARSE_OK
               ? address
               : span_empty();
}
