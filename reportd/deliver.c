/* reportd/deliver - see deliver.h. */
#include "deliver.h"

#include <time.h>

#include "document.h"
#include "intake/recipients.h"
#include "maillog/event.h"
#include "maillog/receive.h"
#include "smtp/content.h"
#include "smtp/date.h"
#include "system/clock.h"
#include "tlsrpt/record.h"

enum {
    URIS_MAX = 4, /* of a record that count */
    TEXTS_MAX = 64,
    ARENA_BYTES = 4 << 20,
    HEADER_MAX_BYTES = 16384,
    DNS_WAIT_MS = 30 * 1000,
    INTAKE_WAIT_MS = 60 * 1000,
    ADDRESS_WAIT_MS = 100 * 1000,
    COMMIT_WAIT_MS = 120 * 1000,
    POST_TIMEOUT_MS = 60 * 1000,
    DAY_S = 86400,
    MICROSECONDS_PER_SECOND = 1000000
};

/* A report on its way. */
struct report {
    struct deliverer *deliverer;
    struct counted_day *day;
    struct document_head head;
    struct arena arena;
    struct buffer compressed; /* heap; empty until it is needed */
};

enum attempt { ATTEMPT_ACCEPTED, ATTEMPT_FAILED, ATTEMPT_HOPELESS };

static void log_attempt(const struct report *report, struct span uri, enum attempt attempt,
                        struct span reason)
{
    static const char *const names[] = {[ATTEMPT_ACCEPTED] = "tlsrpt.sent",
                                        [ATTEMPT_FAILED] = "tlsrpt.not_sent",
                                        [ATTEMPT_HOPELESS] = "tlsrpt.not_sent"};
    const struct log_context context = {.log = report->deliverer->log, .queue_id = span_empty()};
    if (attempt == ATTEMPT_ACCEPTED)
        log_event(&context, LOG_LEVEL_INFO, names[attempt], log_text("domain", report->head.domain),
                  log_text("report", report->head.report_id), log_text("to", uri));
    else
        log_event(&context, LOG_LEVEL_INFO, names[attempt], log_text("domain", report->head.domain),
                  log_text("report", report->head.report_id), log_text("to", uri),
                  log_text("reason", reason),
                  log_string("next", attempt == ATTEMPT_FAILED ? "tried again later" : "given up"));
}

/* ---- what is sent ---- */

static bool fill_head(struct report *report)
{
    const struct conf_reportd *settings = report->deliverer->settings;
    const struct counted_day *day = report->day;
    const time_t time_s = (time_t)day->day * DAY_S;
    struct tm date;
    if (!gmtime_r(&time_s, &date))
        return false;
    report->head = (struct document_head){
        .organization = settings->tlsrpt_organization_name,
        .contact = settings->tlsrpt_contact_info,
        .submitter = span_after(settings->tlsrpt_contact_info,
                                span_find_last_byte(settings->tlsrpt_contact_info, '@') + 1),
        .report_id = arena_format(&report->arena, "%04d%02d%02d.%.*s@%.*s", date.tm_year + 1900,
                                  date.tm_mon + 1, date.tm_mday, SPAN_PRINTF(day->domain),
                                  SPAN_PRINTF(settings->myhostname)),
        .domain = day->domain,
        .day = day->day,
    };
    return report->head.report_id.bytes != NULL;
}

/* The same for everybody, made for the first. */
static bool make_document(struct report *report)
{
    struct buffer text;
    if (report->compressed.length > 0)
        return true;
    buffer_init(&text, NULL, DOCUMENT_MAX_BYTES);
    document_append_json(&report->head, report->day, &text);
    if (buffer_ok(&text))
        document_append_compressed(buffer_span(&text), &report->compressed);
    const bool is_made = buffer_ok(&text) && buffer_ok(&report->compressed);
    buffer_release(&text);
    return is_made;
}

/* ---- by mail ---- */

static void append_date(struct buffer *out, uint64_t now_us)
{
    smtp_date_append(out, (int64_t)(now_us / MICROSECONDS_PER_SECOND), 0, span_empty());
}

