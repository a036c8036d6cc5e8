/* smtpsession/data - DATA and BDAT: the content from the socket into the queue file, and the answer
 * that makes us responsible for it. See session_private.h. */
#include "smtp/header.h"
#include "smtpsession/reception.h"

struct span session_protocol_name(const struct smtpsession *session)
{
    if (session->service->settings.speaks_lmtp)
        return SPAN("LMTP");
    return session->protocol == SESSION_PROTOCOL_ESMTP ? SPAN("ESMTP") : SPAN("SMTP");
}

/* What agents learn of the client: as XFORWARD said, where it did. */
static void fill_client(struct smtpsession *session, struct queue_envelope *envelope)
{
    const struct session_forwarded *forwarded = &session->transaction.forwarded;
    char text[IP_ADDRESS_TEXT_MAX_BYTES];
    bool is_local = session->is_local;
    envelope->ident = forwarded->ident.length ? forwarded->ident : span_empty();
    if (forwarded->has_source)
        is_local = forwarded->is_source_local;
    if (is_local)
        envelope->flags |= QUEUE_FLAG_LOCAL_CLIENT;
    if (!forwarded->has_client) {
        envelope->client_name = session->peer.name;
        envelope->client_address = session->peer.address;
        envelope->client_port = session->port;
        envelope->helo = session->helo.bytes ? session->helo : span_empty();
        envelope->protocol = session_protocol_name(session);
        return;
    }
    const struct span address =
        arena_copy(&session->transaction_arena, ip_address_format(&forwarded->address, text));
    envelope->client_name = forwarded->name.length ? forwarded->name : SPAN("unknown");
    envelope->client_address = address.bytes ? address : SPAN("unknown");
    envelope->client_port = forwarded->port;
    envelope->helo = forwarded->helo.length ? forwarded->helo : span_empty();
    envelope->protocol = forwarded->protocol.length ? forwarded->protocol : span_empty();
}

static void fill_envelope(struct smtpsession *session, const struct reception *reception,
                          size_t received_count, struct queue_envelope *envelope)
{
    const struct session_transaction *transaction = &session->transaction;
    const struct smtp_content_facts *facts = &reception->facts;
    *envelope = (struct queue_envelope){
        .arrival_us = reception->arrival_us,
        .origin = session->service->settings.submission.is_on ? QUEUE_ORIGIN_SUBMISSION
                                                              : QUEUE_ORIGIN_SMTP,
        .reverse_path = transaction->new_reverse_path.length ? transaction->new_reverse_path
                                                             : transaction->reverse_path.text,
        .envid = transaction->parameters.envid,
    };
    envelope->facts = (struct queue_content_facts){
        .size_bytes = reception->header.length + reception->stored_body_bytes,
        .header_bytes = (uint32_t)reception->header.length,
        .longest_line_bytes = facts->longest_line_bytes > UINT32_MAX
                                  ? UINT32_MAX
                                  : (uint32_t)facts->longest_line_bytes,
        .received_count = (uint32_t)received_count,
        .flags = (facts->has_8bit_header ? (uint32_t)QUEUE_FACT_8BIT_HEADER : 0) |
                 (facts->has_8bit_body ? (uint32_t)QUEUE_FACT_8BIT_BODY : 0) |
                 (facts->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0),
    };
    if (transaction->parameters.ret == SMTP_RETURN_FULL)
        envelope->ret = QUEUE_RETURN_FULL;
    else if (transaction->parameters.ret == SMTP_RETURN_HEADERS)
        envelope->ret = QUEUE_RETURN_HEADERS;
    if (transaction->parameters.has_smtputf8 ||
        (session->service->settings.detects_smtputf8 &&
         (facts->has_8bit_header || transaction->has_utf8_address)))
        envelope->flags |= QUEUE_FLAG_SMTPUTF8;
    fill_client(session, envelope);
    if (transaction->parameters.has_requiretls) {
        envelope->flags |= QUEUE_FLAG_REQUIRETLS;
        envelope->ret = QUEUE_RETURN_HEADERS; /* RFC 8689 section 5 */
    } else if (smtp_header_has_tls_optional(buffer_span(&reception->header))) {
        envelope->flags |= QUEUE_FLAG_TLS_OPTIONAL;
    }
    session_fill_timing(session, envelope);
    if (!span_is_empty(envelope->reverse_path)) /* a table may have made it the null address */
        envelope->verp_delimiters = transaction->verp_delimiters;
    envelope->filter = span_is_empty(transaction->actions.filter)
                           ? session->service->settings.content_filter
                           : transaction->actions.filter;
    if (transaction->actions.holds)
        envelope->flags |= QUEUE_FLAG_HOLD;
    if (transaction->parameters.body == SMTP_BODY_8BITMIME)
        envelope->flags |= QUEUE_FLAG_BODY_8BITMIME;
}

