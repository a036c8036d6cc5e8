/* smtpsession/session - a session from greeting to farewell: answering, counting. See session.h. */
#include "smtpsession/session_private.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "smtp/reply.h"

enum {
    REPLY_TEXT_BYTES = 1024,
    FAREWELL_TIMEOUT_MS = 1000,
    COMMANDS_BEFORE_YIELD = 32 /* of a client that sends them faster than we read */
};

/* Those whose time is up by settings that came while they waited. */
static void cut_off(void *context)
{
    struct smtpsession_service *service = context;
    const int64_t now_ms = clock_monotonic_ms();
    LIST_FOR_EACH (&service->sessions, link) {
        struct smtpsession *session = LIST_ITEM(link, struct smtpsession, link);
        if (session->cut_ms > now_ms || session->end != SESSION_GOES_ON)
            continue;
        session->end = SESSION_TIMED_OUT;
        task_cancel(session->task);
    }
}

void smtpsession_use_settings(struct smtpsession_service *service,
                              const struct smtpsession_settings *settings)
{
    const bool is_shorter = settings->timeout_ms < service->settings.timeout_ms;
    service->settings = *settings;
    if (!is_shorter)
        return;
    const int64_t cut_ms = clock_deadline_after(settings->timeout_ms);
    LIST_FOR_EACH (&service->sessions, link) {
        struct smtpsession *session = LIST_ITEM(link, struct smtpsession, link);
        if (session->is_waiting && session->cut_ms > cut_ms)
            session->cut_ms = cut_ms;
    }
    loop_timer_set(&service->cut_timer, cut_ms);
}

void smtpsession_service_init(struct smtpsession_service *service, struct loop *loop,
                              struct maillog *log, struct intake *intake,
                              const struct smtpsession_settings *settings,
                              const struct smtpsession_backend *backend)
{
    *service = (struct smtpsession_service){
        .loop = loop, .log = log, .intake = intake, .settings = *settings, .backend = *backend};
    list_init(&service->sessions);
    loop_timer_init(&service->cut_timer, loop, cut_off, service);
}

/* How a wait for the client ended, unless it is known already why the session does. */
static void note_result(struct smtpsession *session, enum stream_result result)
{
    switch (result) {
    case STREAM_OK:
        break;
    case STREAM_TIMED_OUT:
        session->end = SESSION_TIMED_OUT;
        break;
    case STREAM_CANCELLED:
        if (session->end == SESSION_GOES_ON)
            session->end = SESSION_WAS_STOPPED;
        break;
    case STREAM_END:
    case STREAM_FAILED:
    case STREAM_FULL:
        session->end = SESSION_IS_LOST;
        break;
    }
}

void session_flush(struct smtpsession *session)
{
    if (session->stream.output.length > 0)
        note_result(session,
                    stream_flush(&session->stream,
                                 clock_deadline_after(session->service->settings.timeout_ms)));
}

bool session_read(struct smtpsession *session, int64_t deadline_ms)
{
    session_flush(session);
    if (session->end != SESSION_GOES_ON)
        return false;
    if (session->service->is_stopping && !session->transaction.is_open) {
        session->end = SESSION_WAS_STOPPED;
        return false;
    }
    session->is_waiting = true;
    const enum stream_result result = stream_read(&session->stream, deadline_ms);
    session->is_waiting = false;
    session->cut_ms = CLOCK_NEVER;
    note_result(session, result);
    return result == STREAM_OK && session->end == SESSION_GOES_ON;
}

/* After many errors every answer takes its time. */
static void delay_after_errors(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (session->error_count < settings->soft_error_limit || settings->error_sleep_ms == 0)
        return;
    session_flush(session);
    if (session->end != SESSION_GOES_ON)
        return;
    session->is_waiting = true;
    if (task_sleep(settings->error_sleep_ms) == TASK_CANCELLED && session->end == SESSION_GOES_ON)
        session->end = SESSION_WAS_STOPPED;
    session->is_waiting = false;
    session->cut_ms = CLOCK_NEVER;
}

/* The answer that was just written, once more, with a footer; the log gets the one without. */
static void add_footer(struct smtpsession *session, uint16_t code,
                       const struct enhanced_status *status, struct span text)
{
    struct buffer *output = &session->stream.output;
    struct buffer longer;
    struct span reply = span_after(buffer_span(output), session->last_reply_offset);
    reply = span_first(reply, span_find(reply, SPAN("\r\n")));
    buffer_init(&longer, NULL, STREAM_OUTPUT_MAX_BYTES);
    session->plain_reply = arena_copy(&session->transaction_arena, reply);
    const struct span footed = session_add_footer(session, session->plain_reply, text, &longer);
    if (session->plain_reply.bytes && footed.length > text.length) {
        output->length = session->last_reply_offset;
        smtp_reply_append(output, code, status, footed);
    }
    buffer_release(&longer);
}

