/* smtpsession/data - DATA and BDAT: the content from the socket into the queue file, and the answer
 * that makes us responsible for it. See session_private.h. */
#include "smtpsession/session_private.h"

#include <time.h>

#include "base/ascii.h"
#include "smtp/content.h"
#include "smtp/data.h"
#include "smtp/header.h"
#include "smtp/received.h"

enum {
    READS_BEFORE_YIELD = 8, /* a client that sends as fast as we read must let others have a turn */
    MESSAGE_ID_MAX_BYTES = 1024,
    HEADER_FIRST_BYTES = 4096, /* room for most headers, at once */
    RECEIVED_MAX_BYTES = 4096
};

/* One message on its way in. */
struct reception {
    struct smtp_data_decoder decoder;
    struct smtp_content_facts facts;
    struct buffer header; /* Received, then all content until the header has ended */
    size_t received_bytes;
    uint64_t arrival_us;
    uint64_t stored_body_bytes;
    bool is_body;
    struct outcome outcome; /* the first thing that went wrong; OK before that */
};

static void fail(struct reception *reception, struct outcome outcome)
{
    if (outcome_is_ok(&reception->outcome))
        reception->outcome = outcome;
}

static void write_body(struct smtpsession *session, struct reception *reception, struct span body)
{
    reception->stored_body_bytes += body.length;
    intake_write_body(&session->transaction.message, body);
}

/* The header has ended somewhere in what was collected: cut there. The empty line ends the header
 * block; where the content has none, RFC 5322 section 2.1 wants it, and it is added. */
static void split_header(struct smtpsession *session, struct reception *reception)
{
    const size_t header_end = reception->received_bytes + (size_t)reception->facts.header_bytes;
    struct span rest = span_after(buffer_span(&reception->header), header_end);
    if (reception->facts.has_separator)
        rest = span_after(rest, 2);
    write_body(session, reception, rest);
    reception->header.length = header_end;
    buffer_append_string(&reception->header, "\r\n");
    reception->is_body = true;
}

static void take_content(struct smtpsession *session, struct reception *reception,
                         struct span content)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    smtp_content_facts_add(&reception->facts, content);
    if (!outcome_is_ok(&reception->outcome))
        return; /* read on, keep nothing */
    if (settings->message_size_limit &&
        reception->facts.size_bytes > settings->message_size_limit) {
        fail(reception,
             outcome_permanent(552, 3, 4,
                               session->transaction.chunks ? "Chunk exceeds message size limit"
                                                           : "Error: message file too big"));
        return;
    }
    if (reception->is_body) {
        write_body(session, reception, content);
        return;
    }
    const struct smtp_content_facts *facts = &reception->facts;
    const uint64_t header_bytes = facts->is_header_done ? facts->header_bytes : facts->size_bytes;
    if (header_bytes > settings->header_size_limit) {
        fail(reception, outcome_permanent(552, 3, 4, "Error: message header too big"));
        return;
    }
    buffer_append_span(&reception->header, content);
    if (!buffer_ok(&reception->header))
        fail(reception, outcome_temporary(452, 3, 1, "Insufficient system resources"));
    else if (facts->is_header_done)
        split_header(session, reception);
}

/* When must the next bytes of content be there? With a deadline for the request as a whole, those
 * that came give a little more time, so that slow lines can send what trickling cannot. */
static int64_t next_deadline(const struct smtpsession *session, int64_t deadline_ms,
                             size_t byte_count)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const int64_t longest_ms = clock_deadline_after(settings->timeout_ms);
    if (!settings->has_request_deadline || deadline_ms == CLOCK_NEVER)
        return longest_ms;
    const int64_t credited_ms = deadline_ms + (int64_t)byte_count * 1000 / settings->min_data_rate;
    return credited_ms < longest_ms ? credited_ms : longest_ms;
}

/* So many bytes, whatever they are; false when the session ends before. reception: NULL when they
 * are to be thrown away. */
static bool read_chunk(struct smtpsession *session, struct reception *reception, uint64_t size)
{
    int64_t deadline_ms = CLOCK_NEVER;
    for (unsigned reads = 1;; reads++) {
        const struct span input = stream_input(&session->stream);
        const struct span piece = size < input.length ? span_first(input, (size_t)size) : input;
        struct span rest = piece, content;
        while (reception && smtp_data_decoder_next_in_chunk(&reception->decoder, &rest, &content))
            take_content(session, reception, content);
        stream_consume(&session->stream, piece.length);
        session->data_bytes += piece.length;
        size -= piece.length;
        if (size == 0)
            return true;
        if (reads % READS_BEFORE_YIELD == 0)
            task_yield();
        deadline_ms = next_deadline(session, deadline_ms, piece.length);
        if (!session_read(session, deadline_ms))
            return false;
    }
}