static void append_header(const struct report *report, const struct intake_message *message,
                          struct span address, struct span boundary, uint64_t now_us,
                          struct buffer *out)
{
    const struct conf_reportd *settings = report->deliverer->settings;
    buffer_append_format(out, "Received: by %.*s (%.*s)\r\n\tid %s; ",
                         SPAN_PRINTF(settings->myhostname), SPAN_PRINTF(settings->mail_name),
                         message->queue_id);
    append_date(out, now_us);
    buffer_append_string(out, "\r\nDate: ");
    append_date(out, now_us);
    buffer_append_format(out, "\r\nFrom: <%.*s>\r\nTo: <%.*s>\r\nMessage-ID: <%s@%.*s>\r\n",
                         SPAN_PRINTF(settings->tlsrpt_sender), SPAN_PRINTF(address),
                         message->queue_id, SPAN_PRINTF(settings->myhostname));
    document_append_fields(&report->head, boundary, out);
    buffer_append_string(out, "\r\n");
}

static struct outcome commit(struct report *report, struct intake_message *message,
                             struct span address, struct span header,
                             const struct smtp_content_facts *facts, uint64_t now_us)
{
    struct deliverer *deliverer = report->deliverer;
    /* Nobody is told of a report that does not arrive: there is another one tomorrow. */
    const struct queue_recipient recipient = {.forward_path = address,
                                              .notify = QUEUE_NOTIFY_NEVER};
    const struct queue_envelope envelope = {
        .arrival_us = now_us,
        .origin = QUEUE_ORIGIN_BOUNCE,
        .reverse_path = deliverer->settings->tlsrpt_sender,
        .facts = {.size_bytes = facts->size_bytes,
                  .header_bytes = (uint32_t)header.length,
                  .longest_line_bytes = (uint32_t)facts->longest_line_bytes,
                  .received_count = 1},
        .flags = QUEUE_FLAG_NO_REPORT | QUEUE_FLAG_TLS_OPTIONAL,
    };
    struct addr_expansion expansion;
    const struct outcome outcome =
        intake_expand_recipient(message, &deliverer->addr, &recipient, envelope.reverse_path, 0,
                                &report->arena, clock_deadline_after(ADDRESS_WAIT_MS), &expansion);
    if (!outcome_is_ok(&outcome))
        return outcome;
    maillog_message_id(deliverer->log, intake_queue_id(message),
                       arena_format(&report->arena, "<%s@%.*s>", message->queue_id,
                                    SPAN_PRINTF(deliverer->settings->myhostname)));
    return intake_commit(message, &envelope, header, &report->arena,
                         clock_deadline_after(COMMIT_WAIT_MS));
}

static struct outcome write_message(struct report *report, struct intake_message *message,
                                    struct span address)
{
    const uint64_t now_us = clock_realtime_us();
    const struct span boundary = arena_format(&report->arena, "tlsrpt/%s", message->queue_id);
    struct smtp_content_facts facts;
    struct buffer header, body;
    struct outcome outcome = outcome_temporary(451, 3, 0, "out of memory");
    buffer_init(&header, &report->arena, HEADER_MAX_BYTES);
    buffer_init(&body, NULL, 2 * DOCUMENT_MAX_BYTES);
    if (boundary.bytes) {
        append_header(report, message, address, boundary, now_us, &header);
        document_append_body(&report->head, boundary, buffer_span(&report->compressed), &body);
    }
    if (boundary.bytes && buffer_ok(&header) && buffer_ok(&body)) {
        smtp_content_facts_init(&facts);
        smtp_content_facts_add(&facts, buffer_span(&header));
        smtp_content_facts_add(&facts, buffer_span(&body));
        smtp_content_facts_finish(&facts);
        intake_write_body(message, buffer_span(&body));
        outcome = commit(report, message, address, buffer_span(&header), &facts, now_us);
    }
    buffer_release(&body);
    return outcome;
}

static enum attempt send_mail(struct report *report, struct span uri, struct span *reason)
{
    struct intake_message message;
    struct outcome outcome;
    struct span address;
    if (tlsrpt_mailto_parse(uri, &report->arena, &address) != PARSE_OK) {
        *reason = SPAN("not one address");
        return ATTEMPT_HOPELESS;
    }
    if (intake_begin(&report->deliverer->intake, &message, clock_deadline_after(INTAKE_WAIT_MS),
                     &outcome)) {
        outcome = write_message(report, &message, address);
        intake_abandon(&message);
    }
    *reason = outcome.reason;
    return outcome_is_ok(&outcome) ? ATTEMPT_ACCEPTED : ATTEMPT_FAILED;
}