static void append_reply(struct smtpsession *session, uint16_t code,
                         const struct enhanced_status *status, struct span text)
{
    struct enhanced_status softened;
    delay_after_errors(session);
    if (session->service->settings.has_soft_bounce && code >= 500) {
        code = (uint16_t)(code - 100);
        if (status) {
            softened = *status;
            softened.class = 4;
            status = &softened;
        }
    }
    session->last_reply_offset = session->stream.output.length;
    session->plain_reply = span_empty();
    smtp_reply_append(&session->stream.output, code, status, text);
    const struct smtpsession_settings *settings = &session->service->settings;
    if (code >= 400 && (settings->reject_footer.length ||
                        !table_reference_is_empty(&settings->reject_footer_maps)))
        add_footer(session, code, status, text);
    session_note_reply(session, code, status, text);
}

void session_reply(struct smtpsession *session, uint16_t code, uint16_t subject, uint16_t detail,
                   const char *format, ...)
{
    char text[REPLY_TEXT_BYTES];
    va_list arguments;
    const struct enhanced_status status = {(uint16_t)(code / 100), subject, detail};
    if (!strchr(format, '%')) { /* "Ok", for the most part */
        append_reply(session, code, &status, span_from_string(format));
        return;
    }
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0)
        length = 0;
    if ((size_t)length >= sizeof(text))
        length = (int)sizeof(text) - 1;
    append_reply(session, code, &status, span_of(text, (size_t)length));
}

void session_reply_plain(struct smtpsession *session, uint16_t code, struct span text)
{
    append_reply(session, code, NULL, text);
}

void session_reply_outcome(struct smtpsession *session, const struct outcome *outcome)
{
    static const uint16_t usual_codes[] = {
        [OUTCOME_OK] = 250, [OUTCOME_TEMPORARY] = 451, [OUTCOME_PERMANENT] = 550};
    append_reply(session, outcome->reply_code ? outcome->reply_code : usual_codes[outcome->kind],
                 &outcome->status, outcome->reason);
}

void session_refuse(struct smtpsession *session, const char *stage, const struct outcome *outcome,
                    const struct mailbox *recipient)
{
    session_reply_outcome(session, outcome);
    /* What the client is told, word for word. */
    struct span text = span_after(buffer_span(&session->stream.output), session->last_reply_offset);
    text = session->plain_reply.length ? session->plain_reply
                                       : span_first(text, span_find_byte(text, '\r'));
    session_log_refusal(session, "reject", stage, text, recipient);
    /* Both say that we close: RFC 5321 section 3.8, RFC 7504 section 3. */
    if (outcome->reply_code == 421 || outcome->reply_code == 521)
        session->end = SESSION_HAS_QUIT;
}

void session_log_refusal(struct smtpsession *session, const char *action, const char *stage,
                         struct span text, const struct mailbox *recipient)
{
    const struct session_transaction *transaction = &session->transaction;
    if (!recipient)
        recipient = session_sole_recipient(session);
    const struct log_refusal refusal = {
        .action = action,
        .stage = stage,
        .peer = &session->peer,
        .text = text,
        .has_sender = transaction->is_open || transaction->has_sender,
        .sender = transaction->reverse_path.text,
        .has_recipient = recipient != NULL,
        .recipient = recipient ? recipient->text : span_empty(),
        .protocol = session_protocol_name(session),
        .helo = session->helo,
        .sasl = session->sasl.method.length ? &session->sasl : NULL,
    };
    maillog_refusal(session->service->log, session_queue_id(session), &refusal);
}

void session_consume_command(struct smtpsession *session)
{
    stream_consume(&session->stream, session->command_bytes);
    session->command_bytes = 0;
}

void session_reset_transaction(struct smtpsession *session)
{
    if (session->transaction.is_open)
        session_forget_talk(session);
    struct session_transaction *transaction = &session->transaction;
    if (transaction->message.is_open)
        intake_abandon(&transaction->message);
    session_drop_chunks(transaction);
    addr_ahead_forget(&session->ahead);
    session->sasl.sender = span_empty(); /* of the transaction */
    *transaction = (struct session_transaction){.is_open = false};
    transaction->reverse_path =
        (struct mailbox){.local_part = span_empty(), .domain = span_empty(), .text = span_empty()};
    arena_reset(&session->transaction_arena);
}

struct span session_queue_id(const struct smtpsession *session)
{
    return intake_queue_id(&session->transaction.message);
}

const struct mailbox *session_sole_recipient(const struct smtpsession *session)
{
    const struct session_transaction *transaction = &session->transaction;
    return transaction->recipient_count == 1 ? &transaction->sole_recipient : NULL;
}

