/* smtp/transaction - see transaction.h. */
#include "transaction.h"

#include "base/ascii.h"
#include "body.h"
#include "envelope.h"
#include "system/clock.h"
#include "system/task.h"
#include "wire.h"

/* Commands under way without a reply: their replies fit every socket buffer, so that neither side
 * can wait for the other to read (RFC 2920 section 3.1). */
enum { PIPELINE_WINDOW = 64 };

struct transaction {
    struct delivery *delivery;
    struct connection *connection;
    struct delivery_recipient **offered;
    size_t offered_count;
    size_t left_out_count;  /* for a later transaction: the server's limits */
    size_t postponed_count; /* likewise, by the server's reply */
    size_t accepted_count;
    size_t delivered_count;
    enum connection_stage xforward[ENVELOPE_XFORWARD_MAX];
    size_t xforward_count;
    struct span reverse_path; /* as the server gets it */
    struct buffer chunk;      /* content that leaves with the envelope; empty: it goes by DATA */
    bool needs_smtputf8;
    bool is_mail_accepted;
    bool is_data_accepted;
    bool was_kept;  /* the connection is from an earlier delivery */
    bool has_reply; /* to anything */
    struct failure failure;
};

/* Steps: XFORWARD, MAIL, the recipients, DATA or BDAT. */
static size_t mail_step(const struct transaction *transaction)
{
    return transaction->xforward_count;
}

static size_t data_step(const struct transaction *transaction)
{
    return mail_step(transaction) + transaction->offered_count + 1;
}

static struct delivery_recipient *recipient_at(const struct transaction *transaction, size_t step)
{
    return transaction->offered[step - mail_step(transaction) - 1];
}

static bool uses_chunk(const struct transaction *transaction)
{
    return transaction->chunk.length > 0;
}

/* A recipient that is only to be verified: what RCPT is answered is the result, or DATA where
 * smtp_address_verify_target says so. */
static bool is_verification(const struct transaction *transaction)
{
    return (transaction->delivery->envelope.flags & QUEUE_FLAG_VERIFY) != 0;
}

static bool ends_with_rcpt(const struct transaction *transaction)
{
    return is_verification(transaction) &&
           span_equals_ascii_nocase(transaction->connection->settings->smtp_address_verify_target,
                                    SPAN("rcpt"));
}

static enum connection_stage stage_of(const struct transaction *transaction, size_t step)
{
    if (step < mail_step(transaction))
        return transaction->xforward[step];
    if (step == mail_step(transaction))
        return STAGE_MAIL;
    if (step < data_step(transaction))
        return STAGE_RCPT;
    return uses_chunk(transaction) ? STAGE_END_OF_DATA : STAGE_DATA;
}

/* ---- what may not be sent at all ---- */

static void refuse_all(struct transaction *transaction, uint16_t subject, uint16_t detail,
                       struct span text)
{
    const struct failure failure = {.outcome =
                                        outcome_make(OUTCOME_PERMANENT, 0, subject, detail,
                                                     text.bytes ? text : SPAN("out of memory")),
                                    .diagnostic = span_empty(),
                                    .is_connected = true};
    delivery_fail_all(transaction->delivery, transaction->connection, &failure);
}

/* Another host may be better. */
static void refuse_unprotected(struct transaction *transaction)
{
    struct failure failure = {
        .outcome =
            outcome_make(OUTCOME_TEMPORARY, 0, 7, 30,
                         arena_format(&transaction->delivery->arena,
                                      "REQUIRETLS is required, but was not offered by host %s",
                                      transaction->connection->label)),
        .diagnostic = span_empty(),
        .is_connected = true,
        .bounces_at_end = true};
    if (!failure.outcome.reason.bytes)
        failure.outcome.reason = SPAN("REQUIRETLS is required, but was not offered");
    delivery_fail_all(transaction->delivery, transaction->connection, &failure);
}

static struct span smtputf8_text(const struct transaction *transaction)
{
    const struct span text = arena_format(&transaction->delivery->arena,
                                          "SMTPUTF8 is required, but was not offered by host %s",
                                          transaction->connection->label);
    return text.bytes ? text : SPAN("SMTPUTF8 is required, but was not offered");
}

