/* smtpsession/reception - see reception.h. */
#include "smtpsession/reception.h"

#include <time.h>

#include "base/ascii.h"
#include "intake/recipients.h"
#include "smtp/received.h"

enum {
    READS_BEFORE_YIELD = 8, /* a client that sends as fast as we read must let others have a turn */
    HEADER_FIRST_BYTES = 4096, /* room for most headers, at once */
    RECEIVED_MAX_BYTES = 4096,
    TLS_DETAILS_MAX_BYTES = 512
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
    const size_t header_end =
        reception->received_bytes +
        (size_t)((int64_t)reception->facts.header_bytes - reception->cut.dropped_bytes);
    struct span rest = span_after(buffer_span(&reception->header), header_end);
    if (reception->facts.has_separator)
        rest = span_after(rest, 2);
    write_body(session, reception, rest);
    reception->header.length = header_end;
    buffer_append_string(&reception->header, "\r\n");
    reception->is_body = true;
}

static struct outcome header_too_big(void)
{
    return outcome_permanent(552, 3, 4, "Error: message header too big");
}

/* What belongs to the header, as far as is known, is cut where a field is too long. */
static void take_header(const struct smtpsession_settings *settings, struct reception *reception,
                        struct span content)
{
    const struct smtp_content_facts *facts = &reception->facts;
    const uint64_t before_bytes = facts->size_bytes - content.length;
    const uint64_t header_bytes = facts->is_header_done ? facts->header_bytes : facts->size_bytes;
    const struct span fields = header_bytes > before_bytes
                                   ? span_first(content, (size_t)(header_bytes - before_bytes))
                                   : span_empty();
    smtp_header_cut_append(&reception->cut, fields, &reception->header);
    buffer_append_span(&reception->header, span_after(content, fields.length));
    if ((int64_t)header_bytes - reception->cut.dropped_bytes >
        (int64_t)settings->header_size_limit * SMTP_HEADER_FIELDS_FACTOR)
        fail(reception, header_too_big());
    else if (!buffer_ok(&reception->header))
        fail(reception, outcome_temporary(452, 3, 1, "Insufficient system resources"));
}

static void store_content(struct smtpsession *session, struct reception *reception,
                          struct span content)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    smtp_content_facts_add(&reception->facts, content);
    if (!outcome_is_ok(&reception->outcome)) {
        buffer_release(&reception->header); /* read on, keep nothing */
        return;
    }
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
    take_header(settings, reception, content);
    if (outcome_is_ok(&reception->outcome) && reception->facts.is_header_done)
        split_header(session, reception);
}

/* What message_strip_characters and message_reject_characters name. */
static void take_content(struct smtpsession *session, struct reception *reception,
                         struct span content)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (!settings->filters_characters) {
        store_content(session, reception, content);
        return;
    }
    if (byteset_find(&settings->rejected_characters, content) < content.length)
        fail(reception, outcome_permanent(550, 7, 1, "disallowed character"));
    while (content.length) {
        const size_t kept = byteset_find(&settings->stripped_characters, content);
        if (kept)
            store_content(session, reception, span_first(content, kept));
        content = span_after(content, kept + 1);
    }
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

bool reception_read_chunk(struct smtpsession *session, struct reception *reception, uint64_t size)
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

bool reception_read(struct smtpsession *session, struct reception *reception)
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

/* Offset from UTC and name of the local time zone at the time of arrival. */
static void find_zone(struct reception *reception, struct arena *arena)
{
    const time_t when = (time_t)(reception->arrival_us / 1000000);
    struct tm local;
    reception->zone_name = span_empty();
    if (!localtime_r(&when, &local))
        return;
    reception->offset_minutes = (int)(local.tm_gmtoff / 60);
    const struct span name = arena_copy(arena, span_from_string(local.tm_zone));
    if (name.bytes)
        reception->zone_name = name;
}

/* What Received says: RFC 3848 has keywords for what TLS protects and for who authenticated, in
 * ESMTP and LMTP only, and RFC 6531 section 4.3 others. */
static struct span received_protocol(const struct smtpsession *session, struct arena *arena)
{
    const bool is_utf8 = session->transaction.parameters.has_smtputf8;
    const bool is_lmtp = session->service->settings.speaks_lmtp;
    if (!is_lmtp && session->protocol != SESSION_PROTOCOL_ESMTP)
        return session_protocol_name(session);
    return arena_format(arena, "%s%s%s%s", is_utf8 ? "UTF8" : "",
                        is_lmtp   ? "LMTP"
                        : is_utf8 ? "SMTP"
                                  : "ESMTP",
                        session->tls ? "S" : "", session->sasl.method.length ? "A" : "");
}

/* The Received field, on top of the header before anything has come. */
static void begin_header(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct session_transaction *transaction = &session->transaction;
    struct arena *arena = &session->transaction_arena;
    struct smtp_received_tls tls;
    struct buffer tls_details;
    struct smtp_received received = {
        .has_priority = transaction->parameters.has_priority,
        .priority = transaction->timing.priority,
        .hides_client = settings->hides_client,
        .user = settings->login.shows_user ? session->sasl.username : span_empty(),
        .helo = session->helo,
        .client_name = session->peer.name,
        .client_address = session->peer.address,
        .server_name = settings->server_name,
        .software = settings->software,
        .protocol = received_protocol(session, arena),
        .queue_id = session_queue_id(session),
        .unix_time_s = (int64_t)(reception->arrival_us / 1000000),
        .offset_minutes = reception->offset_minutes,
        .zone_name = reception->zone_name,
    };
    /* Without SMTPUTF8 the field stays ASCII: RFC 6531 section 3.7.3. */
    if (transaction->recipient_count == 1 && (transaction->parameters.has_smtputf8 ||
                                              ascii_is_all_ascii(transaction->first.forward_path)))
        received.recipient = transaction->first.forward_path;
    buffer_init(&tls_details, arena, TLS_DETAILS_MAX_BYTES);
    if (session->tls) {
        session_describe_tls(session, &tls_details, &tls);
        received.tls = &tls;
    }
    if (session->address.family == IP_FAMILY_6)
        received.client_address =
            arena_format(arena, "IPv6:%.*s", SPAN_PRINTF(session->peer.address));
    if (!received.client_address.bytes || !received.protocol.bytes ||
        !buffer_reserve(&reception->header, HEADER_FIRST_BYTES)) {
        reception->header.has_failed = true;
        return;
    }
    smtp_received_append(&reception->header, &received);
    if (!ascii_is_all_ascii(received.recipient))
        reception->facts.has_8bit_header = true;
    reception->received_bytes = reception->header.length;
}

