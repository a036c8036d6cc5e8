/* smtp/transaction - see transaction.h. */
#include "transaction.h"

#include "base/ascii.h"
#include "body.h"
#include "system/task.h"

/* Commands under way without a reply: their replies fit every socket buffer, so that neither side
 * can wait for the other to read (RFC 2920 section 3.1). */
enum { PIPELINE_WINDOW = 64 };

struct transaction {
    struct delivery *delivery;
    struct connection *connection;
    struct delivery_recipient **offered;
    size_t offered_count;
    size_t accepted_count;
    bool is_mail_accepted;
    bool is_data_accepted;
    bool was_kept;  /* the connection is from an earlier delivery */
    bool has_reply; /* to anything */
    struct failure failure;
};

/* Steps: MAIL is 0, then the recipients, then DATA. */
static size_t data_step(const struct transaction *transaction)
{
    return transaction->offered_count + 1;
}

static enum connection_stage stage_of(const struct transaction *transaction, size_t step)
{
    return step == 0 ? STAGE_MAIL : step == data_step(transaction) ? STAGE_DATA : STAGE_RCPT;
}

/* ---- what may not be sent at all ---- */

/* RFC 6531: addresses, or a header, that only SMTPUTF8 can carry. */
static bool needs_smtputf8(const struct transaction *transaction)
{
    const struct queue_envelope *envelope = &transaction->delivery->envelope;
    if ((envelope->flags & QUEUE_FLAG_SMTPUTF8) && (envelope->facts.flags & QUEUE_FACT_8BIT_HEADER))
        return true;
    if (!ascii_is_all_ascii(envelope->reverse_path))
        return true;
    for (size_t i = 0; i < transaction->offered_count; i++)
        if (!ascii_is_all_ascii(transaction->offered[i]->address))
            return true;
    return false;
}

static bool refuse_all(struct transaction *transaction, uint16_t subject, uint16_t detail,
                       struct span text)
{
    const struct failure failure = {.outcome =
                                        outcome_make(OUTCOME_PERMANENT, 0, subject, detail,
                                                     text.bytes ? text : SPAN("out of memory")),
                                    .diagnostic = span_empty(),
                                    .is_connected = true};
    delivery_fail_all(transaction->delivery, transaction->connection, &failure);
    return false;
}

/* What the server's answer to EHLO rules out. */
static bool may_be_sent(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    const struct smtp_extensions *extensions = &transaction->connection->extensions;
    const uint64_t size = delivery->envelope.facts.size_bytes;
    if (extensions->has_size && extensions->size_limit > 0 && size > extensions->size_limit)
        return refuse_all(
            transaction, 3, 4,
            arena_format(&delivery->arena, "message size %llu exceeds size limit %llu of server %s",
                         (unsigned long long)size, (unsigned long long)extensions->size_limit,
                         transaction->connection->label));
    if (needs_smtputf8(transaction) && !extensions->has_smtputf8)
        return refuse_all(transaction, 6, 7,
                          arena_format(&delivery->arena,
                                       "SMTPUTF8 is required, but was not offered by host %s",
                                       transaction->connection->label));
    return true;
}

/* ---- commands ---- */

static void write_mail(struct transaction *transaction)
{
    const struct queue_envelope *envelope = &transaction->delivery->envelope;
    struct connection *connection = transaction->connection;
    const struct smtp_extensions *extensions = &connection->extensions;
    const uint32_t eight_bit = QUEUE_FACT_8BIT_HEADER | QUEUE_FACT_8BIT_BODY;

    connection_write(connection, "MAIL FROM:<%.*s>", SPAN_PRINTF(envelope->reverse_path));
    if (extensions->has_size) /* RFC 1870 section 6 */
        connection_write(connection, " SIZE=%llu", (unsigned long long)envelope->facts.size_bytes);
    if (extensions->has_8bitmime && (envelope->facts.flags & eight_bit)) /* RFC 6152 section 3 */
        connection_write(connection, " BODY=8BITMIME");
    if (extensions->has_smtputf8 && needs_smtputf8(transaction))
        connection_write(connection, " SMTPUTF8");
    if (extensions->has_dsn) { /* RFC 3461 section 4.3, 4.4 */
        if (envelope->ret != QUEUE_RETURN_UNSPECIFIED)
            connection_write(connection, " RET=%s",
                             envelope->ret == QUEUE_RETURN_FULL ? "FULL" : "HDRS");
        if (!span_is_empty(envelope->envid))
            connection_write(connection, " ENVID=%.*s", SPAN_PRINTF(envelope->envid));
    }
    connection_write(connection, "\r\n");
}

