/* bounce/writer - see writer.h. */
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "conf/templates.h"
#include "intake/recipients.h"
#include "maillog/event.h"
#include "maillog/queue.h"
#include "maillog/receive.h"
#include "smtp/content.h"
#include "smtp/date.h"
#include "smtp/header.h"
#include "system/clock.h"

enum {
    MICROSECONDS_PER_SECOND = 1000000,
    NOTICE_MAX_BYTES = 8 << 20,
    HEADER_MAX_BYTES = 32768,
    BOUNDARY_HOST_MAX_BYTES = 40, /* RFC 2046 section 5.1.1: 70 with the id before it */
    INTAKE_WAIT_MS = 60000,
    EXPAND_WAIT_MS = 100000,
    COMMIT_WAIT_MS = 120000
};

/* One report in the making. */
struct job {
    const struct bounce_writer *writer;
    const struct bounce_request *request;
    const struct original *original;
    struct arena *arena;
    struct dsn_report report;
    struct span reverse_path; /* of the report */
    bool is_copy;             /* of another, which settles the recipients */
    enum log_notification log_kind;
    struct intake_message message;
    struct smtp_content_facts facts;
    uint64_t now_us;
};

static bool complete_address(struct span address, struct span origin, struct arena *arena,
                             struct span *result)
{
    *result = span_find_byte(address, '@') < address.length
                  ? arena_copy(arena, address)
                  : arena_format(arena, "%.*s@%.*s", SPAN_PRINTF(address), SPAN_PRINTF(origin));
    return result->bytes != NULL;
}

bool bounce_writer_init(struct bounce_writer *writer, const struct conf_bounce *settings,
                        struct intake *intake, struct addr_client *addr, struct maillog *log,
                        struct arena *arena)
{
    const struct span origin = settings->myorigin;
    *writer =
        (struct bounce_writer){.settings = settings, .intake = intake, .addr = addr, .log = log};
    return conf_templates_load(settings->bounce_template_file, arena, &writer->templates) &&
           complete_address(settings->bounce_notice_recipient, origin, arena,
                            &writer->postmaster_address) &&
           complete_address(settings->double_bounce_notice_recipient, origin, arena,
                            &writer->double_notice_address) &&
           complete_address(settings->error_notice_recipient, origin, arena,
                            &writer->error_notice_address) &&
           complete_address(settings->delay_notice_recipient, origin, arena,
                            &writer->delay_notice_address) &&
           complete_address(settings->double_bounce_sender, origin, arena,
                            &writer->double_bounce_address);
}

/* ---- the parts of a report ---- */

static struct outcome cannot_read(const struct job *job)
{
    const struct log_context context = {.log = job->writer->log,
                                        .queue_id = job->request->queue_id};
    const bool is_damaged = errno == EBADMSG;
    log_event(
        &context, LOG_LEVEL_ERROR, "bounce.original_unreadable",
        log_string("reason", is_damaged ? "the content does not match its digest" : "read error"),
        log_number("errno", errno),
        log_string("next", is_damaged ? "set aside" : "tried again later"));
    if (is_damaged)
        return outcome_permanent(554, 3, 0, "the message that is reported on is damaged");
    return outcome_temporary(451, 3, 0, "cannot read the message that is reported on");
}

static void write_body(struct job *job, struct span bytes)
{
    smtp_content_facts_add(&job->facts, bytes);
    intake_write_body(&job->message, bytes);
}

static void take_piece(void *context, struct span piece)
{
    write_body(context, piece);
}

/* As Postfix, who the message came from stands on top of it: its own fields need not say. */
static bool write_returned_content(struct job *job, struct span header)
{
    write_body(job, SPAN("Return-Path: <"));
    write_body(job, job->request->envelope.reverse_path);
    write_body(job, SPAN(">\r\n"));
    if (job->report.returned == DSN_RETURN_MESSAGE)
        return original_read(job->original, take_piece, job);
    write_body(job, header);
    return true;
}

/* Success and delay return the header only, and so does a failure where the sender asked for that
 * (RFC 3461 section 4.3) or the message is large. The postmaster need not read what others wrote to
 * each other: a copy has the header only, and the whole message goes to the postmaster alone. */