static void log_disconnect(struct smtpsession *session)
{
    /* The order in which Postfix lists them. */
    static const struct {
        enum smtp_verb verb;
        const char *name;
    } shown[] = {
        {SMTP_VERB_HELO, "helo"},         {SMTP_VERB_LHLO, "lhlo"},
        {SMTP_VERB_EHLO, "ehlo"},         {SMTP_VERB_XCLIENT, "xclient"},
        {SMTP_VERB_XFORWARD, "xforward"}, {SMTP_VERB_STARTTLS, "starttls"},
        {SMTP_VERB_AUTH, "auth"},         {SMTP_VERB_MAIL, "mail"},
        {SMTP_VERB_RCPT, "rcpt"},         {SMTP_VERB_DATA, "data"},
        {SMTP_VERB_BDAT, "bdat"},         {SMTP_VERB_RSET, "rset"},
        {SMTP_VERB_NOOP, "noop"},         {SMTP_VERB_VRFY, "vrfy"},
        {SMTP_VERB_EXPN, "expn"},         {SMTP_VERB_ETRN, "etrn"},
        {SMTP_VERB_HELP, "help"},         {SMTP_VERB_QUIT, "quit"},
        {SMTP_VERB_UNKNOWN, "unknown"},
    };
    struct log_command_count counts[ARRAY_LENGTH(shown)];
    for (size_t i = 0; i < ARRAY_LENGTH(shown); i++) {
        const struct session_count *count = &session->counts[shown[i].verb];
        counts[i] = (struct log_command_count){shown[i].name, count->accepted, count->total};
    }
    maillog_disconnect(session->service->log, &session->peer, counts, ARRAY_LENGTH(counts),
                       session->service->settings.notes_bare_lf && session->has_bare_lf ? "bare_lf"
                                                                                        : NULL);
}

/* The last words, as far as the client hears them, and the reason for the log. */
static void say_farewell(struct smtpsession *session)
{
    const struct span server_name = session->service->settings.server_name;
    const bool is_in_data =
        session->data_bytes > 0 && (strcmp(session->stage, smtp_verb_name(SMTP_VERB_DATA)) == 0 ||
                                    strcmp(session->stage, smtp_verb_name(SMTP_VERB_BDAT)) == 0);
    const char *what = NULL;
    const char *words = NULL;
    struct enhanced_status status = {4, 0, 0};
    switch (session->end) {
    case SESSION_GOES_ON:
    case SESSION_HAS_QUIT:
        break;
    case SESSION_IS_LOST:
        what = "lost connection";
        break;
    case SESSION_TIMED_OUT:
        what = "timeout";
        words = "Error: timeout exceeded";
        status = (struct enhanced_status){4, 4, 2};
        break;
    case SESSION_HAD_ERRORS:
        what = "too many errors";
        words = "Error: too many errors";
        status = (struct enhanced_status){4, 7, 0};
        break;
    case SESSION_WAS_STOPPED:
        words = "Service shutting down";
        status = (struct enhanced_status){4, 3, 2};
        break;
    }
    if (words) {
        char text[REPLY_TEXT_BYTES];
        (void)snprintf(text, sizeof(text), "%.*s %s", SPAN_PRINTF(server_name), words);
        smtp_reply_append(&session->stream.output, 421, &status, span_from_string(text));
    }
    /* Whoever went away or does not read gets no second chance to make us wait. */
    if (session->end != SESSION_IS_LOST && session->stream.output.length &&
        stream_flush(&session->stream, clock_deadline_after(FAREWELL_TIMEOUT_MS)) != STREAM_OK &&
        !what)
        what = "lost connection";
    if (what)
        maillog_session_end(session->service->log, session_queue_id(session), what, session->stage,
                            is_in_data ? session->data_bytes : 0, &session->peer);
}

static void end_session(struct smtpsession *session)
{
    struct smtpsession_service *service = session->service;
    session_client_left(session);
    session_notify(session);
    session_reset_transaction(session);
    stream_close(&session->stream);
    session_end_tls(session);
    buffer_release(&session->filtered_command);
    arena_destroy(&session->transaction_arena);
    arena_destroy(&session->arena);
    list_remove(&service->sessions, &session->link);
    free(session);
    if (service->on_session_end)
        service->on_session_end(service);
}

void session_welcome(struct smtpsession *session)
{
    session->is_denied = !session_permits(session, "CONNECT", 1U << SMTPSESSION_LIST_CLIENT);
    if (!session->is_denied)
        session_reply_plain(session, 220, session->service->settings.banner);
}

/* Where the client waits for a handshake, words of ours would be none. */
static void greet(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    if (!session_client_arrived(session)) {
        if (settings->wraps_tls)
            buffer_reset(&session->stream.output);
        return;
    }
    if (!session_wrap_in_tls(session) || !session_wait_before_greeting(session))
        return;
    if (!settings->wraps_tls && session_talks_early(session))
        session_refuse_early_talk(session);
    else
        session_welcome(session);
}