/* Up to CRLF.CRLF; false when the session ends before. */
static bool read_content(struct smtpsession *session, struct reception *reception)
{
    int64_t deadline_ms = CLOCK_NEVER;
    for (unsigned reads = 1;; reads++) {
        const struct span before = stream_input(&session->stream);
        struct span input = before;
        struct span content;
        enum smtp_data_event event;
        while ((event = smtp_data_decoder_next(&reception->decoder, &input, &content)) ==
               SMTP_DATA_CONTENT)
            take_content(session, reception, content);
        stream_consume(&session->stream, before.length - input.length);
        session->data_bytes += before.length - input.length;
        if (event == SMTP_DATA_END)
            return true;
        if (reads % READS_BEFORE_YIELD == 0)
            task_yield();
        deadline_ms = next_deadline(session, deadline_ms, before.length - input.length);
        if (!session_read(session, deadline_ms))
            return false;
    }
}

/* Offset from UTC and name of the local time zone at that time. */
static void find_zone(int64_t unix_time_s, struct arena *arena, struct smtp_received *received)
{
    const time_t when = (time_t)unix_time_s;
    struct tm local;
    received->zone_name = span_empty();
    if (!localtime_r(&when, &local))
        return;
    received->offset_minutes = (int)(local.tm_gmtoff / 60);
    const struct span name = arena_copy(arena, span_from_string(local.tm_zone));
    if (name.bytes)
        received->zone_name = name;
}

struct span session_protocol_name(const struct smtpsession *session)
{
    return session->protocol == SESSION_PROTOCOL_ESMTP ? SPAN("ESMTP") : SPAN("SMTP");
}

/* What Received says: RFC 6531 section 4.3 has a keyword of its own. */
static struct span received_protocol(const struct smtpsession *session)
{
    return session->transaction.parameters.has_smtputf8 ? SPAN("UTF8SMTP")
                                                        : session_protocol_name(session);
}

/* The Received field, on top of the header before anything has come. */
static void begin_header(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct session_transaction *transaction = &session->transaction;
    struct arena *arena = &session->transaction_arena;
    struct smtp_received received = {
        .helo = session->helo,
        .client_name = session->peer.name,
        .client_address = session->peer.address,
        .server_name = settings->server_name,
        .software = settings->software,
        .protocol = received_protocol(session),
        .queue_id = session_queue_id(session),
        .unix_time_s = (int64_t)(reception->arrival_us / 1000000),
    };
    /* Without SMTPUTF8 the field stays ASCII: RFC 6531 section 3.7.3. */
    if (transaction->recipient_count == 1 &&
        (transaction->parameters.has_smtputf8 || ascii_is_all_ascii(transaction->first_recipient)))
        received.recipient = transaction->first_recipient;
    if (session->address.family == IP_FAMILY_6)
        received.client_address =
            arena_format(arena, "IPv6:%.*s", SPAN_PRINTF(session->peer.address));
    find_zone(received.unix_time_s, arena, &received);
    if (!received.client_address.bytes || !buffer_reserve(&reception->header, HEADER_FIRST_BYTES)) {
        reception->header.has_failed = true;
        return;
    }
    smtp_received_append(&reception->header, &received);
    if (!ascii_is_all_ascii(received.recipient))
        reception->facts.has_8bit_header = true;
    reception->received_bytes = reception->header.length;
}

/* What makes SMTP smuggling possible is refused before anything else is looked at. */
static void check_line_ends(const struct smtpsession *session, struct reception *reception,
                            struct arena *arena)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct smtp_data_decoder *decoder = &reception->decoder;
    if (smtp_data_decoder_is_clean(decoder))
        return;
    const char *what = decoder->has_bare_lf   ? "bare <LF>"
                       : decoder->has_bare_cr ? "bare <CR>"
                                              : "<NUL>";
    const struct span reason =
        arena_format(arena, "%.*s Error: %s received", SPAN_PRINTF(settings->server_name), what);
    const uint16_t code = settings->bare_newline_reject_code;
    reception->outcome = outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code, 5,
                                      2, reason.bytes ? reason : SPAN("Error: bad line end"));
}

/* The line that every log analyser joins by. */
static void log_message_id(struct smtpsession *session, struct span header)
{
    struct smtp_header_field field;
    struct buffer text;
    buffer_init(&text, &session->transaction_arena, MESSAGE_ID_MAX_BYTES);
    if (smtp_header_find(header, SPAN("Message-ID"), &field))
        smtp_header_unfold(field.value, &text);
    maillog_message_id(session->service->log, session_queue_id(session),
                       buffer_ok(&text) && text.length ? buffer_span(&text) : SPAN("<>"));
}

