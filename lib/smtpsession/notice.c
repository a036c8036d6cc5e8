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

void session_note_command(struct smtpsession *session, struct span line)
{
    struct smtp_transcript *transcript = transcript_of(session);
    /* RFC 4954 section 4: what follows the mechanism is a secret. */
    const struct span shown =
        span_starts_with_ascii_nocase(line, SPAN("AUTH ")) ? SPAN("AUTH ...") : line;
    if (transcript)
        smtp_transcript_add(transcript, true, shown);
}

void session_note_reply(struct smtpsession *session, uint16_t code,
                        const struct enhanced_status *status, struct span text)
{
    struct smtp_transcript *transcript = transcript_of(session);
    const struct span output = buffer_span(&session->stream.output);
    if (!transcript)
        return;
    smtp_transcript_add(transcript, false, span_after(output, session->last_reply_offset));
    transcript->troubles |= smtp_trouble_of_reply(code, status, text);
}

void session_forget_talk(struct smtpsession *session)
{
    if (session->transcript && session->transcript->troubles == 0)
        smtp_transcript_reset(session->transcript);
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
