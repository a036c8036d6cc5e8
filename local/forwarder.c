/* local/forwarder - see forwarder.h. */
#include "forwarder.h"

#include <stdlib.h>
#include <time.h>

#include "attributes.h"
#include "maillog/receive.h"
#include "queuefile/digest.h"
#include "smtp/content.h"
#include "smtp/date.h"
#include "smtp/header.h"
#include "system/file.h"
#include "system/task.h"

enum {
    INTAKE_WAIT_MS = 60000,
    ADDR_WAIT_MS = 100000,
    COMMIT_WAIT_MS = 120000,
    HEADER_MAX_BYTES = 4096,
    PIECE_BYTES = 65536,
    MESSAGE_ID_HEADER_BYTES = 32768,
    MICROSECONDS_PER_SECOND = 1000000
};

struct job {
    struct forwarder *forwarder;
    const struct forward_request *request;
    struct agent_message *original;
    struct arena *arena;
    struct intake_message message;
    struct smtp_content_facts facts;
    struct span sender;
    uint64_t now_us;
    struct buffer head; /* of the content, for its Message-ID */
};

/* ---- addresses ---- */

/* RFC 3461 section 5.2.7: conditions go with the message to whom an alias stands for, but success
 * is told of here, as "expanded"; a list's mail has another sender, who has asked for nothing. */
static uint8_t notify_of(const struct job *job)
{
    const uint32_t notify = job->request->recipient->notify;
    if (!span_is_empty(job->request->list_owner))
        return 0;
    return notify == QUEUE_NOTIFY_SUCCESS ? QUEUE_NOTIFY_NEVER
                                          : (uint8_t)(notify & ~(uint32_t)QUEUE_NOTIFY_SUCCESS);
}

static bool add_recipient(struct job *job, struct span address, struct span original, bool is_copy)
{
    const bool is_list = !span_is_empty(job->request->list_owner);
    const struct queue_recipient recipient = {
        .forward_path = address,
        .original_recipient = original,
        .orcpt = is_list || is_copy ? span_empty() : job->request->recipient->orcpt,
        .notify = is_copy ? QUEUE_NOTIFY_NEVER : notify_of(job)};
    return intake_add_recipient(&job->message, &recipient);
}

static bool can_be_kept(struct span text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] < ' ' || text.bytes[i] == 0x7f)
            return false;
    return text.length > 0 && text.length <= QUEUE_TEXT_MAX_BYTES;
}

/* The address as aliases of addrd's make it. */
static struct outcome add_address(struct job *job, struct span text, bool is_first)
{
    struct addr_expansion expansion;
    struct ipc_addr_expanded expanded;
    struct span address;
    if (!attributes_complete(job->forwarder->settings, text, job->arena, &address)) {
        if (!can_be_kept(text))
            return outcome_make(
                OUTCOME_PERMANENT, 553, 1, 3,
                arena_format(job->arena, "bad address syntax: %.*s", SPAN_PRINTF(text)));
        address = text;
    }
    const struct outcome outcome =
        addr_expand(&job->forwarder->addr, address, job->sender, is_first ? ADDR_EXPAND_FIRST : 0,
                    clock_deadline_after(ADDR_WAIT_MS), job->arena, &expansion);
    if (outcome.kind == OUTCOME_TEMPORARY)
        return outcome;
    /* It is no address: the message goes to it all the same and fails there, so that the sender
     * hears of this one, and the others have their mail. */
    if (outcome.kind == OUTCOME_PERMANENT)
        expansion = (struct addr_expansion){.records = span_empty(), .sender = span_empty()};
    /* A list's members get mail of its owner's, for themselves. */
    const struct span original = !span_is_empty(job->request->list_owner) ? span_empty()
                                 : span_is_empty(job->request->recipient->original)
                                     ? job->request->recipient->recipient
                                     : job->request->recipient->original;
    bool is_added = true;
    if (span_is_empty(expansion.records))
        is_added = add_recipient(job, address, original, false);
    for (struct span rest = expansion.records;
         is_added && rest.length > 0 &&
         ipc_records_next(&rest, IPC_ADDR_EXPANDED, &expanded) == PARSE_OK;)
        is_added = add_recipient(job, expanded.address, original, expanded.is_copy);
    return is_added ? outcome_ok()
                    : outcome_temporary(451, 3, 0, "an address cannot be kept in the queue");
}