/* ---- by HTTPS ---- */

static enum attempt post(struct report *report, struct span uri, struct span *reason)
{
    const struct fetch_request request = {
        .kind = FETCH_TLS_REPORT,
        .target = uri,
        .content_type = SPAN("application/tlsrpt+gzip"),
        .body = buffer_span(&report->compressed),
        .timeout_ms = POST_TIMEOUT_MS,
    };
    struct fetch_answer answer = {.result = FETCH_UNAVAILABLE};
    if (request.body.length > FETCH_POST_MAX_BYTES) {
        *reason = SPAN("the report is too large for a POST");
        return ATTEMPT_HOPELESS;
    }
    fetch(&report->deliverer->fetch, &request, &report->arena, &answer);
    *reason = answer.reason;
    if (answer.result == FETCH_REFUSED)
        return ATTEMPT_HOPELESS;
    if (answer.result != FETCH_ANSWERED)
        return ATTEMPT_FAILED;
    *reason = arena_format(&report->arena, "HTTP status %u", (unsigned)answer.http_status);
    return answer.http_status / 100 == 2 ? ATTEMPT_ACCEPTED : ATTEMPT_FAILED;
}

/* ---- who wants it ---- */

static enum attempt try_uri(struct report *report, struct span uri)
{
    enum attempt attempt = ATTEMPT_HOPELESS;
    struct span reason = SPAN("neither mailto nor https");
    if (!make_document(report)) {
        attempt = ATTEMPT_HOPELESS;
        reason = SPAN("the report is too large");
    } else if (span_starts_with_ascii_nocase(uri, SPAN("mailto:"))) {
        attempt = send_mail(report, uri, &reason);
    } else if (span_starts_with_ascii_nocase(uri, SPAN("https:"))) {
        attempt = post(report, uri, &reason);
    }
    log_attempt(report, uri, attempt, reason);
    return attempt;
}

static enum deliver_result try_all(struct report *report, struct span uris)
{
    enum deliver_result result = DELIVER_DONE;
    struct span uri;
    for (unsigned i = 0; i < URIS_MAX && tlsrpt_record_next_uri(&uris, &uri); i++) {
        if (counters_has_place(report->day, uri))
            continue;
        switch (try_uri(report, uri)) {
        case ATTEMPT_ACCEPTED:
        case ATTEMPT_HOPELESS: /* not to be tried again */
            report->deliverer->on_place(report->deliverer->context, report->day, uri);
            break;
        case ATTEMPT_FAILED:
            result = DELIVER_LATER;
            break;
        }
    }
    return result;
}

static enum deliver_result find_and_try(struct report *report)
{
    struct dns_answer answer;
    struct span texts[TEXTS_MAX], uris;
    size_t count = 0;
    const struct span name =
        arena_format(&report->arena, "_smtp._tls.%.*s", SPAN_PRINTF(report->day->domain));
    if (!name.bytes || !fill_head(report))
        return DELIVER_LATER;
    dns_lookup(&report->deliverer->dns, name, DNS_TYPE_TXT, clock_deadline_after(DNS_WAIT_MS),
               &report->arena, &answer);
    if (answer.status == DNS_TEMPORARY)
        return DELIVER_LATER;
    for (size_t i = 0; i < answer.record_count && count < TEXTS_MAX; i++)
        if (answer.records[i].type == DNS_TYPE_TXT)
            texts[count++] = answer.records[i].data;
    if (tlsrpt_record_choose(texts, count, &uris) != PARSE_OK)
        return DELIVER_UNWANTED;
    return try_all(report, uris);
}

enum deliver_result deliver_report(struct deliverer *deliverer, struct counted_day *day)
{
    struct report report = {.deliverer = deliverer, .day = day};
    arena_init(&report.arena, ARENA_BYTES, 0);
    buffer_init(&report.compressed, NULL, DOCUMENT_MAX_BYTES);
    const enum deliver_result result = find_and_try(&report);
    buffer_release(&report.compressed);
    arena_destroy(&report.arena);
    return result;
}
