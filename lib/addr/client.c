/* addr/client - see client.h. */
#include "addr/client.h"

#include "addr/ahead.h"
#include "addr/recent.h"
#include "ipc/helper.h"
#include "system/task.h"

enum {
    CHANNEL_POLL_MS = 50,
    REQUEST_MAX_BYTES = 57344, /* IPC_RECORDS_MAX */
    ADDRESSES_AT_ONCE_MAX = 1000,
    EXPANSION_MAX_BYTES = 64 << 20
};

void addr_client_attach(struct addr_client *client, struct loop *loop, int descriptor)
{
    if (client->recent)
        addr_recent_forget(client->recent);
    ipc_helper_attach(&client->channel, loop, descriptor, IPC_ROLE_ADDRD);
}

static struct outcome unavailable(void)
{
    return outcome_temporary(451, 3, 0, "Temporary lookup failure");
}

/* From a task: one request; waits for a new addrd if there is none or it goes away meanwhile. */
static bool call(struct addr_client *client, enum ipc_type type, const void *message,
                 enum ipc_type reply_type, void *reply, struct arena *arena, int64_t deadline_ms)
{
    const int64_t patience_ms = clock_deadline_after(ADDR_CLIENT_PATIENCE_MS);

    for (;;) {
        enum ipc_call_result result = IPC_CALL_CLOSED;
        if (client->channel)
            result = ipc_channel_call(client->channel, type, message, reply_type, reply, arena,
                                      deadline_ms);
        if (result != IPC_CALL_CLOSED)
            return result == IPC_CALL_OK;
        const int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= patience_ms || now_ms >= deadline_ms ||
            task_sleep(CHANNEL_POLL_MS) == TASK_CANCELLED)
            return false;
    }
}

/* ---- expansion ---- */

/* What one answer holds of an expansion. */
struct part {
    struct span records;
    uint32_t total;
    uint64_t fingerprint;
    struct span sender;
    bool rewrites_headers;
};

static bool count_records(struct span records, uint32_t *count)
{
    struct ipc_addr_expanded expanded;
    for (*count = 0; records.length; ++*count)
        if (ipc_records_next(&records, IPC_ADDR_EXPANDED, &expanded) != PARSE_OK ||
            expanded.address.length == 0)
            return false;
    return true;
}

static struct outcome ask_part(struct addr_client *client, const struct ipc_addr_expand *question,
                               int64_t deadline_ms, struct arena *arena, struct part *part)
{
    struct ipc_addr_expand_reply reply;
    if (!call(client, IPC_ADDR_EXPAND, question, IPC_ADDR_EXPAND_REPLY, &reply, arena, deadline_ms))
        return unavailable();
    *part = (struct part){reply.recipients, reply.total, reply.fingerprint, reply.new_sender,
                          reply.rewrites_headers};
    return reply.outcome;
}

/* first: how the list begins. The rest of it, unless it becomes another one meanwhile. */
static struct outcome take_rest(struct addr_client *client, struct ipc_addr_expand *question,
                                const struct part *first, int64_t deadline_ms, struct arena *arena,
                                struct addr_expansion *expansion)
{
    struct part part = *first;
    struct buffer all;
    uint32_t count;

    *expansion = (struct addr_expansion){first->records, 0, first->sender, first->rewrites_headers};
    if (!count_records(first->records, &expansion->count) || expansion->count > first->total)
        return unavailable();
    if (expansion->count == first->total)
        return outcome_ok();
    buffer_init(&all, arena, EXPANSION_MAX_BYTES);
    buffer_append_span(&all, first->records);
    while (expansion->count < first->total) {
        question->skipped = expansion->count;
        const struct outcome outcome = ask_part(client, question, deadline_ms, arena, &part);
        if (!outcome_is_ok(&outcome))
            return outcome;
        if (part.fingerprint != first->fingerprint || part.total != first->total ||
            !count_records(part.records, &count) || count == 0)
            return unavailable();
        buffer_append_span(&all, part.records);
        expansion->count += count;
    }
    if (!buffer_ok(&all) || expansion->count != first->total)
        return unavailable();
    expansion->records = buffer_span(&all);
    return outcome_ok();
}