static void fill_envelope(const struct smtpsession *session, const struct reception *reception,
                          size_t received_count, struct queue_envelope *envelope)
{
    const struct session_transaction *transaction = &session->transaction;
    const struct smtp_content_facts *facts = &reception->facts;
    *envelope = (struct queue_envelope){
        .arrival_us = reception->arrival_us,
        .origin = QUEUE_ORIGIN_SMTP,
        .reverse_path = transaction->new_reverse_path.length ? transaction->new_reverse_path
                                                             : transaction->reverse_path.text,
        .client_name = session->peer.name,
        .client_address = session->peer.address,
        .client_port = session->port,
        .helo = session->helo.bytes ? session->helo : span_empty(),
        .protocol = session_protocol_name(session),
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
    if (transaction->parameters.body == SMTP_BODY_8BITMIME)
        envelope->flags |= QUEUE_FLAG_BODY_8BITMIME;
}

/* Everything that may still be refused, then the one question whose answer is yes or later. */
static void commit(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct arena *arena = &session->transaction_arena;
    smtp_content_facts_finish(&reception->facts);
    check_line_ends(session, reception, arena);
    if (outcome_is_ok(&reception->outcome) && !reception->is_body)
        split_header(session, reception);
    if (!buffer_ok(&reception->header) || session->transaction.has_broken_list)
        fail(reception, outcome_temporary(452, 3, 1, "Insufficient system resources"));
    if (!outcome_is_ok(&reception->outcome))
        return;
    const struct span header = buffer_span(&reception->header);
    const size_t received_count = smtp_header_count(header, SPAN("Received"));
    log_message_id(session, span_after(header, reception->received_bytes));
    if (received_count >= settings->hopcount_limit) {
        fail(reception, outcome_permanent(554, 4, 0, "Error: too many hops")); /* a mail loop */
        return;
    }
    struct queue_envelope envelope;
    fill_envelope(session, reception, received_count, &envelope);
    reception->outcome =
        intake_commit(&session->transaction.message, &envelope, header, span_empty(), arena,
                      clock_deadline_after(settings->queue_timeout_ms));
}

/* sent_bytes: in all chunks of BDAT, or NULL. */
static bool answer(struct smtpsession *session, const struct reception *reception,
                   const uint64_t *sent_bytes)
{
    if (outcome_is_ok(&reception->outcome)) {
        const struct span queue_id = session_queue_id(session);
        session->error_count = 0;
        session->junk_count = 0;
        if (sent_bytes)
            session_reply(session, 250, 0, 0, "Ok: %llu bytes queued as %.*s",
                          (unsigned long long)*sent_bytes, SPAN_PRINTF(queue_id));
        else
            session_reply(session, 250, 0, 0, "Ok: queued as %.*s", SPAN_PRINTF(queue_id));
        return true;
    }
    session_refuse(session, "END-OF-MESSAGE", &reception->outcome, NULL);
    return false;
}

static void begin_reception(struct smtpsession *session, struct reception *reception)
{
    *reception = (struct reception){.arrival_us = clock_realtime_us(), .outcome = outcome_ok()};
    smtp_data_decoder_init(&reception->decoder);
    smtp_content_facts_init(&reception->facts);
    buffer_init(&reception->header, NULL,
                session->service->settings.header_size_limit + RECEIVED_MAX_BYTES +
                    LOOP_BLOCK_BYTES);
    begin_header(session, reception);
}

/* When there is nobody to receive content, that was answered. */
static bool has_recipients(struct smtpsession *session)
{
    if (session->transaction.recipient_count > 0)
        return true;
    if (session->transaction.is_open)
        session_reply(session, 554, 5, 1, "Error: no valid recipients");
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
    struct reception reception;
    begin_reception(session, &reception);
    session_consume_command(session);
    session->data_bytes = 0;
    session_reply_plain(session, 354, SPAN("End data with <CR><LF>.<CR><LF>"));
    bool is_accepted = false;
    if (read_content(session, &reception)) {
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
    (void)read_chunk(session, NULL, chunk->size_bytes); /* session->end knows */
}

/* The reception that this chunk belongs to; when there is none, its bytes are gone and that was
 * answered. */
static struct reception *find_reception(struct smtpsession *session, const struct smtp_chunk *chunk)
{
    struct session_transaction *transaction = &session->transaction;
    struct reception *reception = transaction->chunks;
    if (!reception && transaction->recipient_count > 0) {
        reception = arena_alloc(&session->transaction_arena, sizeof(*reception));
        if (reception) {
            begin_reception(session, reception);
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
        check_line_ends(session, reception, &session->transaction_arena);
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
    if (!read_chunk(session, reception, chunk.size_bytes))
        return false;
    if (!chunk.is_last)
        return answer_chunk(session, reception, &chunk);
    session->stage = "END-OF-MESSAGE";
    const uint64_t sent_bytes = reception->facts.size_bytes;
    const struct span line_end = smtp_data_decoder_end_chunks(&reception->decoder);
    if (line_end.length)
        take_content(session, reception, line_end);
    commit(session, reception);
    const bool is_accepted = answer(session, reception, &sent_bytes);
    session_reset_transaction(session);
    return is_accepted;
}