static void run_session(void *argument)
{
    struct smtpsession *session = argument;
    struct smtpsession_service *service = session->service;
    if (stream_open(&session->stream, service->loop, session->stream.descriptor) != 0) {
        end_session(session);
        return;
    }
    if (!session_read_proxy_header(session)) {
        end_session(session);
        return;
    }
    session_identify_client(session);
    maillog_connect(service->log, &session->peer);
    greet(session);
    for (unsigned commands = 1; session->end == SESSION_GOES_ON; commands++) {
        if (commands % COMMANDS_BEFORE_YIELD == 0)
            task_yield();
        if (session->error_count >= service->settings.hard_error_limit)
            session->end = SESSION_HAD_ERRORS;
        else if (service->is_stopping && !session->transaction.is_open)
            session->end = SESSION_WAS_STOPPED;
        else
            session_run_next(session);
    }
    say_farewell(session);
    log_disconnect(session);
    end_session(session);
}

/* The client's address and port from what accept() gave. */
static void read_peer_address(const struct sockaddr_storage *peer, struct ip_address *address,
                              uint16_t *port)
{
    *address = (struct ip_address){.family = IP_FAMILY_NONE};
    *port = 0;
    if (peer->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, peer, sizeof(in));
        *address = ip_address_from_bytes(IP_FAMILY_4, (const uint8_t *)&in.sin_addr.s_addr);
        *port = ntohs(in.sin_port);
    } else if (peer->ss_family == AF_INET6) {
        struct sockaddr_in6 in;
        memcpy(&in, peer, sizeof(in));
        *address = ip_address_from_bytes(IP_FAMILY_6, in.sin6_addr.s6_addr);
        *port = ntohs(in.sin6_port);
    }
}

/* No memory for a session: a few bytes from the stack must do. */
static void turn_away(struct smtpsession_service *service, int descriptor)
{
    char text[REPLY_TEXT_BYTES];
    const int length =
        snprintf(text, sizeof(text), "421 4.3.2 %.*s Service unavailable - try again later\r\n",
                 SPAN_PRINTF(service->settings.server_name));
    if (length > 0 && (size_t)length < sizeof(text) && !service->settings.wraps_tls)
        (void)send(descriptor, text, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(descriptor);
}

void smtpsession_turn_away(struct smtpsession_service *service, int descriptor,
                           const struct sockaddr_storage *peer)
{
    static const char text[] = "421 4.3.2 All server ports are busy\r\n";
    struct ip_address address;
    char address_text[IP_ADDRESS_TEXT_MAX_BYTES];
    struct log_peer shown = {.name = span_empty()};
    read_peer_address(peer, &address, &shown.port);
    shown.address = ip_address_format(&address, address_text);
    if (!service->settings.wraps_tls)
        (void)send(descriptor, text, sizeof(text) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(descriptor);
    maillog_screen_refusal(service->log, &shown, "all server ports busy");
}

bool smtpsession_start(struct smtpsession_service *service, int descriptor,
                       const struct sockaddr_storage *peer)
{
    const struct smtpsession_settings *settings = &service->settings;
    struct smtpsession *session =
        service->is_stopping ? NULL : calloc(1, sizeof(struct smtpsession));
    if (!session) {
        turn_away(service, descriptor);
        return false;
    }
    session->service = service;
    session->stage = "CONNECT";
    buffer_init(&session->filtered_command, NULL, LOOP_BLOCK_BYTES);
    arena_init(&session->arena, SESSION_ARENA_BYTES, 0);
    arena_init(&session->transaction_arena,
               SESSION_TRANSACTION_BASE_BYTES +
                   (size_t)settings->recipient_limit * SESSION_RECIPIENT_BYTES,
               0);
    addr_ahead_init(&session->ahead);
    session_reset_transaction(session);
    read_peer_address(peer, &session->address, &session->port);
    session->peer.port = settings->logs_client_port ? session->port : 0;
    session->cut_ms = CLOCK_NEVER;
    session->stream.descriptor = descriptor; /* opened as a stream by the task */
    session->task = task_start(service->loop, "smtp session", run_session, session);
    if (!session->task) {
        free(session);
        turn_away(service, descriptor);
        return false;
    }
    list_append(&service->sessions, &session->link);
    return true;
}

void smtpsession_stop_all(struct smtpsession_service *service)
{
    service->is_stopping = true;
    LIST_FOR_EACH (&service->sessions, link) {
        struct smtpsession *session = LIST_ITEM(link, struct smtpsession, link);
        if (session->is_waiting && !session->transaction.is_open)
            task_cancel(session->task);
    }
}
