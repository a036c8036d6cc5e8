/* smtp/notice - see notice.h. */
#include "notice.h"

#include <stdio.h>
#include <stdlib.h>

#include "maillog/log.h"
#include "smtp/transcript.h"
#include "table/clients.h"

enum { COMMAND_MAX_BYTES = 4096 };

struct notice {
    struct smtp_transcript transcript;
    struct buffer command; /* what is not whole yet; heap */
};

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct connection_context *connections = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&connections->bounce);
}

void notice_attach(struct connection_context *context, int descriptor)
{
    static const struct ipc_permission permissions[] = {{0, 0}};
    static const struct ipc_channel_handlers handlers = {NULL, on_closed, permissions};
    ipc_channel_destroy(&context->bounce);
    context->bounce =
        ipc_channel_create(context->loop, descriptor, IPC_ROLE_BOUNCE, &handlers, context);
}

/* debug_peer_list. */
static bool is_watched(const struct connection *connection)
{
    return client_list_has(connection->context->watched_hosts, connection->host,
                           &connection->address);
}

/* "> mx.example.net[198.51.100.4]:25: EHLO ..." as in Postfix, line by line. */
static void log_lines(const struct connection *connection, const char *direction, struct span lines)
{
    struct span line;
    for (bool has_more = is_watched(connection); has_more && lines.length > 0;) {
        has_more = span_split_once(lines, '\n', &line, &lines);
        maillog_text(connection->context->log, LOG_LEVEL_INFO, span_empty(), "%s%s: %.*s",
                     direction, connection->relay,
                     SPAN_PRINTF(span_first(line, span_find_byte(line, '\r'))));
    }
}

/* NULL: nobody wants to know. */
static struct notice *notice_of(struct connection *connection)
{
    if (!connection->notice && (connection->context->notified_troubles || is_watched(connection)) &&
        (connection->notice = malloc(sizeof(*connection->notice)))) {
        smtp_transcript_init(&connection->notice->transcript);
        buffer_init(&connection->notice->command, NULL, COMMAND_MAX_BYTES);
    }
    return connection->notice;
}

void notice_add_command(struct connection *connection, struct span piece)
{
    struct notice *notice = notice_of(connection);
    if (!notice)
        return;
    buffer_append_span(&notice->command, piece);
    if (!span_ends_with(piece, SPAN("\n")))
        return;
    /* RFC 4954 section 4: what follows the mechanism is a secret. */
    const struct span line = buffer_span(&notice->command);
    const struct span shown =
        span_starts_with_ascii_nocase(line, SPAN("AUTH ")) ? SPAN("AUTH ...") : line;
    log_lines(connection, "> ", shown);
    smtp_transcript_add(&notice->transcript, false, shown);
    buffer_reset(&notice->command);
}

void notice_add_reply(struct connection *connection, const struct smtp_reply *reply)
{
    struct notice *notice = notice_of(connection);
    if (!notice)
        return;
    log_lines(connection, "< ", reply->lines);
    smtp_transcript_add(&notice->transcript, true, reply->lines);
    notice->transcript.troubles |= smtp_trouble_of_remote(reply->code);
}

static void tell(const struct connection *connection, const struct smtp_transcript *transcript)
{
    const struct connection_context *context = connection->context;
    char subject[IPC_NAME_MAX];
    const int length = snprintf(subject, sizeof(subject), "%.*s %s client: errors from %.200s",
                                SPAN_PRINTF(span_first(connection->settings->mail_name, 40)),
                                context->speaks_lmtp ? "LMTP" : "SMTP", connection->label);
    const struct ipc_session_notice message = {
        .subject = span_of(subject, length > 0 ? (size_t)length : 0),
        .transcript = buffer_span(&transcript->text)};
    if (context->bounce && length > 0 && (size_t)length < sizeof(subject) &&
        buffer_ok(&transcript->text))
        (void)ipc_channel_send(context->bounce, IPC_SESSION_NOTICE,
                               &message); /* or it is not told */
}

void notice_finish(struct connection *connection)
{
    struct notice *notice = connection->notice;
    connection->notice = NULL;
    if (!notice)
        return;
    if (notice->transcript.troubles & connection->context->notified_troubles)
        tell(connection, &notice->transcript);
    smtp_transcript_release(&notice->transcript);
    buffer_release(&notice->command);
    free(notice);
}