static enum dsn_returned choose_returned(const struct job *job)
{
    const bool is_copy =
        job->report.is_postmaster_copy && !span_is_empty(job->request->envelope.reverse_path);
    return job->request->kind != DSN_FAILURE || is_copy ||
                   job->request->envelope.ret == QUEUE_RETURN_HEADERS ||
                   (job->request->envelope.flags & QUEUE_FLAG_REQUIRETLS) != 0 ||
                   job->original->size_bytes > job->writer->settings->bounce_size_limit
               ? DSN_RETURN_HEADER
               : DSN_RETURN_MESSAGE;
}

static void set_original_message_id(struct job *job, struct span header)
{
    struct smtp_header_field field;
    struct buffer text;
    if (!job->writer->settings->enable_threaded_bounces ||
        !smtp_header_find(header, SPAN("Message-ID"), &field))
        return;
    buffer_init(&text, job->arena, QUEUE_TEXT_MAX_BYTES);
    smtp_header_unfold(field.value, &text);
    if (buffer_ok(&text))
        job->report.original_message_id = buffer_span(&text);
}

static bool fill_report(struct job *job, struct span header)
{
    const struct queue_envelope *envelope = &job->request->envelope;
    const struct conf_bounce *settings = job->writer->settings;
    struct dsn_report *report = &job->report;
    const time_t now_s = (time_t)(job->now_us / MICROSECONDS_PER_SECOND);
    const struct span id = intake_queue_id(&job->message);
    struct tm parts;
    if (!localtime_r(&now_s, &parts))
        return false;
    report->kind = job->request->kind;
    report->returned = choose_returned(job);
    report->reporting_mta = settings->myhostname;
    report->mail_name = settings->mail_name;
    report->origin = settings->myorigin;
    report->template = &job->writer->templates.of[report->kind];
    report->queue_id = job->request->queue_id;
    report->message_id =
        arena_format(job->arena, "%.*s@%.*s", SPAN_PRINTF(id), SPAN_PRINTF(settings->myhostname));
    report->boundary =
        arena_format(job->arena, "%.*s/%.*s", SPAN_PRINTF(id),
                     SPAN_PRINTF(span_first(settings->myhostname, BOUNDARY_HOST_MAX_BYTES)));
    report->original_sender = envelope->reverse_path;
    report->envid = envelope->envid;
    report->is_original_8bit = (envelope->facts.flags & QUEUE_FACT_8BIT_HEADER) != 0 ||
                               (report->returned == DSN_RETURN_MESSAGE &&
                                (envelope->facts.flags & QUEUE_FACT_8BIT_BODY) != 0);
    report->is_original_smtputf8 = (envelope->flags & QUEUE_FLAG_SMTPUTF8) != 0;
    report->arrival_s = (int64_t)(envelope->arrival_us / MICROSECONDS_PER_SECOND);
    report->deliver_by_s = (int64_t)(envelope->deliver_by_us / MICROSECONDS_PER_SECOND);
    report->release_request = envelope->release_request;
    report->now_s = (int64_t)now_s;
    report->retry_until_s = job->request->retry_until_s;
    report->offset_minutes = (int)(parts.tm_gmtoff / 60);
    report->zone_name = span_from_string(parts.tm_zone);
    report->recipients = job->request->recipients;
    report->recipient_count = job->request->recipient_count;
    set_original_message_id(job, header);
    return report->message_id.bytes && report->boundary.bytes;
}

