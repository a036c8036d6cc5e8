/* smtpsession/input - a session's next command: its line read, looked at and handed on.
 * See session_private.h. */
#include "base/ascii.h"
#include "base/utf8.h"
#include "smtpsession/session_private.h"

enum { DISCARD_MAX_BYTES = 65536, SHOWN_TABLE_BYTES = 200 };

void session_discard_line(struct smtpsession *session, int64_t deadline_ms)
{
    size_t discarded = 0;
    for (;;) {
        const struct span input = stream_input(&session->stream);
        const size_t line_end = span_find_byte(input, '\n');
        stream_consume(&session->stream, line_end < input.length ? line_end + 1 : input.length);
        if (line_end < input.length)
            return;
        discarded += input.length;
        if (discarded > DISCARD_MAX_BYTES) {
            session->error_count = session->service->settings.hard_error_limit;
            return;
        }
        if (!session_read(session, deadline_ms))
            return;
    }
}

/* The first byte of the line that no command may have. A bare LF ends the session as well: who
 * sends one hides commands behind it from servers before us. */
static void refuse_bad_byte(struct smtpsession *session, struct span input)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    const uint16_t code = settings->bare_newline_reject_code;
    const size_t lf = span_find_byte(input, '\n');
    const size_t cr = span_find_byte(input, '\r');
    const size_t nul = span_find_byte(input, 0);
    const bool is_lf = lf < cr && lf < nul;
    const char *name = is_lf ? "bare <LF>" : cr < nul ? "bare <CR>" : "<NUL>";
    const struct span reason = arena_format(&session->transaction_arena, "%.*s Error: %s received",
                                            SPAN_PRINTF(settings->server_name), name);
    const struct outcome refusal =
        outcome_make(code < 500 ? OUTCOME_TEMPORARY : OUTCOME_PERMANENT, code, 5, 2,
                     reason.bytes ? reason : SPAN("Error: bad line end"));
    session_refuse(session, session->stage, &refusal, NULL); /* the command before it */
    session->stage = "UNKNOWN";
    if (is_lf)
        session->end = SESSION_HAS_QUIT;
}

/* What came, without its line end. */
static struct span command_line(const struct smtpsession *session)
{
    struct span line = span_first(stream_input(&session->stream), session->command_bytes);
    line.length -= span_ends_with(line, SPAN("\r\n")) ? 2 : 1; /* or a bare LF */
    return line;
}

/* The tables may have another command for the one that came. */
static void replace_command(struct smtpsession *session, struct smtp_command *command)
{
    size_t consumed;
    if (!session_filter_command(session, command_line(session)))
        return;
    const struct span other = buffer_span(&session->filtered_command);
    maillog_command_replaced(session->service->log, &session->peer,
                             session_line_to_show(command_line(session)),
                             session_line_to_show(span_first(other, other.length - 2)));
    if (smtp_command_parse(other, SIZE_MAX, false, command, &consumed) != PARSE_OK)
        *command = (struct smtp_command){SMTP_VERB_UNKNOWN, span_empty(), span_empty(), false};
}

/* RFC 4954 section 4: what AUTH brings is longer than other commands may be. */
static size_t line_limit(const struct smtpsession_settings *settings, struct span input)
{
    return settings->login.response_limit > settings->line_length_limit &&
                   span_starts_with_ascii_nocase(input, SPAN("AUTH "))
               ? settings->login.response_limit
               : settings->line_length_limit;
}

/* One command line into *command, whose spans point into the input until it is consumed. False when
 * there is none: session->end says why, or an error was answered. */
static bool read_command(struct smtpsession *session, struct smtp_command *command)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    int64_t deadline_ms = 0; /* one for the whole line, counted from when we begin to wait */
    for (;;) {
        const struct span input = stream_input(&session->stream);
        switch (smtp_command_parse(input, line_limit(settings, input), session->takes_bare_lf,
                                   command, &session->command_bytes)) {
        case PARSE_OK:
            session->has_bare_lf = session->has_bare_lf || command->has_bare_lf;
            if (!table_reference_is_empty(&settings->command_filter))
                replace_command(session, command);
            return session->end == SESSION_GOES_ON;
        case PARSE_NEED_MORE:
            if (deadline_ms == 0)
                deadline_ms = clock_deadline_after(settings->timeout_ms);
            if (!session_read(session, deadline_ms))
                return false;
            continue;
        case PARSE_MALFORMED:
            refuse_bad_byte(session, input);
            if (session->end != SESSION_GOES_ON)
                return false;
            break;
        case PARSE_TOO_LONG:
            session->stage = "UNKNOWN";
            maillog_long_request(session->service->log, &session->peer, line_limit(settings, input),
                                 input);
            session_reply(session, 500, 5, 2, "Error: line too long");
            break;
        }
        session->error_count++;
        session->counts[SMTP_VERB_UNKNOWN].total++;
        session_discard_line(session, clock_deadline_after(settings->timeout_ms));
        return false;
    }
}

/* What came behind the command of this stage was sent blindly. Is it to be refused? */
static bool is_improper(struct smtpsession *session, struct span rest)
{
    if (!session->was_improper) /* one line tells enough */
        maillog_improper_pipelining(session->service->log, session->stage, &session->peer,
                                    span_first(rest, SESSION_LOGGED_INPUT_BYTES));
    session->was_improper = true;
    return session->service->settings.forbids_early_pipelining;
}

