/* dsn/report - see report.h. */
#include "dsn/report.h"

#include <stdio.h>

#include "base/ascii.h"
#include "base/utf8.h"
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

/* Servers say why in the words of their country. */
static bool has_utf8_reason(const struct dsn_report *report)
{
    for (size_t i = 0; i < report->recipient_count; i++)
        if (!ascii_is_all_ascii(report->recipients[i].reason) &&
            utf8_is_valid(report->recipients[i].reason))
            return true;
    return false;
}

/* The text for people has its template's charset, and UTF-8 where ours is US-ASCII. */
static bool has_utf8_text(const struct dsn_report *report)
{
    const struct span charset = report->template->charset;
    return (dsn_is_utf8(report) || has_utf8_reason(report)) &&
           (span_equals_ascii_nocase(charset, SPAN("us-ascii")) ||
            span_equals_ascii_nocase(charset, SPAN("utf-8")));
}

bool dsn_is_8bit(const struct dsn_report *report)
{
    return report->is_original_8bit || dsn_is_utf8(report) || has_utf8_text(report) ||
           !ascii_is_all_ascii(report->template->body);
}

/* X-Posthouse-Queue-ID: mail_name where it can be part of a field's name (RFC 5322 section 3.6.8).
 */
static struct span name_in_fields(const struct dsn_report *report)
{
    const struct span name = report->mail_name;
    for (size_t i = 0; i < name.length; i++)
        if (!ascii_is_alnum(name.bytes[i]) && name.bytes[i] != '-')
            return SPAN("Posthouse");
    return name.length > 0 && name.length <= 32 ? name : SPAN("Posthouse");
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

static void put_address_field(struct buffer *out, const char *name, struct span address)
{
    buffer_append_format(out, "%s <", name);
    dsn_put_clean(out, address, true);
    buffer_append_string(out, ">\r\n");
}

/* "Phrase <address>", "address (comment)" or an address alone: the address gets its domain. */
static void put_from(const struct dsn_report *report, struct buffer *out)
{
    const struct span text = report->template->from;
    const size_t bracket = span_find_byte(text, '<');
    const size_t begin = bracket < text.length ? bracket + 1 : 0;
    size_t end = begin;
    while (end < text.length && !span_byte_is_one_of(text, end, "> (\t", 4))
        end++;
    const struct span address = span_between(text, begin, end);
    buffer_append_string(out, "From: ");
    dsn_put_clean(out, span_first(text, end), true);
    if (!span_is_empty(address) && span_find_byte(address, '@') == address.length) {
        buffer_append_byte(out, '@');
        dsn_put_clean(out, report->origin, true);
    }
    dsn_put_clean(out, span_after(text, end), true);
    buffer_append_string(out, "\r\n");
}

void dsn_append_header(const struct dsn_report *report, struct buffer *out)
{
    put_date(out, report, "Date", report->now_s);
    put_from(report, out);
    put_address_field(out, "To:", report->to);
    dsn_put_field(out, "Subject",
                  report->is_postmaster_copy ? report->template->postmaster_subject
                                             : report->template->subject,
                  false);
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

static bool is_expanded(const struct dsn_recipient *recipient)
{
    return !span_is_empty(recipient->original_recipient) &&
           !span_equals(recipient->original_recipient, recipient->final_recipient);
}

static void put_recipient_text(const struct dsn_recipient *recipient, struct buffer *out,
                               bool is_utf8)
{
    struct buffer text;
    buffer_init(&text, NULL, PARAGRAPH_MAX_BYTES);
    buffer_append_byte(&text, '<');
    buffer_append_span(&text, recipient->final_recipient);
    buffer_append_byte(&text, '>');
    if (is_expanded(recipient)) {
        buffer_append_string(&text, " (expanded from <");
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

/* The template's text stands as it is, but for its line ends. */
static void put_body(struct span body, struct buffer *out)
{
    while (!span_is_empty(body)) {
        const size_t end = span_find_byte(body, '\n');
        struct span line = span_first(body, end);
        if (span_ends_with(line, SPAN("\r")))
            line.length--;
        buffer_append_span(out, line);
        buffer_append_string(out, "\r\n");
        body = span_after(body, end + 1);
    }
}

static void put_text(const struct dsn_report *report, struct buffer *out, bool is_utf8)
{
    if (!report->is_postmaster_copy) { /* it speaks to the sender */
        put_body(report->template->body, out);
        buffer_append_string(out, "\r\n");
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

/* RFC 3464 section 2.3.1. What the sender wrote is known without ORCPT, too, if it came to us so.
 */
static void put_original_recipient(const struct dsn_recipient *recipient, struct buffer *out,
                                   bool is_utf8)
{
    struct span type, address;
    char type_name[32];
    if (span_is_empty(recipient->orcpt) && is_expanded(recipient))
        dsn_put_typed_field(out, "Original-Recipient",
                            ascii_is_all_ascii(recipient->original_recipient) ? "rfc822" : "utf-8",
                            recipient->original_recipient, is_utf8);
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
    char own[64];
    buffer_append_string(out, "\r\n");
    put_original_recipient(recipient, out, is_utf8);
    put_final_recipient(recipient, out, is_utf8);
    buffer_append_format(out, "Action: %s\r\nStatus: %u.%u.%u\r\n", actions[recipient->action],
                         (unsigned)recipient->status.class, (unsigned)recipient->status.subject,
                         (unsigned)recipient->status.detail);
    dsn_put_typed_field(out, "Remote-MTA", "dns", recipient->remote_mta, is_utf8);
    (void)snprintf(own, sizeof(own), "X-%.*s", SPAN_PRINTF(name_in_fields(report)));
    if (span_is_empty(recipient->diagnostic))
        dsn_put_typed_field(out, "Diagnostic-Code", own, recipient->reason, is_utf8);
    else
        dsn_put_typed_field(out, "Diagnostic-Code", "smtp", recipient->diagnostic, is_utf8);
    put_date(out, report, "Last-Attempt-Date", recipient->last_attempt_s);
    /* RFC 3464 section 2.3.9: only of what is delayed. */
    if (recipient->action == DSN_ACTION_DELAYED)
        put_date(out, report, "Will-Retry-Until", report->retry_until_s);
}

/* "X-Posthouse-SUFFIX: value" */
static void put_named_field(const struct dsn_report *report, struct buffer *out, const char *suffix,
                            const char *type, struct span value, bool is_utf8)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "X-%.*s-%s", SPAN_PRINTF(name_in_fields(report)), suffix);
    if (type)
        dsn_put_typed_field(out, name, type, value, is_utf8);
    else
        dsn_put_field(out, name, value, is_utf8);
}

static void put_status(const struct dsn_report *report, struct buffer *out, bool is_utf8)
{
    const bool is_sender_ascii = ascii_is_all_ascii(report->original_sender);
    put_decoded(out, "Original-Envelope-Id", NULL, report->envid, is_utf8);
    dsn_put_typed_field(out, "Reporting-MTA", "dns", report->reporting_mta, is_utf8);
    put_named_field(report, out, "Queue-ID", NULL, report->queue_id, false);
    put_named_field(report, out, "Sender", is_sender_ascii ? "rfc822" : "utf-8",
                    report->original_sender, is_utf8);
    put_date(out, report, "Arrival-Date", report->arrival_s);
    put_date(out, report, "Deliver-By-Date", report->deliver_by_s); /* RFC 2852 section 5 */
    if (!span_is_empty(report->release_request))                    /* RFC 4865 section 5.1.2 */
        dsn_put_field(out, "Future-Release-Request", report->release_request, false);
    for (size_t i = 0; i < report->recipient_count; i++)
        put_recipient_fields(report, &report->recipients[i], out, is_utf8);
}

static void put_text_part(const struct dsn_report *report, struct buffer *out)
{
    const bool is_utf8 = has_utf8_text(report);
    const struct span charset = is_utf8 ? SPAN("utf-8") : report->template->charset;
    char type[128];
    (void)snprintf(type, sizeof(type), "text/plain; charset=%.*s", SPAN_PRINTF(charset));
    put_part(report, out, "Notification", type,
             is_utf8 || !ascii_is_all_ascii(report->template->body));
    put_text(report, out, is_utf8);
}

void dsn_append_notice(const struct dsn_report *report, struct buffer *out)
{
    const bool is_utf8 = dsn_is_utf8(report);
    const bool is_whole = report->returned == DSN_RETURN_MESSAGE;
    buffer_append_string(out, "This is a report in MIME format (RFC 3464).\r\n");
    put_text_part(report, out);
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