/* RFC 6531 section 3.6: an address that only SMTPUTF8 can carry. */
static void refuse_recipient(struct transaction *transaction, struct delivery_recipient *recipient)
{
    const struct failure failure = {
        .outcome = outcome_make(OUTCOME_PERMANENT, 0, 6, 7, smtputf8_text(transaction)),
        .diagnostic = span_empty(),
        .is_connected = true};
    delivery_fail(transaction->delivery, recipient, transaction->connection, &failure);
}

static struct wire_rules wire_rules_of(const struct transaction *transaction)
{
    const struct connection *connection = transaction->connection;
    return (struct wire_rules){.has_smtputf8 = connection->extensions.has_smtputf8,
                               .quotes = connection->settings->smtp_quote_rfc821_envelope};
}

/* RFC 2852 section 4.1.4.1: what is to be returned when it is late goes to nobody who knows nothing
 * of that, or who wants more time than there is. */
static bool may_be_in_time(struct transaction *transaction)
{
    const struct queue_envelope *envelope = &transaction->delivery->envelope;
    const struct smtp_extensions *extensions = &transaction->connection->extensions;
    const int64_t remaining_s = envelope_remaining_s(envelope, clock_realtime_us());
    struct arena *arena = &transaction->delivery->arena;
    if (envelope->deliver_by != QUEUE_DELIVER_BY_RETURN)
        return true;
    if (remaining_s <= 0)
        refuse_all(transaction, 4, 7, SPAN("delivery time expired"));
    else if (!extensions->has_deliver_by)
        refuse_all(transaction, 3, 3,
                   arena_format(arena, "DELIVERBY is required, but was not offered by host %s",
                                transaction->connection->label));
    else if ((uint64_t)remaining_s < extensions->deliver_by_min_s)
        refuse_all(transaction, 4, 7,
                   arena_format(arena, "delivery by host %s would take longer than is left",
                                transaction->connection->label));
    else
        return true;
    return false;
}

/* What the server's answer to EHLO rules out. */
static bool may_be_sent(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    const struct queue_envelope *envelope = &delivery->envelope;
    const struct smtp_extensions *extensions = &transaction->connection->extensions;
    const uint64_t size = body_size(delivery);
    if (extensions->has_size && extensions->size_limit > 0 && size > extensions->size_limit) {
        refuse_all(
            transaction, 3, 4,
            arena_format(&delivery->arena, "message size %llu exceeds size limit %llu of server %s",
                         (unsigned long long)size, (unsigned long long)extensions->size_limit,
                         transaction->connection->label));
        return false;
    }
    if (delivery_requires_tls(delivery) &&
        !(transaction->connection->tls && extensions->has_requiretls)) {
        refuse_unprotected(transaction);
        return false;
    }
    if (!may_be_in_time(transaction))
        return false;
    const bool has_utf8_header = (envelope->flags & QUEUE_FLAG_SMTPUTF8) != 0 &&
                                 (envelope->facts.flags & QUEUE_FACT_8BIT_HEADER) != 0;
    const struct wire_rules rules = wire_rules_of(transaction);
    if (!wire_address(delivery->reverse_path, &rules, &delivery->arena,
                      &transaction->reverse_path) ||
        (has_utf8_header && !extensions->has_smtputf8)) {
        refuse_all(transaction, 6, 7, smtputf8_text(transaction));
        return false;
    }
    transaction->needs_smtputf8 = has_utf8_header || !ascii_is_all_ascii(transaction->reverse_path);
    return true;
}

/* ---- whom to offer ---- */

