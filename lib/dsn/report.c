/* dsn/report - see report.h. */
#include "dsn/report.h"

#include "base/ascii.h"
#include "dsn/text_private.h"
#include "dsn/xtext.h"
#include "smtp/date.h"

enum { DECODED_MAX_BYTES = 1024, PARAGRAPH_MAX_BYTES = 16384, REASON_INDENT = 4 };

bool dsn_is_utf8(const struct dsn_report *report)
{
    if (report->is_original_smtputf8 || !ascii_is_all_ascii(report->to) ||
        !ascii_is_all_ascii(report->original_sender))
        return true;
    for (size_t i = 0; i < report->recipient_count; i++)
        if (!ascii_is_all_ascii(report->recipients[i].final_recipient) ||
            !ascii_is_all_ascii(report->recipients[i].original_recipient))
            return true;
    return false;
}

bool dsn_is_8bit(const struct dsn_report *report)
{
    return report->is_original_8bit || dsn_is_utf8(report);
}

static void put_date(struct buffer *out, const struct dsn_report *report, const char *name,
                     int64_t time_s)
{
    if (time_s == 0)
        return;
    buffer_append_format(out, "%s: ", name);
    smtp_date_append(out, time_s, report->offset_minutes, report->zone_name);
    buffer_append_string(out, "\r\n");
}

/* These subjects are what bounce processors have looked for since long. */
static const char *subject_of(const struct dsn_report *report)
{
    if (report->is_postmaster_copy)
        return report->kind == DSN_DELAY ? "Postmaster Warning: Delayed Mail"
                                         : "Postmaster Copy: Undelivered Mail";
    switch (report->kind) {
    case DSN_DELAY:
        return "Delayed Mail (still being retried)";
    case DSN_SUCCESS:
        return "Successful Mail Delivery Report";
    case DSN_VERIFY:
        return "Mail Delivery Status Report";
    default:
        return "Undelivered Mail Returned to Sender";
    }
}

static void put_address_field(struct buffer *out, const char *name, struct span address)
{
    buffer_append_format(out, "%s <", name);
    dsn_put_clean(out, address, true);
    buffer_append_string(out, ">\r\n");
}

void dsn_append_header(const struct dsn_report *report, struct buffer *out)
{
    put_date(out, report, "Date", report->now_s);
    put_address_field(out, "From: Mail Delivery System", report->from);
    put_address_field(out, "To:", report->to);
    dsn_put_field(out, "Subject", span_from_string(subject_of(report)), false);
    put_address_field(out, "Message-ID:", report->message_id);
    if (!span_is_empty(report->original_message_id)) {
        dsn_put_field(out, "In-Reply-To", report->original_message_id, true);
        dsn_put_field(out, "References", report->original_message_id, true);
    }
    /* RFC 3834 section 5: nobody's machine should answer this. */
    buffer_append_string(out, "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: multipart/report; report-type=delivery-status;\r\n"
                              " boundary=\"");
    buffer_append_span(out, report->boundary);
    buffer_append_string(out, "\"\r\n");
    if (dsn_is_8bit(report))
        buffer_append_string(out, "Content-Transfer-Encoding: 8bit\r\n");
}