static void write_notify(struct connection *connection, uint32_t notify)
{
    static const struct {
        uint32_t flag;
        const char *word;
    } words[] = {{QUEUE_NOTIFY_NEVER, "NEVER"},
                 {QUEUE_NOTIFY_SUCCESS, "SUCCESS"},
                 {QUEUE_NOTIFY_FAILURE, "FAILURE"},
                 {QUEUE_NOTIFY_DELAY, "DELAY"}};
    const char *separator = " NOTIFY=";
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        if (notify & words[i].flag) {
            connection_write(connection, "%s%s", separator, words[i].word);
            separator = ",";
        }
}

static void write_rcpt(struct connection *connection, const struct delivery_recipient *recipient)
{
    connection_write(connection, "RCPT TO:<%.*s>", SPAN_PRINTF(recipient->address));
    if (connection->extensions.has_dsn) { /* RFC 3461 section 4.1, 4.2 */
        write_notify(connection, recipient->notify);
        if (!span_is_empty(recipient->orcpt))
            connection_write(connection, " ORCPT=%.*s", SPAN_PRINTF(recipient->orcpt));
    }
    connection_write(connection, "\r\n");
}

static void write_step(struct transaction *transaction, size_t step)
{
    if (step == 0)
        write_mail(transaction);
    else if (step == data_step(transaction))
        connection_write(transaction->connection, "DATA\r\n");
    else
        write_rcpt(transaction->connection, transaction->offered[step - 1]);
}

/* ---- replies ---- */

static void on_mail_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    if (reply->code == 421 && transaction->was_kept) {
        /* It was left alone for too long, and would be welcome anew. */
        transaction->connection->is_usable = transaction->has_reply = false;
        return;
    }
    transaction->is_mail_accepted = reply->code / 100 == 2;
    transaction->connection->needs_reset |= transaction->is_mail_accepted;
    if (transaction->is_mail_accepted)
        return;
    transaction->failure = connection_refusal(transaction->connection, STAGE_MAIL, reply,
                                              &transaction->delivery->arena);
    for (size_t i = 0; i < transaction->offered_count; i++)
        transaction->offered[i]->is_answered = true;
    delivery_fail_all(transaction->delivery, transaction->connection, &transaction->failure);
}