/* RFC 9422 section 4.3: the domains of a whole session count. */
static bool domain_fits(struct connection *connection, struct span address)
{
    const uint32_t limit = connection->extensions.limits.rcpt_domain_max;
    const size_t at = span_find_last_byte(address, '@');
    const struct span domain = span_after(address, at < address.length ? at + 1 : at);
    if (limit == 0)
        return true;
    LIST_FOR_EACH (&connection->domains, link) {
        const struct connection_domain *known = LIST_ITEM(link, struct connection_domain, link);
        if (span_equals_ascii_nocase(known->name, domain))
            return true;
    }
    struct connection_domain *added = arena_alloc(&connection->arena, sizeof(*added));
    if (!added || connection->domains.count >= limit)
        return false;
    added->name = arena_copy(&connection->arena, domain);
    list_append(&connection->domains, &added->link);
    return added->name.bytes != NULL;
}

static bool collect_recipients(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct connection *connection = transaction->connection;
    const uint32_t limit = connection->extensions.limits.rcpt_max;
    const struct wire_rules rules = wire_rules_of(transaction);
    transaction->offered =
        arena_alloc(&delivery->arena, delivery->recipient_count * sizeof(transaction->offered[0]));
    if (!transaction->offered) {
        const struct failure failure = {.outcome = outcome_temporary(0, 3, 0, "out of memory"),
                                        .diagnostic = span_empty()};
        delivery_fail_all(delivery, connection, &failure);
        return false;
    }
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        struct delivery_recipient *recipient = &delivery->recipients[i];
        recipient->is_accepted = recipient->is_answered = false;
        if (recipient->is_done || recipient->is_settled)
            continue;
        if (!wire_address(recipient->outward_address, &rules, &delivery->arena,
                          &recipient->wire_address)) {
            refuse_recipient(transaction, recipient);
        } else if ((limit > 0 && transaction->offered_count >= limit) ||
                   !domain_fits(connection, recipient->address)) {
            transaction->left_out_count++;
        } else {
            transaction->needs_smtputf8 |= !ascii_is_all_ascii(recipient->wire_address);
            transaction->offered[transaction->offered_count++] = recipient;
        }
    }
    return transaction->offered_count > 0;
}

/* ---- commands ---- */

static void write_step(struct transaction *transaction, size_t step)
{
    struct connection *connection = transaction->connection;
    switch ((int)stage_of(transaction, step)) {
    case STAGE_XFORWARD_CLIENT:
    case STAGE_XFORWARD_SESSION:
        envelope_write_xforward(transaction->delivery, connection, transaction->xforward[step]);
        break;
    case STAGE_MAIL:
        envelope_write_mail(transaction->delivery, connection, transaction->reverse_path,
                            transaction->needs_smtputf8);
        break;
    case STAGE_RCPT:
        envelope_write_rcpt(transaction->delivery, connection, recipient_at(transaction, step));
        break;
    case STAGE_DATA:
        connection_write(connection, "DATA\r\n");
        break;
    default: /* RFC 3030 section 2 */
        connection_write(connection, "BDAT %zu LAST\r\n", transaction->chunk.length);
        stream_write(&connection->stream, buffer_span(&transaction->chunk));
        break;
    }
}

/* ---- replies ---- */

/* The server need not like it: it only loses a hint. */
static void on_xforward_reply(struct transaction *transaction, size_t step,
                              const struct smtp_reply *reply)
{
    if (reply->code / 100 == 2)
        return;
    transaction->failure = connection_refusal(transaction->connection, transaction->xforward[step],
                                              reply, &transaction->delivery->arena);
    maillog_text(transaction->delivery->agent->log, LOG_LEVEL_WARNING, span_empty(), "%.*s",
                 SPAN_PRINTF(transaction->failure.outcome.reason));
}

static void on_mail_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    transaction->is_mail_accepted = reply->code / 100 == 2;
    transaction->connection->needs_reset |= transaction->is_mail_accepted;
    if (transaction->is_mail_accepted)
        return;
    transaction->failure = connection_refusal(transaction->connection, STAGE_MAIL, reply,
                                              &transaction->delivery->arena);
    for (size_t i = 0; i < transaction->offered_count; i++)
        transaction->offered[i]->is_answered = transaction->offered[i]->is_settled = true;
    delivery_fail_all(transaction->delivery, transaction->connection, &transaction->failure);
}