struct outcome addr_expand(struct addr_client *client, struct span recipient, struct span sender,
                           unsigned flags, int64_t deadline_ms, struct arena *arena,
                           struct addr_expansion *expansion)
{
    struct ipc_addr_expand question = {.recipient = recipient, .sender = sender, .flags = flags};
    struct part first;

    const struct outcome outcome = ask_part(client, &question, deadline_ms, arena, &first);
    if (!outcome_is_ok(&outcome))
        return outcome;
    return take_rest(client, &question, &first, deadline_ms, arena, expansion);
}

static bool recall(struct addr_client *client, const struct ipc_addr_check_recipient *question,
                   struct arena *arena, struct ipc_addr_check_recipient_reply *reply)
{
    const struct ipc_addr_check_recipient_reply *known =
        client->recent ? addr_recent_find(client->recent, question, clock_monotonic_ms(), arena)
                       : NULL;
    if (known)
        *reply = *known;
    return known && ipc_copy_spans(IPC_ADDR_CHECK_RECIPIENT_REPLY, reply, arena);
}

static bool ask_check(struct addr_client *client, const struct ipc_addr_check_recipient *question,
                      int64_t deadline_ms, struct arena *arena,
                      struct ipc_addr_check_recipient_reply *reply)
{
    const int64_t asked_ms = clock_monotonic_ms();
    if (!call(client, IPC_ADDR_CHECK_RECIPIENT, question, IPC_ADDR_CHECK_RECIPIENT_REPLY, reply,
              arena, deadline_ms))
        return false;
    if (client->recent)
        addr_recent_keep(client->recent, question, reply, asked_ms);
    return true;
}

static enum addr_class class_from(uint32_t number)
{
    return number <= ADDR_CLASS_OTHER ? (enum addr_class)number : ADDR_CLASS_NONE;
}

void addr_check_recipient(struct addr_client *client, struct addr_ahead *ahead,
                          struct span recipient, struct span sender, unsigned flags,
                          int64_t deadline_ms, struct arena *arena, struct addr_check *check)
{
    const struct ipc_addr_check_recipient question = {
        .recipient = recipient, .sender = sender, .flags = flags};
    struct ipc_addr_check_recipient_reply reply;

    *check = (struct addr_check){.class = ADDR_CLASS_NONE,
                                 .outcome = unavailable(),
                                 .recipient = recipient,
                                 .sender_outcome = outcome_ok()};
    const bool is_answered =
        recall(client, &question, arena, &reply) ||
        (ahead && addr_ahead_take(ahead, &question, deadline_ms, arena, &reply)) ||
        ask_check(client, &question, deadline_ms, arena, &reply);
    if (!is_answered || reply.class > ADDR_CLASS_OTHER)
        return;
    check->class = (enum addr_class)reply.class;
    check->outcome = reply.outcome;
    check->refusal = reply.refusal <= ADDR_REFUSAL_NOWHERE ? (enum addr_refusal)reply.refusal
                                                           : ADDR_REFUSAL_NONE;
    check->recipient = reply.recipient;
    check->sender_outcome = reply.sender_outcome;
    check->unknown_class = class_from(reply.unknown_class);
    check->sender_class = class_from(reply.sender_class);
    const struct part first = {reply.recipients, reply.total, reply.fingerprint, reply.new_sender,
                               reply.rewrites_headers};
    struct ipc_addr_expand rest = {.recipient = reply.recipient, .sender = sender, .flags = flags};
    const struct outcome outcome =
        take_rest(client, &rest, &first, deadline_ms, arena, &check->expansion);
    if (!outcome_is_ok(&outcome)) {
        check->outcome = outcome;
        check->refusal = ADDR_REFUSAL_NONE; /* not all is known of it: settings might let it pass */
        check->unknown_class = ADDR_CLASS_NONE;
    }
}

