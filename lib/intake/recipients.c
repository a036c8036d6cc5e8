/* intake/recipients - see recipients.h. */
#include "intake/recipients.h"

/* How many of the records replace the recipient that was named. */
static bool count_named(struct span records, uint32_t *count)
{
    struct ipc_addr_expanded expanded;
    *count = 0;
    while (records.length) {
        if (ipc_records_next(&records, IPC_ADDR_EXPANDED, &expanded) != PARSE_OK)
            return false;
        *count += !expanded.is_copy;
    }
    return true;
}

static struct span first_of(struct span first, struct span second)
{
    return first.length ? first : second;
}

/* RFC 3461 section 5.2.7.3 (c): whoever wants to know of success is told that the list was
 * expanded, and nothing of its members' success. */
static bool add_expanded(struct intake_message *message, const struct queue_recipient *named)
{
    struct queue_recipient list = *named;
    list.notify = QUEUE_NOTIFY_SUCCESS | QUEUE_NOTIFY_EXPANDED;
    return intake_add_recipient(message, &list);
}

/* What is left of NOTIFY without SUCCESS; SUCCESS alone leaves nothing to be told. */
static uint8_t notify_of_member(uint8_t notify)
{
    const unsigned rest = notify & ~(unsigned)QUEUE_NOTIFY_SUCCESS;
    return notify == QUEUE_NOTIFY_SUCCESS ? QUEUE_NOTIFY_NEVER : (uint8_t)rest;
}

static bool add_records(struct intake_message *message, const struct queue_recipient *named,
                        struct span records, bool is_list)
{
    struct ipc_addr_expanded expanded;

    while (records.length) {
        if (ipc_records_next(&records, IPC_ADDR_EXPANDED, &expanded) != PARSE_OK)
            return false;
        struct queue_recipient recipient = {.forward_path = expanded.address};
        const struct span original = expanded.is_copy
                                         ? expanded.original
                                         : first_of(named->original_recipient, named->forward_path);
        if (!span_equals(original, expanded.address))
            recipient.original_recipient = original;
        if (!expanded.is_copy) {
            recipient.orcpt = named->orcpt;
            recipient.notify = is_list ? notify_of_member(named->notify) : named->notify;
        }
        if (!intake_add_recipient(message, &recipient))
            return false;
    }
    return true;
}

bool intake_add_expansion(struct intake_message *message, const struct queue_recipient *named,
                          const struct addr_expansion *expansion)
{
    uint32_t count;

    if (span_is_empty(expansion->records))
        return intake_add_recipient(message, named);
    if (!count_named(expansion->records, &count))
        return false;
    /* One address in place of another inherits all that was asked for (section 5.2.7.2). */
    if (count > 1 && (named->notify & QUEUE_NOTIFY_SUCCESS) && !add_expanded(message, named))
        return false;
    return add_records(message, named, expansion->records, count > 1);
}

struct outcome intake_expand_recipient(struct intake_message *message, struct addr_client *client,
                                       const struct queue_recipient *named, struct span sender,
                                       unsigned flags, struct arena *arena, int64_t deadline_ms,
                                       struct addr_expansion *expansion)
{
    const struct outcome outcome =
        addr_expand(client, named->forward_path, sender, flags, deadline_ms, arena, expansion);
    if (outcome.kind == OUTCOME_TEMPORARY)
        return outcome;
    if (outcome.kind == OUTCOME_PERMANENT) {
        /* It is no address, and nobody here may refuse it: qmgr is told the same and tells the
         * sender, and the others get their mail. */
        *expansion = (struct addr_expansion){.records = span_empty(), .sender = span_empty()};
        if (intake_add_recipient(message, named))
            return outcome_ok();
    } else if (intake_add_expansion(message, named, expansion)) {
        return outcome_ok();
    }
    return outcome_temporary(451, 3, 0, "Error: queue file write error");
}

bool intake_replace_address(void *context, enum smtp_address_field kind, struct span text,
                            struct arena *arena, struct span *replacement)
{
    struct intake_address_rewriter *rewriter = context;
    const bool is_sender = kind == SMTP_ADDRESS_FIELD_SENDER;
    const enum addr_rewriting rewriting =
        rewriter->is_remote
            ? (is_sender ? ADDR_REWRITE_REMOTE_SENDER : ADDR_REWRITE_REMOTE_RECIPIENT)
            : (is_sender ? ADDR_REWRITE_HEADER_SENDER : ADDR_REWRITE_HEADER_RECIPIENT);

    if (rewriter->has_failed)
        return false;
    const struct outcome outcome = addr_rewrite(rewriter->client, rewriting, &text, 1,
                                                rewriter->deadline_ms, arena, replacement);
    rewriter->has_failed = !outcome_is_ok(&outcome);
    return !rewriter->has_failed && !span_equals(text, *replacement);
}