static void on_rcpt_reply(struct transaction *transaction, struct delivery_recipient *recipient,
                          const struct smtp_reply *reply)
{
    struct smtp_reply taken = *reply;
    if (!transaction->is_mail_accepted)
        return; /* that everything is refused then is no news */
    recipient->is_answered = recipient->is_settled = true;
    if (reply->code / 100 == 2 && ends_with_rcpt(transaction)) {
        delivery_succeed(transaction->delivery, recipient, transaction->connection,
                         connection_reply_text(reply, &transaction->delivery->arena));
        return;
    }
    if (reply->code / 100 == 2) {
        recipient->is_accepted = true;
        transaction->accepted_count++;
        return;
    }
    /* RFC 5321 section 4.5.3.1.10: some servers say so when there are too many recipients; but not
     * those that say what else it is (RFC 3463: 5.2.2, the mailbox is full). */
    if (reply->code == 552 &&
        (!reply->has_status || (reply->status.subject == 5 && reply->status.detail == 3))) {
        taken.code = 452;
        taken.has_status = true;
        taken.status = (struct enhanced_status){4, 5, 3};
    }
    if (taken.code == 452 && transaction->accepted_count > 0) {
        recipient->is_settled = false;
        transaction->postponed_count++;
    }
    transaction->failure = connection_refusal(transaction->connection, STAGE_RCPT, &taken,
                                              &transaction->delivery->arena);
    delivery_fail(transaction->delivery, recipient, transaction->connection, &transaction->failure);
}

/* The connection is lost: whoever was not refused before fails for that. */
static void fail_undecided(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->offered_count; i++) {
        struct delivery_recipient *recipient = transaction->offered[i];
        if (!recipient->is_done && (recipient->is_accepted || !recipient->is_answered))
            delivery_fail(transaction->delivery, recipient, transaction->connection,
                          &transaction->failure);
    }
}

/* Everybody whom the server had accepted, and who is not done. */
static void fail_accepted(struct transaction *transaction)
{
    for (size_t i = 0; i < transaction->offered_count; i++)
        if (transaction->offered[i]->is_accepted)
            delivery_fail(transaction->delivery, transaction->offered[i], transaction->connection,
                          &transaction->failure);
}

/* The server would take the content now. It gets none: the connection ends here. */
static void verify_accepted(struct transaction *transaction, const struct smtp_reply *reply)
{
    struct delivery *delivery = transaction->delivery;
    const struct span text = connection_reply_text(reply, &delivery->arena);
    for (size_t i = 0; i < transaction->offered_count; i++)
        if (transaction->offered[i]->is_accepted)
            delivery_succeed(delivery, transaction->offered[i], transaction->connection, text);
    transaction->is_data_accepted = false;
    transaction->connection->is_usable = false;
}

static void on_data_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    transaction->is_data_accepted = reply->code / 100 == 3; /* RFC 5321 section 4.3.2 */
    if (transaction->is_data_accepted && is_verification(transaction)) {
        verify_accepted(transaction, reply);
        return;
    }
    if (transaction->is_data_accepted || transaction->accepted_count == 0)
        return;
    transaction->failure = connection_refusal(transaction->connection, STAGE_DATA, reply,
                                              &transaction->delivery->arena);
    /* That was for another command: what is said next may find the server reading content. */
    if (reply->code / 100 == 2)
        transaction->connection->is_usable = false;
    fail_accepted(transaction);
}

/* The answer to the content, for everybody whom the server had accepted. */
static void on_content_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    struct delivery *delivery = transaction->delivery;
    if (reply->code / 100 != 2) {
        transaction->failure =
            connection_refusal(transaction->connection, STAGE_END_OF_DATA, reply, &delivery->arena);
        fail_accepted(transaction);
        return;
    }
    const struct span text = connection_reply_text(reply, &delivery->arena);
    for (size_t i = 0; i < transaction->offered_count; i++)
        if (transaction->offered[i]->is_accepted) {
            delivery_succeed(delivery, transaction->offered[i], transaction->connection, text);
            transaction->delivered_count++;
        }
}