static void append_header_block(const struct job *job, struct buffer *out)
{
    const struct conf_bounce *settings = job->writer->settings;
    buffer_append_format(out, "Received: by %.*s (%.*s)\r\n\tid %s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         job->message.queue_id);
    smtp_date_append(out, job->report.now_s, job->report.offset_minutes, job->report.zone_name);
    buffer_append_string(out, "\r\n");
    dsn_append_header(&job->report, out);
    buffer_append_string(out, "\r\n");
}

static struct queue_envelope envelope_of(const struct job *job, size_t header_bytes)
{
    const struct smtp_content_facts *facts = &job->facts;
    return (struct queue_envelope){
        .arrival_us = job->now_us,
        .origin = QUEUE_ORIGIN_BOUNCE,
        .reverse_path = job->reverse_path,
        .facts =
            {
                .size_bytes = facts->size_bytes,
                .header_bytes = (uint32_t)header_bytes,
                .longest_line_bytes = facts->longest_line_bytes > UINT32_MAX
                                          ? UINT32_MAX
                                          : (uint32_t)facts->longest_line_bytes,
                .received_count = 1,
                .flags = (facts->has_8bit_header ? (uint32_t)QUEUE_FACT_8BIT_HEADER : 0) |
                         (facts->has_8bit_body ? (uint32_t)QUEUE_FACT_8BIT_BODY : 0) |
                         (facts->has_leading_dot ? (uint32_t)QUEUE_FACT_LEADING_DOTS : 0) |
                         (facts->has_nul ? (uint32_t)QUEUE_FACT_NUL : 0),
            },
        .flags = (dsn_is_utf8(&job->report) ? (uint32_t)QUEUE_FLAG_SMTPUTF8 : 0) |
                 (dsn_is_8bit(&job->report) ? (uint32_t)QUEUE_FLAG_BODY_8BITMIME : 0) |
                 /* RFC 8689 section 5: what is told of a message is as much worth as it. */
                 (job->request->envelope.flags & QUEUE_FLAG_REQUIRETLS) |
                 (span_is_empty(job->reverse_path) ? 0 : (uint32_t)QUEUE_FLAG_NO_REPORT),
        .report_of = job->is_copy ? span_empty() : job->request->queue_id,
        .report_kind = job->is_copy ? 0 : (uint8_t)job->request->kind,
        .report_recipients = job->is_copy ? span_empty() : job->request->indexes,
    };
}

/* ---- one report ---- */

static struct outcome write_content(struct job *job, struct span header, struct buffer *notice,
                                    struct buffer *header_block)
{
    if (!fill_report(job, header))
        return outcome_temporary(451, 3, 0, "out of memory");
    append_header_block(job, header_block);
    dsn_append_notice(&job->report, notice);
    smtp_content_facts_init(&job->facts);
    smtp_content_facts_add(&job->facts, buffer_span(header_block));
    write_body(job, buffer_span(notice));
    if (!write_returned_content(job, header))
        return cannot_read(job);
    const bool was_ok = buffer_ok(notice);
    buffer_reset(notice);
    dsn_append_end(&job->report, notice);
    write_body(job, buffer_span(notice));
    smtp_content_facts_finish(&job->facts);
    return was_ok && buffer_ok(notice) && buffer_ok(header_block)
               ? outcome_ok()
               : outcome_temporary(451, 3, 0, "the report is too large");
}

static struct outcome commit(struct job *job, struct span header_block)
{
    /* RFC 3461 section 4.1: a report is never reported on. */
    const struct queue_recipient recipient = {.forward_path = job->report.to,
                                              .notify = QUEUE_NOTIFY_NEVER};
    const struct queue_envelope envelope = envelope_of(job, header_block.length);
    struct addr_expansion expansion;
    const struct outcome outcome =
        intake_expand_recipient(&job->message, job->writer->addr, &recipient, job->reverse_path, 0,
                                job->arena, clock_deadline_after(EXPAND_WAIT_MS), &expansion);
    if (!outcome_is_ok(&outcome))
        return outcome_make(OUTCOME_TEMPORARY, 451, 3, 0, outcome.reason);
    /* Written before the commit: qmgr's own lines about the report come after these. */
    maillog_notification(job->writer->log, job->request->queue_id, job->log_kind,
                         intake_queue_id(&job->message));
    const struct span message_id =
        arena_format(job->arena, "<%.*s>", SPAN_PRINTF(job->report.message_id));
    maillog_message_id(job->writer->log, intake_queue_id(&job->message), message_id);
    return intake_commit(&job->message, &envelope, header_block, job->arena,
                         clock_deadline_after(COMMIT_WAIT_MS));
}

static struct outcome write_report(struct job *job, struct span *report_id)
{
    struct outcome outcome;
    struct buffer header, notice, header_block;
    job->now_us = clock_realtime_us();
    if (!intake_begin(job->writer->intake, &job->message, clock_deadline_after(INTAKE_WAIT_MS),
                      &outcome))
        return outcome;
    buffer_init(&header, NULL, job->writer->settings->header_size_limit);
    buffer_init(&notice, NULL, NOTICE_MAX_BYTES);
    buffer_init(&header_block, NULL, HEADER_MAX_BYTES);
    if (original_read_header(job->original, job->writer->settings->header_size_limit, &header))
        outcome = write_content(job, buffer_span(&header), &notice, &header_block);
    else
        outcome = cannot_read(job);
    const struct span id = arena_copy(job->arena, intake_queue_id(&job->message));
    if (outcome_is_ok(&outcome))
        outcome = commit(job, buffer_span(&header_block));
    intake_abandon(&job->message);
    buffer_release(&header);
    buffer_release(&notice);
    buffer_release(&header_block);
    if (outcome_is_ok(&outcome))
        *report_id = id;
    else
        maillog_notification_failed(job->writer->log, job->request->queue_id, job->report.to,
                                    outcome.reason);
    return outcome;
}

/* ---- who is told ---- */

static bool is_class_notified(const struct bounce_writer *writer, const char *class)
{
    return span_list_has(writer->settings->notify_classes, span_from_string(class));
}

static struct outcome discard(const struct bounce_writer *writer,
                              const struct bounce_request *request, bool is_double_bounce)
{
    const struct log_context context = {.log = writer->log, .queue_id = request->queue_id};
    if (is_double_bounce)
        maillog_text(writer->log, LOG_LEVEL_WARNING, request->queue_id,
                     "undeliverable postmaster notification discarded");
    else
        log_event(&context, LOG_LEVEL_INFO, "bounce.discarded",
                  log_string("reason", "the sender is the null address"),
                  log_number("recipients", (int64_t)request->recipient_count));
    return outcome_ok();
}

static void set_for_postmaster(struct job *job)
{
    const bool is_delay = job->request->kind == DSN_DELAY;
    job->reverse_path = job->writer->double_bounce_address;
    job->report.is_postmaster_copy = true;
    job->report.to = is_delay ? job->writer->delay_notice_address
                     : span_is_empty(job->request->envelope.reverse_path)
                         ? job->writer->double_notice_address
                         : job->writer->postmaster_address;
    job->log_kind =
        is_delay ? LOG_NOTIFICATION_POSTMASTER_DELAY : LOG_NOTIFICATION_POSTMASTER_FAILURE;
}

static void set_for_sender(struct job *job)
{
    static const enum log_notification kinds[] = {
        [DSN_FAILURE] = LOG_NOTIFICATION_SENDER_FAILURE,
        [DSN_DELAY] = LOG_NOTIFICATION_SENDER_DELAY,
        [DSN_SUCCESS] = LOG_NOTIFICATION_SENDER_SUCCESS,
        [DSN_VERIFY] = LOG_NOTIFICATION_SENDER_SUCCESS,
    };
    job->reverse_path = span_empty(); /* RFC 5321 section 4.5.5: so that no report loops */
    job->report.to = span_is_empty(job->request->sender) ? job->request->envelope.reverse_path
                                                         : job->request->sender;
    job->log_kind = kinds[job->request->kind];
}

static struct job new_job(const struct bounce_writer *writer, const struct bounce_request *request,
                          const struct original *original, struct arena *arena)
{
    return (struct job){.writer = writer, .request = request, .original = original, .arena = arena};
}

struct outcome bounce_write(const struct bounce_writer *writer,
                            const struct bounce_request *request, const struct original *original,
                            struct arena *arena, struct span *report_id)
{
    const struct span sender = request->envelope.reverse_path;
    const bool is_double_bounce = (request->envelope.flags & QUEUE_FLAG_NO_REPORT) != 0 ||
                                  span_equals_ascii_nocase(sender, writer->double_bounce_address);
    struct job job = new_job(writer, request, original, arena);
    *report_id = span_empty();
    if (is_double_bounce)
        return discard(writer, request, true);
    if (span_is_empty(sender)) {
        if (request->kind != DSN_FAILURE || !is_class_notified(writer, "2bounce"))
            return discard(writer, request, false);
        set_for_postmaster(&job);
        return write_report(&job, report_id);
    }
    set_for_sender(&job);
    const struct outcome outcome = write_report(&job, report_id);
    const bool has_class = request->kind == DSN_FAILURE || request->kind == DSN_DELAY;
    const char *class = request->kind == DSN_FAILURE ? "bounce" : "delay";
    if (outcome_is_ok(&outcome) && has_class && is_class_notified(writer, class)) {
        /* A copy that cannot be made is logged; the sender has been told. */
        struct job copy = new_job(writer, request, original, arena);
        struct span ignored;
        set_for_postmaster(&copy);
        copy.is_copy = true;
        const struct outcome of_copy = write_report(&copy, &ignored);
        (void)of_copy;
    }
    return outcome;
}