/* Everything that may still be refused, then the one question whose answer is yes or later. */
static void commit(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct arena *arena = &session->transaction_arena;
    reception_finish(session, reception);
    if (!outcome_is_ok(&reception->outcome))
        return;
    const struct span header = buffer_span(&reception->header);
    const size_t received_count = smtp_header_count(header, SPAN("Received"));
    /* The line that every log analyser joins by. */
    maillog_message_ids(session->service->log, session_queue_id(session),
                        span_after(header, reception->received_bytes));
    if (received_count >= settings->hopcount_limit) {
        /* A mail loop. */
        reception->outcome = outcome_permanent(554, 4, 0, "Error: too many hops");
        return;
    }
    const struct span submitted = span_after(header, reception->received_bytes);
    if (!session_header_is_qualified(session, submitted, &reception->outcome) ||
        !session_owns_from(session, submitted, &reception->outcome))
        return;
    if (!session_judge(session, "END-OF-MESSAGE", 1U << SMTPSESSION_LIST_END_OF_DATA, NULL, NULL,
                       &reception->outcome))
        return;
    if (session->transaction.actions.discards) {
        intake_abandon(&session->transaction.message);
        return;
    }
    reception->outcome = session_carry_out_actions(session, reception);
    if (!outcome_is_ok(&reception->outcome))
        return;
    struct queue_envelope envelope;
    fill_envelope(session, reception, received_count, &envelope);
    reception->outcome =
        intake_commit(&session->transaction.message, &envelope, buffer_span(&reception->header),
                      arena, clock_deadline_after(settings->queue_timeout_ms));
}

/* Who commits may say under which other id the message goes on (sendmail -bs). */
static void reply_accepted(struct smtpsession *session, const struct outcome *outcome,
                           const uint64_t *sent_bytes)
{
    const struct span queue_id =
        queue_id_is_valid(outcome->reason) ? outcome->reason : session_queue_id(session);
    if (sent_bytes)
        session_reply(session, 250, 0, 0, "Ok: %llu bytes queued as %.*s",
                      (unsigned long long)*sent_bytes, SPAN_PRINTF(queue_id));
    else
        session_reply(session, 250, 0, 0, "Ok: queued as %.*s", SPAN_PRINTF(queue_id));
}

/* sent_bytes: in all chunks of BDAT, or NULL. RFC 2033 section 4.2: in LMTP there is an answer for
 * each accepted recipient; here they have one fate. */
static bool answer(struct smtpsession *session, const struct reception *reception,
                   const uint64_t *sent_bytes)
{
    const bool is_accepted = outcome_is_ok(&reception->outcome);
    const uint32_t count =
        session->service->settings.speaks_lmtp ? session->transaction.recipient_count : 1;
    if (is_accepted) {
        session->error_count = 0;
        session->junk_count = 0;
    }
    for (uint32_t i = 0; i < count; i++)
        if (is_accepted)
            reply_accepted(session, &reception->outcome, sent_bytes);
        else if (i == 0)
            session_refuse(session, "END-OF-MESSAGE", &reception->outcome, NULL);
        else
            session_reply_outcome(session, &reception->outcome);
    return is_accepted;
}

/* When there is nobody to receive content, that was answered. */
static bool has_recipients(struct smtpsession *session)
{
    if (session->transaction.recipient_count > 0)
        return true;
    if (session->transaction.is_open) /* RFC 2033 section 4.2 wants 503 */
        session_reply(session, session->service->settings.speaks_lmtp ? 503 : 554, 5, 1,
                      "Error: no valid recipients");
    else
        session_reply(session, 503, 5, 1, "Error: need RCPT command");
    return false;
}

bool session_data(struct smtpsession *session, struct span argument)
{
    if (session->transaction.chunks) {
        session_reply(session, 503, 5, 1, "Error: DATA after BDAT");
        return false;
    }
    if (!has_recipients(session))
        return false;
    if (argument.length) {
        session_reply(session, 501, 5, 4, "Syntax: DATA");
        return false;
    }
    if (!session_permits(session, "DATA", 1U << SMTPSESSION_LIST_DATA))
        return false;
    struct reception reception;
    reception_begin(session, &reception);
    session_consume_command(session);
    session->data_bytes = 0;
    session_reply_plain(session, 354, SPAN("End data with <CR><LF>.<CR><LF>"));
    bool is_accepted = false;
    if (reception_read(session, &reception)) {
        session->stage = "END-OF-MESSAGE";
        commit(session, &reception);
        is_accepted = answer(session, &reception, NULL);
        session_reset_transaction(session);
    }
    buffer_release(&reception.header);
    return is_accepted;
}