/* RFC 3030 section 2: when it is accepted it ends the transaction. */
static void on_chunk_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    if (transaction->accepted_count == 0)
        return;
    if (reply->code / 100 == 2)
        transaction->connection->needs_reset = false;
    on_content_reply(transaction, reply);
}

static void on_step_reply(struct transaction *transaction, size_t step,
                          const struct smtp_reply *reply)
{
    if (step < mail_step(transaction))
        on_xforward_reply(transaction, step, reply);
    else if (step == mail_step(transaction))
        on_mail_reply(transaction, reply);
    else if (step < data_step(transaction))
        on_rcpt_reply(transaction, recipient_at(transaction, step), reply);
    else if (uses_chunk(transaction))
        on_chunk_reply(transaction, reply);
    else
        on_data_reply(transaction, reply);
}

/* ---- the envelope ---- */

/* How far the commands may go now, step by step: without pipelining nothing is said that is known
 * to be useless. Returns the step after the last. */
static size_t steps_worth_sending(const struct transaction *transaction, size_t received)
{
    if (received > mail_step(transaction) && !transaction->is_mail_accepted)
        return received;
    if (received == data_step(transaction) && transaction->accepted_count == 0)
        return received;
    return ends_with_rcpt(transaction) ? data_step(transaction) : data_step(transaction) + 1;
}

/* A connection that was left alone for too long gets 421, and would be welcome anew. */
static bool is_told_to_return(const struct transaction *transaction, const struct smtp_reply *reply)
{
    return reply->code == 421 && transaction->was_kept && !transaction->has_reply;
}

/* False when the connection is lost, with the failure filled. */
static bool exchange_envelope(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    const size_t window = connection->extensions.has_pipelining ? PIPELINE_WINDOW : 1;
    size_t sent = 0, received = 0;
    for (;;) {
        if (sent == received) {
            const size_t end = steps_worth_sending(transaction, received);
            while (sent < end && sent - received < window)
                write_step(transaction, sent++);
            if (sent == received)
                return true;
            if (!connection_flush(connection, stage_of(transaction, received),
                                  &transaction->delivery->arena, &transaction->failure))
                return false;
        }
        struct smtp_reply reply;
        if (!connection_read_reply(connection, stage_of(transaction, received), &reply,
                                   &transaction->delivery->arena, &transaction->failure))
            return false;
        if (is_told_to_return(transaction, &reply))
            return false;
        transaction->has_reply = true;
        on_step_reply(transaction, received, &reply);
        received++;
        if (!connection->is_usable)
            return false; /* 421 to whatever was asked: failure says so */
    }
}

/* ---- the content ---- */

static void refuse_content(struct transaction *transaction, const char *text)
{
    /* RFC 3463: X.3.0, a mail system status; the fault is ours. */
    transaction->failure =
        (struct failure){.outcome = outcome_temporary(0, 3, 0, text), .diagnostic = span_empty()};
    /* Closed in the middle of the content, which the server therefore throws away. */
    transaction->connection->is_usable = false;
    fail_accepted(transaction);
}

/* Some firewalls lose the final dot unless it comes alone and late. */
static bool wait_before_dot(struct transaction *transaction)
{
    const struct conf_smtp *settings = transaction->connection->settings;
    const struct delivery *delivery = transaction->delivery;
    const uint64_t threshold_us = (uint64_t)settings->smtp_pix_workaround_threshold_time_ms * 1000;
    if (!transaction->connection->delays_dot ||
        clock_realtime_us() < delivery->envelope.arrival_us + threshold_us)
        return true;
    if (!connection_flush(transaction->connection, STAGE_CONTENT, &transaction->delivery->arena,
                          &transaction->failure))
        return false;
    (void)task_sleep(settings->smtp_pix_workaround_delay_time_ms);
    return true;
}