static void put_part(const struct dsn_report *report, struct buffer *out, const char *description,
                     const char *type, bool is_8bit)
{
    buffer_append_string(out, "\r\n--");
    buffer_append_span(out, report->boundary);
    buffer_append_format(out, "\r\nContent-Description: %s\r\nContent-Type: %s\r\n%s\r\n",
                         description, type, is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static const char *explanation_of(const struct dsn_report *report)
{
    if (report->kind == DSN_DELAY)
        return "This is only a warning; you need not send your message again. It has not yet "
               "reached the recipients below. It stays here and will be tried again.";
    if (report->kind == DSN_SUCCESS)
        return "You asked to be told: your message reached the recipients below, or a system "
               "that sends no such reports.";
    if (report->kind == DSN_VERIFY)
        return "You asked what becomes of mail to the recipients below. This is what the first "
               "attempt came to.";
    if (report->is_postmaster_copy)
        return "Mail from the sender below could not be delivered. This copy is for the "
               "postmaster's information.";
    return "Your message could not be delivered to the recipients below, and it will not be "
           "tried again. The reason stands beside each address; where another server gave "
           "one, its own words are repeated.";
}

static void put_recipient_text(const struct dsn_recipient *recipient, struct buffer *out,
                               bool is_utf8)
{
    struct buffer text;
    buffer_init(&text, NULL, PARAGRAPH_MAX_BYTES);
    buffer_append_byte(&text, '<');
    buffer_append_span(&text, recipient->final_recipient);
    buffer_append_byte(&text, '>');
    if (!span_is_empty(recipient->original_recipient) &&
        !span_equals(recipient->original_recipient, recipient->final_recipient)) {
        buffer_append_string(&text, " (named in your message as <");
        buffer_append_span(&text, recipient->original_recipient);
        buffer_append_string(&text, ">)");
    }
    buffer_append_string(&text, ": ");
    buffer_append_span(&text, recipient->reason);
    if (!buffer_ok(&text))
        out->has_failed = true;
    dsn_put_paragraph(out, buffer_span(&text), REASON_INDENT, is_utf8);
    buffer_append_string(out, "\r\n");
    buffer_release(&text);
}

static void put_text(const struct dsn_report *report, struct buffer *out, bool is_utf8)
{
    buffer_append_string(out, "This is the mail server ");
    buffer_append_span(out, report->reporting_mta);
    buffer_append_string(out, ".\r\n\r\n");
    dsn_put_paragraph(out, span_from_string(explanation_of(report)), 0, false);
    buffer_append_string(out, "\r\n");
    if (!span_is_empty(report->postmaster)) {
        buffer_append_string(out, "If you need help, please forward this report to <");
        buffer_append_span(out, report->postmaster);
        buffer_append_string(out, ">.\r\n\r\n");
    }
    for (size_t i = 0; i < report->recipient_count; i++)
        put_recipient_text(&report->recipients[i], out, is_utf8);
}

/* Original-Envelope-Id and Original-Recipient show what xtext stood for (RFC 3464 sections 2.2.1
 * and 2.3.1); what is not xtext is shown as it came. */
static void put_decoded(struct buffer *out, const char *name, const char *type, struct span text,
                        bool is_utf8)
{
    struct buffer decoded;
    struct span shown = text;
    buffer_init(&decoded, NULL, DECODED_MAX_BYTES);
    if (xtext_decode(text, &decoded) == PARSE_OK)
        shown = buffer_span(&decoded);
    if (type)
        dsn_put_typed_field(out, name, type, shown, is_utf8);
    else
        dsn_put_field(out, name, shown, is_utf8);
    buffer_release(&decoded);
}

/* addr-type is an atom (RFC 3461 section 4.2); those registered have letters, digits and "-". */
static bool is_address_type(struct span type)
{
    for (size_t i = 0; i < type.length; i++)
        if (!ascii_is_alnum(type.bytes[i]) && type.bytes[i] != '-')
            return false;
    return type.length > 0;
}

static void put_original_recipient(const struct dsn_recipient *recipient, struct buffer *out,
                                   bool is_utf8)
{
    struct span type, address;
    char type_name[32];
    if (!span_split_once(recipient->orcpt, ';', &type, &address) || !is_address_type(type) ||
        type.length >= sizeof(type_name))
        return;
    memcpy(type_name, type.bytes, type.length);
    type_name[type.length] = '\0';
    put_decoded(out, "Original-Recipient", type_name, address, is_utf8);
}

/* RFC 3464 section 2.3.2, RFC 6533 section 4. */
static void put_final_recipient(const struct dsn_recipient *recipient, struct buffer *out,
                                bool is_utf8)
{
    const bool is_ascii = ascii_is_all_ascii(recipient->final_recipient);
    dsn_put_typed_field(out, "Final-Recipient", is_ascii ? "rfc822" : "utf-8",
                        recipient->final_recipient, is_utf8);
}

static void put_recipient_fields(const struct dsn_report *report,
                                 const struct dsn_recipient *recipient, struct buffer *out,
                                 bool is_utf8)
{
    static const char *const actions[DSN_ACTION_COUNT] = {
        [DSN_ACTION_FAILED] = "failed",
        [DSN_ACTION_DELAYED] = "delayed",
        [DSN_ACTION_DELIVERED] = "delivered",
        [DSN_ACTION_RELAYED] = "relayed",
        [DSN_ACTION_EXPANDED] = "expanded",
        [DSN_ACTION_DELIVERABLE] = "deliverable",
        [DSN_ACTION_UNDELIVERABLE] = "undeliverable",
    };
    buffer_append_string(out, "\r\n");
    put_original_recipient(recipient, out, is_utf8);
    put_final_recipient(recipient, out, is_utf8);
    buffer_append_format(out, "Action: %s\r\nStatus: %u.%u.%u\r\n", actions[recipient->action],
                         (unsigned)recipient->status.class, (unsigned)recipient->status.subject,
                         (unsigned)recipient->status.detail);
    dsn_put_typed_field(out, "Remote-MTA", "dns", recipient->remote_mta, is_utf8);
    if (span_is_empty(recipient->diagnostic))
        dsn_put_typed_field(out, "Diagnostic-Code", "X-Posthouse", recipient->reason, is_utf8);
    else
        dsn_put_typed_field(out, "Diagnostic-Code", "smtp", recipient->diagnostic, is_utf8);
    put_date(out, report, "Last-Attempt-Date", recipient->last_attempt_s);
    /* RFC 3464 section 2.3.9: only of what is delayed. */
    if (recipient->action == DSN_ACTION_DELAYED)
        put_date(out, report, "Will-Retry-Until", report->retry_until_s);
}

static void put_status(const struct dsn_report *report, struct buffer *out, bool is_utf8)
{
    const bool is_sender_ascii = ascii_is_all_ascii(report->original_sender);
    put_decoded(out, "Original-Envelope-Id", NULL, report->envid, is_utf8);
    dsn_put_typed_field(out, "Reporting-MTA", "dns", report->reporting_mta, is_utf8);
    dsn_put_field(out, "X-Posthouse-Queue-ID", report->queue_id, false);
    dsn_put_typed_field(out, "X-Posthouse-Sender", is_sender_ascii ? "rfc822" : "utf-8",
                        report->original_sender, is_utf8);
    put_date(out, report, "Arrival-Date", report->arrival_s);
    for (size_t i = 0; i < report->recipient_count; i++)
        put_recipient_fields(report, &report->recipients[i], out, is_utf8);
}

void dsn_append_notice(const struct dsn_report *report, struct buffer *out)
{
    const bool is_utf8 = dsn_is_utf8(report);
    const bool is_whole = report->returned == DSN_RETURN_MESSAGE;
    buffer_append_string(out, "This is a report in MIME format (RFC 3464).\r\n");
    put_part(report, out, "Notification",
             is_utf8 ? "text/plain; charset=utf-8" : "text/plain; charset=us-ascii", is_utf8);
    put_text(report, out, is_utf8);
    put_part(report, out, "Delivery report",
             is_utf8 ? "message/global-delivery-status" : "message/delivery-status", is_utf8);
    put_status(report, out, is_utf8);
    if (is_whole)
        put_part(report, out, report->kind == DSN_FAILURE ? "Undelivered Message" : "Message",
                 report->is_original_smtputf8 ? "message/global" : "message/rfc822",
                 report->is_original_8bit);
    else
        put_part(report, out,
                 report->kind == DSN_FAILURE ? "Undelivered Message Headers" : "Message Headers",
                 report->is_original_smtputf8 ? "message/global-headers" : "text/rfc822-headers",
                 report->is_original_8bit);
}

void dsn_append_end(const struct dsn_report *report, struct buffer *out)
{
    buffer_append_string(out, "\r\n--");
    buffer_append_span(out, report->boundary);
    buffer_append_string(out, "--\r\n");
}
