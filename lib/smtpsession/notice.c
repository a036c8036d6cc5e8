/* smtpsession/notice - tell the postmaster of sessions that went wrong (notify_classes).
 * See session_private.h. */
#include "smtpsession/session_private.h"

#include <stdlib.h>

#include "smtp/transcript.h"

static bool is_wanted(const struct smtpsession *session)
{
    return session->service->settings.notified_troubles != 0 && session->service->backend.notify;
}

static struct smtp_transcript *transcript_of(struct smtpsession *session)
{
    if (!session->transcript && is_wanted(session) &&
        (session->transcript = malloc(sizeof(*session->transcript))))
        smtp_transcript_init(session->transcript);
    return session->transcript;
}

/* debug_peer_list: "< name[address]: MAIL FROM:..." as in Postfix. */
static void log_line(const struct smtpsession *session, const char *direction, struct span line)
{
    const struct smtpsession_service *service = session->service;
    if (!client_list_has(service->settings.watched_clients, session->peer.name, &session->address))
        return;
    struct buffer *text = maillog_begin(service->log, LOG_LEVEL_INFO, span_empty());
    buffer_append_string(text, direction);
    maillog_put_peer(text, &session->peer);
    buffer_append_string(text, ": ");
    buffer_append_span(text, line);
    maillog_end(service->log);
}

struct span session_line_to_show(struct span line)
{
    /* RFC 4954 section 4: what follows the mechanism is a secret. */
    return span_starts_with_ascii_nocase(span_trim_spaces(line), SPAN("AUTH ")) ? SPAN("AUTH ...")
                                                                                : line;
}

void session_note_command(struct smtpsession *session, struct span line)
{
    struct smtp_transcript *transcript = transcript_of(session);
    const struct span shown = session_line_to_show(line);
    log_line(session, "< ", shown);
    if (transcript)
        smtp_transcript_add(transcript, true, shown);
}

void session_note_reply(struct smtpsession *session, uint16_t code,
                        const struct enhanced_status *status, struct span text)
{
    struct smtp_transcript *transcript = transcript_of(session);
    const struct span output =
        span_after(buffer_span(&session->stream.output), session->last_reply_offset);
    struct span rest = output, line;
    for (bool has_more = true; has_more && rest.length > 0;) {
        has_more = span_split_once(rest, '\n', &line, &rest);
        log_line(session, "> ", span_first(line, span_find_byte(line, '\r')));
    }
    if (!transcript)
        return;
    smtp_transcript_add(transcript, false, output);
    transcript->troubles |= smtp_trouble_of_reply(code, status, text);
}

void session_forget_talk(struct smtpsession *session)
{
    if (session->transcript &&
        session->transcript->line_count > session->service->settings.talk_limit)
        session_notify(session);
}

void session_notify(struct smtpsession *session)
{
    struct smtp_transcript *transcript = session->transcript;
    const struct smtpsession_service *service = session->service;
    session->transcript = NULL;
    if (!transcript)
        return;
    if (transcript->troubles & service->settings.notified_troubles) {
        const struct span subject =
            arena_format(&session->arena, "%.*s SMTP server: errors from %.*s[%.*s]",
                         SPAN_PRINTF(service->settings.software), SPAN_PRINTF(session->peer.name),
                         SPAN_PRINTF(session->peer.address));
        if (subject.bytes && buffer_ok(&transcript->text))
            service->backend.notify(service->backend.context, subject,
                                    buffer_span(&transcript->text));
    }
    smtp_transcript_release(transcript);
    free(transcript);
}