void session_drop_chunks(struct session_transaction *transaction)
{
    if (transaction->chunks)
        buffer_release(&transaction->chunks->header);
    transaction->chunks = NULL;
}

/* What cannot be taken is read all the same: commands follow it. */
static void skip_chunk(struct smtpsession *session, const struct smtp_chunk *chunk)
{
    session_consume_command(session);
    session->data_bytes = 0;
    (void)reception_read_chunk(session, NULL, chunk->size_bytes); /* session->end knows */
}

/* The first chunk is what DATA is elsewhere. When it is refused, it is gone and that was answered.
 */
static bool refuses_chunk(struct smtpsession *session, const struct smtp_chunk *chunk)
{
    struct outcome refusal;
    if (session_judge(session, "BDAT", 1U << SMTPSESSION_LIST_DATA, NULL, NULL, &refusal))
        return false;
    skip_chunk(session, chunk);
    if (session->end == SESSION_GOES_ON)
        session_refuse(session, "BDAT", &refusal, NULL);
    return true;
}

/* The reception that this chunk belongs to; when there is none, its bytes are gone and that was
 * answered. */
static struct reception *find_reception(struct smtpsession *session, const struct smtp_chunk *chunk)
{
    struct session_transaction *transaction = &session->transaction;
    struct reception *reception = transaction->chunks;
    if (!reception && transaction->recipient_count > 0 && refuses_chunk(session, chunk))
        return NULL;
    if (!reception && transaction->recipient_count > 0) {
        reception = arena_alloc(&session->transaction_arena, sizeof(*reception));
        if (reception) {
            reception_begin(session, reception);
            transaction->chunks = reception;
            return reception;
        }
    }
    if (reception && outcome_is_ok(&reception->outcome))
        return reception;
    skip_chunk(session, chunk);
    if (session->end != SESSION_GOES_ON)
        return NULL;
    if (reception)
        session_reply(session, 551, 0, 0, "Discarded %llu bytes after earlier error",
                      (unsigned long long)chunk->size_bytes);
    else if (has_recipients(session))
        session_reply(session, 452, 3, 1, "Insufficient system resources");
    return NULL;
}

/* The client learns of a failure after the chunk that brought it, and what it has sent ahead is
 * refused chunk by chunk until it says RSET (RFC 3030 section 2). */
static bool answer_chunk(struct smtpsession *session, struct reception *reception,
                         const struct smtp_chunk *chunk)
{
    if (outcome_is_ok(&reception->outcome))
        reception_check_line_ends(session, reception);
    if (!outcome_is_ok(&reception->outcome)) {
        session_refuse(session, "BDAT", &reception->outcome, NULL);
        return false;
    }
    session_reply(session, 250, 0, 0, "Ok: %llu bytes", (unsigned long long)chunk->size_bytes);
    return true;
}

bool session_bdat(struct smtpsession *session, struct span argument)
{
    struct smtp_chunk chunk;
    /* In both cases nobody knows where the next command begins. */
    if (!session_offers(session, SPAN("CHUNKING"))) {
        session_reply(session, 521, 5, 1, "Error: command not implemented");
        session->end = SESSION_HAS_QUIT;
        return false;
    }
    if (smtp_chunk_parse(argument, &chunk) != PARSE_OK) {
        const struct span input = stream_input(&session->stream);
        maillog_malformed_chunk(session->service->log, session_queue_id(session), &session->peer,
                                span_first(input, span_find_byte(input, '\r')));
        session_reply(session, 521, 5, 4, "Syntax: BDAT count [LAST]");
        session->end = SESSION_HAS_QUIT;
        return false;
    }
    struct reception *reception = find_reception(session, &chunk);
    if (!reception) {
        if (chunk.is_last && session->transaction.chunks)
            session_reset_transaction(session);
        return false;
    }
    session_consume_command(session);
    session->data_bytes = 0;
    if (!reception_read_chunk(session, reception, chunk.size_bytes))
        return false;
    if (!chunk.is_last)
        return answer_chunk(session, reception, &chunk);
    session->stage = "END-OF-MESSAGE";
    const uint64_t sent_bytes = reception->facts.size_bytes;
    reception_end_chunks(session, reception);
    commit(session, reception);
    const bool is_accepted = answer(session, reception, &sent_bytes);
    session_reset_transaction(session);
    return is_accepted;
}