static struct outcome add_addresses(struct job *job)
{
    struct span rest = job->request->addresses;
    struct ipc_addr_recipient address;
    struct outcome outcome = outcome_ok();
    bool is_first = true;
    while (outcome_is_ok(&outcome) && rest.length > 0 &&
           ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &address) == PARSE_OK) {
        outcome = add_address(job, address.address, is_first);
        is_first = false;
    }
    return outcome;
}

/* ---- content ---- */

static void append_header_block(const struct job *job, struct buffer *out)
{
    const struct conf_local *settings = job->forwarder->settings;
    const time_t now_s = (time_t)(job->now_us / MICROSECONDS_PER_SECOND);
    struct tm parts = {0};
    (void)localtime_r(&now_s, &parts); /* else the date is UTC's */
    buffer_append_format(out, "Received: by %.*s (%.*s)\r\n\tid %s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         job->message.queue_id);
    smtp_date_append(out, (int64_t)now_s, (int)(parts.tm_gmtoff / 60),
                     span_from_string(parts.tm_zone));
    buffer_append_string(out, "\r\n");
    if (job->request->has_delivered_to)
        buffer_append_format(out, "Delivered-To: %.*s\r\n",
                             SPAN_PRINTF(job->request->recipient->recipient));
    /* A message without a header of its own begins with its body. */
    if (job->original->envelope.facts.header_bytes == 0)
        buffer_append_string(out, "\r\n");
}

/* False: it cannot be read, or with *is_corrupt, is not what was queued. */
static bool copy_extent(struct job *job, const struct queue_extent *extent, struct digest *digest,
                        uint8_t *bytes, bool *is_corrupt)
{
    uint8_t actual[DIGEST_BYTES];
    digest_start(digest);
    for (uint64_t done = 0; done < extent->length;) {
        const uint64_t left = extent->length - done;
        const size_t count = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
        if (file_pread_all(job->original->content.descriptor, bytes, count,
                           extent->offset + done) != 0)
            return false;
        const struct span piece = span_of(bytes, count);
        digest_update(digest, piece);
        smtp_content_facts_add(&job->facts, piece);
        intake_write_body(&job->message, piece);
        if (job->head.length < MESSAGE_ID_HEADER_BYTES)
            buffer_append_span(&job->head,
                               span_first(piece, MESSAGE_ID_HEADER_BYTES - job->head.length));
        done += count;
        if (done < extent->length)
            task_yield();
    }
    if (!digest_finish(digest, actual))
        return false;
    *is_corrupt = memcmp(actual, extent->digest, sizeof(actual)) != 0;
    return !*is_corrupt;
}

static struct outcome copy_content(struct job *job)
{
    const struct message_content *content = &job->original->content;
    struct digest digest;
    uint8_t *bytes = malloc(PIECE_BYTES);
    if (!bytes || !digest_init(&digest)) {
        free(bytes);
        return outcome_temporary(451, 3, 0, "out of memory");
    }
    bool is_good = true, is_corrupt = false;
    for (size_t i = 0; i < content->extent_count && is_good; i++)
        is_good = copy_extent(job, &content->extents[i], &digest, bytes, &is_corrupt);
    digest_destroy(&digest);
    free(bytes);
    smtp_content_facts_finish(&job->facts);
    if (is_corrupt) /* as where it is written to a mailbox: it will not get better by waiting */
        job->original->is_corrupt = true;
    return is_good ? outcome_ok()
                   : outcome_temporary(451, 3, 0,
                                       is_corrupt
                                           ? "the message in the queue does not match its checksum"
                                           : "the message in the queue cannot be read");
}

/* ---- the message ---- */

static struct queue_envelope make_envelope(const struct job *job)
{
    const struct queue_envelope *original = &job->original->envelope;
    const struct smtp_content_facts *facts = &job->facts;
    const bool is_list = !span_is_empty(job->request->list_owner);
    return (struct queue_envelope){
        .arrival_us = job->now_us,
        .origin = QUEUE_ORIGIN_FORWARD,
        .reverse_path = job->sender,
        .facts = {.size_bytes = facts->size_bytes,
                  .header_bytes =
                      facts->header_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)facts->header_bytes,
                  .longest_line_bytes = facts->longest_line_bytes > UINT32_MAX
                                            ? UINT32_MAX
                                            : (uint32_t)facts->longest_line_bytes,
                  .received_count = original->facts.received_count + 1,
                  .flags = (facts->has_8bit_header ? (uint32_t)QUEUE_FACT_8BIT_HEADER : 0) |
                           (facts->has_8bit_body ? (uint32_t)QUEUE_FACT_8BIT_BODY : 0) |
                           (facts->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0) |
                           (facts->has_nul ? (uint32_t)QUEUE_FACT_NUL : 0)},
        .flags = original->flags &
                 (QUEUE_FLAG_SMTPUTF8 | QUEUE_FLAG_BODY_8BITMIME | QUEUE_FLAG_NO_REPORT |
                  QUEUE_FLAG_REQUIRETLS | QUEUE_FLAG_TLS_OPTIONAL),
        .envid = is_list ? span_empty() : original->envid,
        .ret = is_list ? QUEUE_RETURN_UNSPECIFIED : original->ret,
        .client_name = original->client_name,
        .client_address = original->client_address,
        .client_port = original->client_port,
        .helo = original->helo,
        .protocol = original->protocol,
    };
}