static bool send_content(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct span end;
    switch (body_send(delivery, transaction->connection, &end, &delivery->arena,
                      &transaction->failure)) {
    case BODY_SENT:
        if (!wait_before_dot(transaction))
            return false;
        stream_write(&transaction->connection->stream, end);
        return connection_flush(transaction->connection, STAGE_CONTENT, &delivery->arena,
                                &transaction->failure);
    case BODY_LOST:
        return false;
    case BODY_UNREADABLE:
        refuse_content(transaction, "queue file read error");
        return true;
    case BODY_CORRUPT:
        delivery->is_corrupt = true;
        refuse_content(transaction, "queue file is damaged");
        return true;
    }
    return false;
}

/* RFC 2920 section 3.1: DATA was accepted along with nobody; a lone dot ends it. In LMTP it could
 * not be told what comes back (RFC 2033 section 4.2): that connection is over. */
static bool send_nothing(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    struct smtp_reply reply;
    if (connection->context->speaks_lmtp) {
        connection->is_usable = false;
        return true;
    }
    stream_write(&connection->stream, SPAN(".\r\n"));
    if (!connection_flush(connection, STAGE_CONTENT, &transaction->delivery->arena,
                          &transaction->failure) ||
        !connection_read_reply(connection, STAGE_END_OF_DATA, &reply, &transaction->delivery->arena,
                               &transaction->failure))
        return false;
    connection->needs_reset = true;
    return true;
}

/* RFC 2033 section 4.2: one reply for each recipient whom the server had accepted, in that order.
 * False when the connection is lost, with the failure filled. */
static bool read_replies_of_each(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct connection *connection = transaction->connection;
    for (size_t i = 0; i < transaction->offered_count; i++) {
        struct delivery_recipient *recipient = transaction->offered[i];
        struct smtp_reply reply;
        if (!recipient->is_accepted)
            continue;
        if (!connection_read_reply(connection, STAGE_END_OF_DATA, &reply, &delivery->arena,
                                   &transaction->failure))
            return false;
        recipient->is_accepted = false; /* whatever happens to the connection now */
        if (reply.code / 100 == 2) {
            delivery_succeed(delivery, recipient, connection,
                             connection_reply_text(&reply, &delivery->arena));
            transaction->delivered_count++;
        } else {
            const struct failure failure =
                connection_refusal(connection, STAGE_END_OF_DATA, &reply, &delivery->arena);
            delivery_fail(delivery, recipient, connection, &failure);
        }
    }
    connection->needs_reset = false;
    return true;
}

/* An answer to the content is here before any of it was sent. Whatever it is meant for, it says of
 * the content at most that it is not wanted. */
static bool take_early_reply(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    struct arena *arena = &transaction->delivery->arena;
    struct smtp_reply reply;
    if (!connection_read_reply(connection, STAGE_END_OF_DATA, &reply, arena, &transaction->failure))
        return false;
    transaction->failure = connection_refusal(connection, STAGE_END_OF_DATA, &reply, arena);
    connection->is_usable = false;
    fail_accepted(transaction);
    return true;
}

/* False when the connection is lost, with the failure filled. */
static bool exchange_content(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    struct smtp_reply reply;
    if (transaction->accepted_count == 0)
        return send_nothing(transaction);
    if (!span_is_empty(stream_input(&connection->stream)))
        return take_early_reply(transaction);
    if (!send_content(transaction))
        return false;
    if (!connection->is_usable)
        return true;
    if (connection->context->speaks_lmtp)
        return read_replies_of_each(transaction);
    if (!connection_read_reply(connection, STAGE_END_OF_DATA, &reply, &transaction->delivery->arena,
                               &transaction->failure))
        return false;
    connection->needs_reset = false;
    on_content_reply(transaction, &reply);
    return true;
}

/* ---- all of it ---- */

/* Content that is small and goes as it is leaves with the envelope; it is read and found whole
 * before anything is said. False when it cannot be read. */