/* RFC 2920 section 3.1: some commands end a group, since their answer decides what may follow.
 * Input behind them was sent blindly. */
static bool is_pipelined_improperly(struct smtpsession *session, const struct smtp_command *command)
{
    const bool is_auth = command->verb == SMTP_VERB_AUTH;
    struct span rest = span_after(stream_input(&session->stream), session->command_bytes);
    if (rest.length == 0 || !session_is_last_in_group(session, command->verb))
        return false;
    if (is_auth) /* it may be a password */
        rest = span_empty();
    return is_improper(session, rest);
}

bool session_talks_early(struct smtpsession *session)
{
    /* Who was watched before the greeting has got what it deserves. */
    if (stream_input(&session->stream).length || stream_is_silent(&session->stream))
        return false;
    const struct span input = stream_input(&session->stream);
    return input.length && is_improper(session, input);
}

void session_refuse_early_talk(struct smtpsession *session)
{
    session_reply(session, 554, 5, 0, "Error: SMTP protocol synchronization");
    session->end = SESSION_HAS_QUIT;
}

/* Part of a message, of whoever goes on although DATA was refused; or of something like HTTP. */
static bool is_header_field(struct span name)
{
    const size_t colon = span_find_byte(name, ':');
    if (colon == 0 || colon == name.length)
        return false;
    for (size_t i = 0; i < colon; i++)
        if (!ascii_is_print(name.bytes[i]))
            return false;
    return true;
}

/* What it works on is there to be seen should it be the last; and what has been the last of others
 * is refused for a while. */
static bool run_watched(struct smtpsession *session, const struct smtp_command *command)
{
    char note[32] = SESSION_REQUEST_NOTE;
    size_t length = sizeof(SESSION_REQUEST_NOTE) - 1;
    const struct span name = span_first(span_from_string(smtp_verb_name(command->verb)), 16);
    if (session->service->refused_verbs & 1U << command->verb) {
        /* Behind BDAT comes a chunk, which is not read for commands. */
        const bool has_chunk = command->verb == SMTP_VERB_BDAT;
        session_reply(session, has_chunk ? 421 : 451, 3, 0,
                      "Error: command is not available for now");
        if (has_chunk)
            session->end = SESSION_HAS_QUIT;
        return false;
    }
    memcpy(note + length, name.bytes, name.length);
    length += name.length;
    task_note(span_of(note, length));
    const bool is_accepted = session_run_command(session, command);
    task_note(span_empty());
    return is_accepted;
}

void smtpsession_refuse(struct smtpsession_service *service, struct span note)
{
    const struct span prefix = SPAN(SESSION_REQUEST_NOTE);
    if (!span_starts_with(note, prefix))
        return;
    const enum smtp_verb verb = smtp_verb_from_name(span_after(note, prefix.length));
    if (verb == SMTP_VERB_UNKNOWN || verb == SMTP_VERB_QUIT)
        return;
    service->refused_verbs |= 1U << verb;
    maillog_text(service->log, LOG_LEVEL_ERROR, span_empty(),
                 "work on %s has killed smtpd twice; it is refused until the next reload",
                 smtp_verb_name(verb));
}

/* What a table cannot tell is in no list, as in Postfix: no mail waits for either of them. */
static bool is_listed(const struct smtpsession *session, const char *parameter,
                      const struct table_words *list, struct span name)
{
    struct span failed;
    const bool is_found = table_words_have(list, name, &failed);
    if (failed.length)
        maillog_text(session->service->log, LOG_LEVEL_WARNING, span_empty(),
                     "%s: %.*s: table lookup problem", parameter,
                     SPAN_PRINTF(span_first(failed, SHOWN_TABLE_BYTES)));
    return is_found;
}

void session_run_next(struct smtpsession *session)
{
    const struct smtpsession_settings *settings = &session->service->settings;
    struct smtp_command command;
    if (!read_command(session, &command))
        return;
    session->stage = smtp_verb_name(command.verb);
    const struct span line = command_line(session);
    session_note_command(session, line);
    if (settings->has_smtputf8 && !utf8_is_valid(line)) { /* RFC 6531 section 3.3 */
        session->stage = smtp_verb_name(SMTP_VERB_UNKNOWN);
        session_reply(session, 500, 5, 2, "Error: bad UTF-8 syntax");
        session->counts[SMTP_VERB_UNKNOWN].total++;
        session->error_count++;
        session_consume_command(session);
        return;
    }
    if (command.verb == SMTP_VERB_UNKNOWN &&
        (is_header_field(command.name) || is_listed(session, "smtpd_forbidden_commands",
                                                    settings->forbidden_commands, command.name))) {
        maillog_foreign_command(session->service->log, &session->peer, line);
        session_reply(session, 221, 7, 0, "Error: I can break rules, too. Goodbye.");
        session->end = SESSION_HAS_QUIT;
        session->counts[SMTP_VERB_UNKNOWN].total++;
        return;
    }
    if (is_pipelined_improperly(session, &command)) {
        session_refuse_early_talk(session);
        session->counts[command.verb].total++;
        return;
    }
    if (is_listed(session, "smtpd_noop_commands", settings->noop_commands, command.name))
        command.verb = SMTP_VERB_NOOP;
    session->counts[command.verb].total++;
    if (session_is_junk_verb(command.verb) && session->junk_count++ > settings->junk_command_limit)
        session->error_count++;
    if (run_watched(session, &command))
        session->counts[command.verb].accepted++;
    else
        session->error_count++;
    session_consume_command(session);
}