/* Appends as many as fit; their number. */
static size_t put_recipients(struct buffer *records, const struct span *recipients, size_t count)
{
    size_t fitting = 0;

    while (fitting < count && fitting < ADDRESSES_AT_ONCE_MAX) {
        const struct ipc_addr_recipient recipient = {.address = recipients[fitting]};
        const size_t length = records->length;
        ipc_records_append(IPC_ADDR_RECIPIENT, &recipient, records);
        if (!buffer_ok(records)) {
            records->length = length;
            records->has_failed = false;
            break;
        }
        fitting++;
    }
    return fitting;
}

/* ---- rewriting ---- */

static bool read_addresses(struct span records, struct span *addresses, size_t *count)
{
    struct ipc_addr_recipient recipient;
    size_t found = 0;

    for (; records.length && found < *count; found++) {
        if (ipc_records_next(&records, IPC_ADDR_RECIPIENT, &recipient) != PARSE_OK)
            return false;
        addresses[found] = recipient.address;
    }
    *count = found;
    return records.length == 0 && found > 0;
}

struct outcome addr_rewrite(struct addr_client *client, enum addr_rewriting kind,
                            const struct span *addresses, size_t count, int64_t deadline_ms,
                            struct arena *arena, struct span *rewritten)
{
    for (size_t done = 0; done < count;) {
        struct ipc_addr_rewrite_reply reply;
        struct buffer records;

        buffer_init(&records, arena, REQUEST_MAX_BYTES);
        size_t asked = put_recipients(&records, addresses + done, count - done);
        const struct ipc_addr_rewrite question = {.kind = kind, .addresses = buffer_span(&records)};
        if (asked == 0 || !call(client, IPC_ADDR_REWRITE, &question, IPC_ADDR_REWRITE_REPLY, &reply,
                                arena, deadline_ms))
            return unavailable();
        if (!outcome_is_ok(&reply.outcome))
            return reply.outcome;
        if (!read_addresses(reply.addresses, rewritten + done, &asked))
            return unavailable();
        done += asked;
    }
    return outcome_ok();
}

/* ---- tables of agents ---- */

struct outcome addr_find(struct addr_client *client, enum addr_agent_table table,
                         const struct span *keys, size_t count, int64_t deadline_ms,
                         struct arena *arena, struct span *value)
{
    struct ipc_addr_find_reply reply;
    struct buffer records;
    *value = span_empty();
    buffer_init(&records, arena, REQUEST_MAX_BYTES);
    const size_t asked = put_recipients(&records, keys, count);
    const struct ipc_addr_find question = {.table = table, .keys = buffer_span(&records)};
    if (asked < count ||
        !call(client, IPC_ADDR_FIND, &question, IPC_ADDR_FIND_REPLY, &reply, arena, deadline_ms))
        return unavailable();
    if (outcome_is_ok(&reply.outcome))
        *value = reply.value;
    return reply.outcome;
}

struct outcome addr_lookup(struct addr_client *client, struct span tables, bool keeps_case,
                           const struct span *keys, size_t count, int64_t deadline_ms,
                           struct arena *arena, struct span *value)
{
    struct ipc_addr_find_reply reply;
    struct buffer records;
    *value = span_empty();
    buffer_init(&records, arena, REQUEST_MAX_BYTES);
    const size_t asked = put_recipients(&records, keys, count);
    const struct ipc_addr_lookup question = {
        .tables = tables, .keys = buffer_span(&records), .keeps_case = keeps_case};
    if (asked < count ||
        !call(client, IPC_ADDR_LOOKUP, &question, IPC_ADDR_FIND_REPLY, &reply, arena, deadline_ms))
        return unavailable();
    if (outcome_is_ok(&reply.outcome))
        *value = reply.value;
    return reply.outcome;
}