static bool load_chunk(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct connection *connection = transaction->connection;
    if (is_verification(transaction) || !connection->settings->smtp_chunking ||
        !connection->extensions.has_chunking || !body_fits_chunk(delivery, connection))
        return true;
    /* Out of step, the answer to RCPT would be taken for the chunk's. 354 is told from it. */
    if (!connection_is_quiet(connection))
        return true;
    switch (body_load_chunk(delivery, &transaction->chunk)) {
    case BODY_SENT:
    case BODY_LOST:
        return true;
    case BODY_CORRUPT:
        delivery->is_corrupt = true;
        break;
    case BODY_UNREADABLE:
        break;
    }
    transaction->failure = (struct failure){
        .outcome = outcome_temporary(
            0, 3, 0, delivery->is_corrupt ? "queue file is damaged" : "queue file read error"),
        .diagnostic = span_empty()};
    delivery_fail_all(delivery, connection, &transaction->failure);
    return false;
}

/* False with the failure filled where an answer is here before anything was asked: whatever it
 * belongs to, each one after it would be taken for that of the next command, and mail returned for
 * what the server says of another. */
static bool is_in_step(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    struct arena *arena = &transaction->delivery->arena;
    struct smtp_reply reply;
    if (connection_is_quiet(connection) || !connection_has_reply(connection))
        return true;
    if (!connection_read_reply(connection, STAGE_MAIL, &reply, arena, &transaction->failure))
        return false;
    transaction->failure = connection_refusal(connection, STAGE_MAIL, &reply, arena);
    if (reply.code == 421) /* it is leaving */
        return false;
    connection->is_usable = false;
    const struct span text =
        arena_format(arena, "host %s said without being asked: %.*s", connection->label,
                     SPAN_PRINTF(transaction->failure.diagnostic));
    transaction->failure.outcome = outcome_make(
        OUTCOME_TEMPORARY, 0, 5, 0, text.bytes ? text : SPAN("unexpected server message"));
    return false;
}

/* Does the server take another transaction in this session? RFC 9422 section 4.1. */
static bool has_transactions_left(const struct connection *connection)
{
    const uint32_t limit = connection->extensions.limits.mail_max;
    return connection->is_usable && (limit == 0 || connection->use_count < limit);
}

enum rest { REST_NONE, REST_HERE, REST_ELSEWHERE };

/* Whether there is more to do in another transaction, and over which connection. */
static enum rest run_one(struct transaction *transaction, bool *was_lost_unused)
{
    struct delivery *delivery = transaction->delivery;
    struct connection *connection = transaction->connection;
    if (!may_be_sent(transaction))
        return REST_NONE;
    if (!collect_recipients(transaction)) /* a new one would take at least one */
        return transaction->left_out_count > 0 && connection->use_count > 0 ? REST_ELSEWHERE
                                                                            : REST_NONE;
    if (!load_chunk(transaction))
        return REST_NONE;
    transaction->was_kept = ++connection->use_count > 1 && !delivery->is_continued;
    transaction->xforward_count =
        envelope_plan_xforward(delivery, connection, transaction->xforward);
    if (!is_in_step(transaction) || !exchange_envelope(transaction) ||
        (transaction->is_data_accepted && !exchange_content(transaction))) {
        connection->is_usable = false;
        *was_lost_unused = transaction->was_kept && !transaction->has_reply;
        if (!*was_lost_unused)
            fail_undecided(transaction);
    }
    delivery->was_reached |= transaction->has_reply;
    if (transaction->delivered_count == 0 ||
        transaction->left_out_count + transaction->postponed_count == 0)
        return REST_NONE;
    return has_transactions_left(connection) ? REST_HERE : REST_ELSEWHERE;
}

bool transaction_run(struct delivery *delivery, struct connection *connection,
                     bool *was_lost_unused)
{
    enum rest rest = REST_HERE;
    *was_lost_unused = false;
    for (size_t i = 0; i < delivery->recipient_count; i++)
        delivery->recipients[i].is_settled = false;
    delivery->is_continued = false;
    while (rest == REST_HERE) {
        struct transaction transaction = {.delivery = delivery, .connection = connection};
        buffer_init(&transaction.chunk, NULL, BODY_CHUNK_MAX_BYTES);
        rest = run_one(&transaction, was_lost_unused);
        buffer_release(&transaction.chunk);
        delivery->is_continued = true;
    }
    return rest == REST_ELSEWHERE;
}