static void on_rcpt_reply(struct transaction *transaction, struct delivery_recipient *recipient,
                          const struct smtp_reply *reply)
{
    struct smtp_reply taken = *reply;
    if (!transaction->is_mail_accepted)
        return; /* that everything is refused then is no news */
    recipient->is_answered = true;
    if (reply->code / 100 == 2) {
        recipient->is_accepted = true;
        transaction->accepted_count++;
        return;
    }
    /* RFC 5321 section 4.5.3.1.10: some servers say so when there are too many recipients. */
    if (reply->code == 552) {
        taken.code = 452;
        taken.has_status = true;
        taken.status = (struct enhanced_status){4, 5, 3};
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

static void on_data_reply(struct transaction *transaction, const struct smtp_reply *reply)
{
    transaction->is_data_accepted = reply->code == 354;
    if (transaction->is_data_accepted || transaction->accepted_count == 0)
        return;
    transaction->failure = connection_refusal(transaction->connection, STAGE_DATA, reply,
                                              &transaction->delivery->arena);
    fail_accepted(transaction);
}

static void on_step_reply(struct transaction *transaction, size_t step,
                          const struct smtp_reply *reply)
{
    if (step == 0)
        on_mail_reply(transaction, reply);
    else if (step == data_step(transaction))
        on_data_reply(transaction, reply);
    else
        on_rcpt_reply(transaction, transaction->offered[step - 1], reply);
}

/* ---- the envelope ---- */

/* How far the commands may go now, step by step: without pipelining nothing is said that is known
 * to be useless. */
static size_t last_step_worth_sending(const struct transaction *transaction, size_t received)
{
    if (received > 0 && !transaction->is_mail_accepted)
        return 0;
    if (received == data_step(transaction) && transaction->accepted_count == 0)
        return received - 1;
    return data_step(transaction);
}

/* False when the connection is lost, with the failure filled. */
static bool exchange_envelope(struct transaction *transaction)
{
    struct connection *connection = transaction->connection;
    const size_t window = connection->extensions.has_pipelining ? PIPELINE_WINDOW : 1;
    size_t sent = 0, received = 0;
    for (;;) {
        if (sent == received) {
            const size_t last_step = last_step_worth_sending(transaction, received);
            while (sent <= last_step && sent - received < window)
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

static bool send_content(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct span end;
    switch (body_send(delivery, transaction->connection, &end, &delivery->arena,
                      &transaction->failure)) {
    case BODY_SENT:
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

/* RFC 2920 section 3.1: DATA was accepted along with nobody; a lone dot ends it. */
static bool send_nothing(struct transaction *transaction)
{
    struct smtp_reply reply;
    stream_write(&transaction->connection->stream, SPAN(".\r\n"));
    if (!connection_flush(transaction->connection, STAGE_CONTENT, &transaction->delivery->arena,
                          &transaction->failure) ||
        !connection_read_reply(transaction->connection, STAGE_END_OF_DATA, &reply,
                               &transaction->delivery->arena, &transaction->failure))
        return false;
    transaction->connection->needs_reset = true;
    return true;
}

/* False when the connection is lost, with the failure filled. */
static bool exchange_content(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    struct connection *connection = transaction->connection;
    struct smtp_reply reply;
    if (transaction->accepted_count == 0)
        return send_nothing(transaction);
    if (!send_content(transaction))
        return false;
    if (!connection->is_usable)
        return true;
    if (!connection_read_reply(connection, STAGE_END_OF_DATA, &reply, &delivery->arena,
                               &transaction->failure))
        return false;
    connection->needs_reset = false;
    if (reply.code / 100 != 2) {
        transaction->failure =
            connection_refusal(connection, STAGE_END_OF_DATA, &reply, &delivery->arena);
        fail_accepted(transaction);
        return true;
    }
    const struct span text = connection_reply_text(&reply, &delivery->arena);
    for (size_t i = 0; i < transaction->offered_count; i++)
        if (transaction->offered[i]->is_accepted)
            delivery_succeed(delivery, transaction->offered[i], connection, text);
    return true;
}

/* ---- all of it ---- */

static bool collect_recipients(struct transaction *transaction)
{
    struct delivery *delivery = transaction->delivery;
    transaction->offered =
        arena_alloc(&delivery->arena, delivery->recipient_count * sizeof(transaction->offered[0]));
    if (!transaction->offered)
        return false;
    for (size_t i = 0; i < delivery->recipient_count; i++) {
        struct delivery_recipient *recipient = &delivery->recipients[i];
        recipient->is_accepted = recipient->is_answered = false;
        if (!recipient->is_done)
            transaction->offered[transaction->offered_count++] = recipient;
    }
    return true;
}

void transaction_run(struct delivery *delivery, struct connection *connection,
                     bool *was_lost_unused)
{
    struct transaction transaction = {.delivery = delivery, .connection = connection};
    transaction.was_kept = ++connection->use_count > 1;

    *was_lost_unused = false;
    if (!collect_recipients(&transaction)) {
        transaction.failure = (struct failure){
            .outcome = outcome_temporary(0, 3, 0, "out of memory"), .diagnostic = span_empty()};
        delivery_fail_all(delivery, connection, &transaction.failure);
        return;
    }
    if (!may_be_sent(&transaction))
        return;
    if (!exchange_envelope(&transaction) ||
        (transaction.is_data_accepted && !exchange_content(&transaction))) {
        connection->is_usable = false;
        *was_lost_unused = transaction.was_kept && !transaction.has_reply;
        if (!*was_lost_unused)
            fail_undecided(&transaction);
    }
    delivery->was_reached |= transaction.has_reply;
}