void reception_begin(struct smtpsession *session, struct reception *reception)
{
    *reception = (struct reception){.arrival_us = clock_realtime_us(), .outcome = outcome_ok()};
    smtp_data_decoder_init(&reception->decoder, session->repairs);
    smtp_content_facts_init(&reception->facts);
    buffer_init(&reception->header, NULL,
                session->service->settings.header_size_limit * SMTP_HEADER_FIELDS_FACTOR +
                    RECEIVED_MAX_BYTES + LOOP_BLOCK_BYTES);
    smtp_header_cut_init(&reception->cut, session->service->settings.header_size_limit);
    find_zone(reception, &session->transaction_arena);
    begin_header(session, reception);
}

void reception_end_chunks(struct smtpsession *session, struct reception *reception)
{
    const struct span line_end = smtp_data_decoder_end_chunks(&reception->decoder);
    if (line_end.length)
        take_content(session, reception, line_end);
}

void reception_check_line_ends(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const struct smtp_data_decoder *decoder = &reception->decoder;
    const char *what = NULL;
    if (decoder->has_bare_lf && !(decoder->repairs & SMTP_DATA_REPAIR_LF))
        what = "bare <LF>";
    else if (decoder->has_bare_cr && !(decoder->repairs & SMTP_DATA_REPAIR_CR))
        what = "bare <CR>";
    else if (decoder->has_nul && !byteset_has(&settings->stripped_characters, 0))
        what = "<NUL>";
    if (!what)
        return;
    const struct span reason = arena_format(&session->transaction_arena, "%.*s Error: %s received",
                                            SPAN_PRINTF(settings->server_name), what);
    const uint16_t code = settings->bare_newline_reject_code;
    reception->outcome = outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code, 5,
                                      2, reason.bytes ? reason : SPAN("Error: bad line end"));
}

/* Local clients' headers are completed; others' lose what is nobody else's business. */
static void complete_header(struct smtpsession *session, struct reception *reception)
{
    const struct smtpsession_service *service = session->service;
    const struct intake_header_rules *rules = &service->settings.header_rules;
    const struct session_transaction *transaction = &session->transaction;
    const bool is_local = transaction->forwarded.has_source ? transaction->forwarded.is_source_local
                                                            : session->is_local;
    struct intake_address_rewriter rewriter = {
        .client = service->backend.addr,
        .is_remote = !is_local,
        .deadline_ms = clock_deadline_after(service->settings.queue_timeout_ms)};
    const struct intake_header_facts facts = {
        .is_local = is_local,
        .queue_id = session_queue_id(session),
        .reverse_path = transaction->reverse_path.text,
        .full_name = span_empty(),
        .unix_time_s = (int64_t)(reception->arrival_us / 1000000),
        .offset_minutes = reception->offset_minutes,
        .zone_name = reception->zone_name,
        .replace = rewriter.client && transaction->rewrites_headers ? intake_replace_address : NULL,
        .context = &rewriter,
    };
    const struct span block = buffer_span(&reception->header);
    struct span fields = span_after(block, reception->received_bytes);
    fields.length -= 2; /* the empty line */
    if (intake_header_is_final(rules, &facts, fields))
        return;
    struct buffer completed;
    struct smtp_content_facts seen;
    buffer_init(&completed, NULL, intake_header_limit(reception->header.limit));
    buffer_append_span(&completed, span_first(block, reception->received_bytes));
    intake_header_append(rules, &facts, fields, &session->transaction_arena, &completed);
    buffer_append_string(&completed, "\r\n");
    if (completed.is_full)
        fail(reception, header_too_big());
    smtp_content_facts_init(&seen);
    smtp_content_facts_add(&seen, buffer_span(&completed));
    if (seen.longest_line_bytes > reception->facts.longest_line_bytes)
        reception->facts.longest_line_bytes = seen.longest_line_bytes;
    buffer_release(&reception->header);
    reception->header = completed;
    if (rewriter.has_failed)
        fail(reception, outcome_temporary(451, 3, 0, "Temporary lookup failure"));
}

void reception_finish(struct smtpsession *session, struct reception *reception)
{
    smtp_content_facts_finish(&reception->facts);
    reception_check_line_ends(session, reception);
    session->has_bare_lf = session->has_bare_lf || reception->decoder.has_bare_lf;
    if (outcome_is_ok(&reception->outcome) && !reception->is_body)
        split_header(session, reception);
    if (outcome_is_ok(&reception->outcome) && buffer_ok(&reception->header))
        complete_header(session, reception);
    if (!buffer_ok(&reception->header) || session->transaction.has_broken_list)
        fail(reception, outcome_temporary(452, 3, 1, "Insufficient system resources"));
}
