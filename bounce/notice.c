/* bounce/notice - see notice.h. */
#include "notice.h"

#include <time.h>

#include "intake/recipients.h"
#include "maillog/event.h"
#include "maillog/receive.h"
#include "smtp/content.h"
#include "smtp/date.h"
#include "system/clock.h"

enum {
    MICROSECONDS_PER_SECOND = 1000000,
    HEADER_MAX_BYTES = 8192,
    INTAKE_WAIT_MS = 60000,
    ADDRESS_WAIT_MS = 100000,
    COMMIT_WAIT_MS = 120000
};

static void append_date(struct buffer *out, uint64_t now_us)
{
    const time_t now_s = (time_t)(now_us / MICROSECONDS_PER_SECOND);
    struct tm parts;
    if (!localtime_r(&now_s, &parts))
        return;
    smtp_date_append(out, (int64_t)now_s, (int)(parts.tm_gmtoff / 60),
                     span_from_string(parts.tm_zone));
}

static void append_header(const struct bounce_writer *writer, const struct intake_message *message,
                          struct span subject, uint64_t now_us, struct buffer *out)
{
    const struct conf_bounce *settings = writer->settings;
    buffer_append_format(out, "Received: by %.*s (%.*s)\r\n\tid %s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         message->queue_id);
    append_date(out, now_us);
    buffer_append_string(out, "\r\nDate: ");
    append_date(out, now_us);
    buffer_append_format(out,
                         "\r\nFrom: Mail Delivery System <MAILER-DAEMON@%.*s>\r\n"
                         "To: <%.*s>\r\nSubject: ",
                         SPAN_PRINTF(settings->myorigin),
                         SPAN_PRINTF(writer->error_notice_address));
    for (size_t i = 0; i < subject.length; i++)
        buffer_append_byte(
            out, subject.bytes[i] < 0x20 || subject.bytes[i] >= 0x7f ? '?' : subject.bytes[i]);
    /* RFC 3834 section 5.1: made by a machine, of its own accord. */
    buffer_append_format(out,
                         "\r\nMessage-ID: <%s@%.*s>\r\nAuto-Submitted: auto-generated\r\n"
                         "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
                         message->queue_id, SPAN_PRINTF(settings->myhostname));
}

static struct outcome commit(const struct bounce_writer *writer, struct intake_message *message,
                             struct span header, const struct smtp_content_facts *facts,
                             uint64_t now_us, struct arena *arena)
{
    const struct queue_recipient recipient = {.forward_path = writer->error_notice_address,
                                              .notify = QUEUE_NOTIFY_NEVER};
    const struct queue_envelope envelope = {
        .arrival_us = now_us,
        .origin = QUEUE_ORIGIN_BOUNCE,
        .reverse_path = writer->double_bounce_address,
        .facts = {.size_bytes = facts->size_bytes,
                  .header_bytes = (uint32_t)header.length,
                  .longest_line_bytes = (uint32_t)facts->longest_line_bytes,
                  .received_count = 1,
                  .flags = facts->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0},
        .flags = QUEUE_FLAG_NO_REPORT,
    };
    struct addr_expansion expansion;
    const struct outcome outcome =
        intake_expand_recipient(message, writer->addr, &recipient, envelope.reverse_path, 0, arena,
                                clock_deadline_after(ADDRESS_WAIT_MS), &expansion);
    if (!outcome_is_ok(&outcome))
        return outcome;
    const struct span message_id = arena_format(arena, "<%s@%.*s>", message->queue_id,
                                                SPAN_PRINTF(writer->settings->myhostname));
    maillog_message_id(writer->log, intake_queue_id(message), message_id);
    return intake_commit(message, &envelope, header, arena, clock_deadline_after(COMMIT_WAIT_MS));
}

void bounce_notice_write(const struct bounce_writer *writer, struct span subject, struct span text,
                         struct arena *arena)
{
    static const struct span before = SPAN_LITERAL("Transcript of session follows.\r\n\r\n");
    static const struct span after =
        SPAN_LITERAL("\r\nThe log of the mail system has more about it.\r\n");
    const struct log_context context = {.log = writer->log, .queue_id = span_empty()};
    const uint64_t now_us = clock_realtime_us();
    struct intake_message message;
    struct smtp_content_facts facts;
    struct outcome outcome;
    struct buffer header;
    if (!intake_begin(writer->intake, &message, clock_deadline_after(INTAKE_WAIT_MS), &outcome)) {
        log_event(&context, LOG_LEVEL_WARNING, "bounce.notice_dropped",
                  log_text("subject", subject), log_text("reason", outcome.reason));
        return;
    }
    buffer_init(&header, arena, HEADER_MAX_BYTES);
    append_header(writer, &message, subject, now_us, &header);
    const struct span pieces[] = {before, text, after};
    smtp_content_facts_init(&facts);
    smtp_content_facts_add(&facts, buffer_span(&header));
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        smtp_content_facts_add(&facts, pieces[i]);
        intake_write_body(&message, pieces[i]);
    }
    smtp_content_facts_finish(&facts);
    outcome = buffer_ok(&header)
                  ? commit(writer, &message, buffer_span(&header), &facts, now_us, arena)
                  : outcome_temporary(451, 3, 0, "the subject is too long");
    intake_abandon(&message);
    if (!outcome_is_ok(&outcome))
        log_event(&context, LOG_LEVEL_WARNING, "bounce.notice_dropped",
                  log_text("subject", subject), log_text("reason", outcome.reason));
}