static void log_message_id(const struct job *job)
{
    struct smtp_header_field field;
    struct buffer value;
    buffer_init(&value, job->arena, MESSAGE_ID_HEADER_BYTES);
    if (!smtp_header_find(buffer_span(&job->head), SPAN("Message-ID"), &field))
        return;
    smtp_header_unfold(field.value, &value);
    if (buffer_ok(&value))
        maillog_message_id(job->forwarder->log, intake_queue_id(&job->message),
                           buffer_span(&value));
}

static struct outcome commit(struct job *job)
{
    struct buffer header_block;
    struct outcome outcome = outcome_temporary(451, 3, 0, "out of memory");
    buffer_init(&header_block, job->arena, HEADER_MAX_BYTES);
    append_header_block(job, &header_block);
    smtp_content_facts_add(&job->facts, buffer_span(&header_block));
    if (buffer_ok(&header_block))
        outcome = copy_content(job);
    if (!outcome_is_ok(&outcome))
        return outcome;
    struct queue_envelope envelope = make_envelope(job);
    if (job->request->is_all) {
        envelope.forward_of = job->original->deliver.queue_id;
        envelope.forward_index = job->request->recipient->index;
    }
    log_message_id(job);
    return intake_commit(&job->message, &envelope, buffer_span(&header_block), job->arena,
                         clock_deadline_after(COMMIT_WAIT_MS));
}

/* A null sender stays: what goes wrong with a report is reported to nobody (RFC 5321 section
 * 4.5.5). */
static bool set_sender(struct job *job)
{
    const struct span original = job->original->envelope.reverse_path;
    job->sender = original;
    return span_is_empty(job->request->list_owner) || span_is_empty(original) ||
           attributes_complete(job->forwarder->settings, job->request->list_owner, job->arena,
                               &job->sender);
}

struct outcome forwarder_send(struct forwarder *forwarder, const struct forward_request *request,
                              struct arena *arena, char queue_id[QUEUE_ID_MAX_BYTES + 1])
{
    struct job job = {.forwarder = forwarder,
                      .request = request,
                      .original = request->recipient->message,
                      .arena = arena,
                      .now_us = clock_realtime_us()};
    struct outcome outcome;
    if (job.original->envelope.facts.received_count >= forwarder->settings->hopcount_limit)
        return outcome_permanent(554, 4, 6, "too many hops");
    if (!set_sender(&job))
        return outcome_temporary(451, 3, 5, "the owner alias is no address");
    if (!intake_begin(&forwarder->intake, &job.message, clock_deadline_after(INTAKE_WAIT_MS),
                      &outcome))
        return outcome;
    buffer_init(&job.head, arena, MESSAGE_ID_HEADER_BYTES);
    smtp_content_facts_init(&job.facts);
    memcpy(queue_id, job.message.queue_id, QUEUE_ID_MAX_BYTES + 1);
    outcome = add_addresses(&job);
    if (outcome_is_ok(&outcome))
        outcome = commit(&job);
    intake_abandon(&job.message);
    return outcome;
}
