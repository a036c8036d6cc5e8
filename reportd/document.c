/* reportd/document - see document.h. */
#include "document.h"

#define ZLIB_CONST /* what is compressed is only read */
#include <time.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/json.h"
#include "mtasts/policy.h"

enum { DAY_S = 86400, GZIP_WINDOW_BITS = 15 + 16, GZIP_MEMORY_LEVEL = 8, GZIP_SLACK_BYTES = 64 };

static struct tm date_of(uint32_t day)
{
    const time_t time_s = (time_t)day * DAY_S;
    struct tm parts;
    memset(&parts, 0, sizeof(parts));
    (void)gmtime_r(&time_s, &parts); /* days are below LINE_DAY_MAX */
    return parts;
}

/* ---- JSON ---- */

static void append_member(struct buffer *out, const char *name, struct span value)
{
    json_append_string(out, span_from_string(name));
    buffer_append_byte(out, ':');
    json_append_string(out, value);
}

/* With a comma before it; nothing when there is nothing to say. */
static void append_optional(struct buffer *out, const char *name, struct span value)
{
    if (span_is_empty(value))
        return;
    buffer_append_byte(out, ',');
    append_member(out, name, value);
}

static void append_count(struct buffer *out, const char *name, uint64_t count)
{
    buffer_append_format(out, "\"%s\":%llu", name, (unsigned long long)count);
}

/* A line each; the last LF ends a line. */
static void append_lines(struct buffer *out, struct span text)
{
    const char *separator = "";
    struct span line;
    buffer_append_byte(out, '[');
    while (!span_is_empty(text)) {
        (void)span_split_once(text, '\n', &line, &text);
        buffer_append_string(out, separator);
        json_append_string(out, line);
        separator = ",";
    }
    buffer_append_byte(out, ']');
}

static void append_patterns(struct buffer *out, struct span policy)
{
    const char *separator = "";
    struct span pattern;
    buffer_append_string(out, ",\"mx-host\":[");
    while (mtasts_policy_next_pattern(&policy, &pattern)) {
        buffer_append_string(out, separator);
        json_append_string(out, pattern);
        separator = ",";
    }
    buffer_append_byte(out, ']');
}

static void append_failure(struct buffer *out, const struct counted_kind *kind)
{
    const struct session_line *line = &kind->line;
    buffer_append_byte(out, '{');
    append_member(out, "result-type", span_from_string(tlsrpt_result_name(line->result)));
    append_optional(out, "sending-mta-ip", line->sending_ip);
    append_optional(out, "receiving-mx-hostname", line->receiving_host);
    append_optional(out, "receiving-mx-helo", line->receiving_helo);
    append_optional(out, "receiving-ip", line->receiving_ip);
    buffer_append_byte(out, ',');
    append_count(out, "failed-session-count", kind->count);
    append_optional(out, "failure-reason-code", line->reason);
    buffer_append_byte(out, '}');
}

static void append_summary(struct buffer *out, const struct counted_policy *policy)
{
    uint64_t success_count = 0, failure_count = 0;
    LIST_FOR_EACH (&policy->kinds, link) {
        const struct counted_kind *kind = LIST_ITEM(link, struct counted_kind, link);
        *(kind->line.result == TLSRPT_SUCCESS ? &success_count : &failure_count) += kind->count;
    }
    buffer_append_string(out, ",\"summary\":{");
    append_count(out, "total-successful-session-count", success_count);
    buffer_append_byte(out, ',');
    append_count(out, "total-failure-session-count", failure_count);
    buffer_append_byte(out, '}');
    if (failure_count == 0)
        return;
    const char *separator = ",\"failure-details\":[";
    LIST_FOR_EACH (&policy->kinds, link) {
        const struct counted_kind *kind = LIST_ITEM(link, struct counted_kind, link);
        if (kind->line.result == TLSRPT_SUCCESS)
            continue;
        buffer_append_string(out, separator);
        append_failure(out, kind);
        separator = ",";
    }
    buffer_append_byte(out, ']');
}

static void append_policy(struct buffer *out, const struct counted_policy *policy)
{
    buffer_append_string(out, "{\"policy\":{");
    append_member(out, "policy-type", span_from_string(tlsrpt_policy_type_name(policy->type)));
    if (policy->type != TLSRPT_NO_POLICY_FOUND) {
        buffer_append_string(out, ",\"policy-string\":");
        append_lines(out, policy->text);
    }
    append_optional(out, "policy-domain", policy->domain);
    if (policy->type == TLSRPT_STS)
        append_patterns(out, policy->text);
    buffer_append_byte(out, '}');
    append_summary(out, policy);
    buffer_append_byte(out, '}');
}

void document_append_json(const struct document_head *head, const struct counted_day *day,
                          struct buffer *out)
{
    const struct tm date = date_of(head->day);
    const char *separator = "";
    buffer_append_byte(out, '{');
    append_member(out, "organization-name", head->organization);
    buffer_append_format(out,
                         ",\"date-range\":{\"start-datetime\":\"%04d-%02d-%02dT00:00:00Z\","
                         "\"end-datetime\":\"%04d-%02d-%02dT23:59:59Z\"}",
                         date.tm_year + 1900, date.tm_mon + 1, date.tm_mday, date.tm_year + 1900,
                         date.tm_mon + 1, date.tm_mday);
    append_optional(out, "contact-info", head->contact);
    append_optional(out, "report-id", head->report_id);
    buffer_append_string(out, ",\"policies\":[");
    LIST_FOR_EACH (&day->policies, link) {
        buffer_append_string(out, separator);
        append_policy(out, LIST_ITEM(link, struct counted_policy, link));
        separator = ",";
    }
    buffer_append_string(out, "]}\n");
}

/* ---- compressed ---- */

void document_append_compressed(struct span text, struct buffer *out)
{
    z_stream stream;
    memset(&stream, 0, sizeof(stream));
    out->has_failed |= text.length > DOCUMENT_MAX_BYTES ||
                       deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW_BITS,
                                    GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK;
    if (!buffer_ok(out))
        return;
    const size_t room = deflateBound(&stream, (uLong)text.length) + GZIP_SLACK_BYTES;
    uint8_t *place = buffer_reserve(out, room);
    if (place) {
        stream.next_in = text.bytes;
        stream.avail_in = (uInt)text.length;
        stream.next_out = place;
        stream.avail_out = (uInt)room;
        if (deflate(&stream, Z_FINISH) == Z_STREAM_END)
            buffer_extend(out, room - stream.avail_out);
        else
            out->has_failed = true;
    }
    (void)deflateEnd(&stream); /* gives memory back */
}

/* ---- the message ---- */

void document_append_file_name(const struct document_head *head, struct buffer *out)
{
    const long long begin_s = (long long)head->day * DAY_S;
    buffer_append_format(out, "%.*s!%.*s!%lld!%lld.json.gz", SPAN_PRINTF(head->submitter),
                         SPAN_PRINTF(head->domain), begin_s, begin_s + DAY_S - 1);
}

void document_append_fields(const struct document_head *head, struct span boundary,
                            struct buffer *out)
{
    buffer_append_format(out,
                         "Subject: Report Domain: %.*s\r\n Submitter: %.*s\r\n"
                         " Report-ID: <%.*s>\r\n",
                         SPAN_PRINTF(head->domain), SPAN_PRINTF(head->submitter),
                         SPAN_PRINTF(head->report_id));
    buffer_append_format(out, "TLS-Report-Domain: %.*s\r\nTLS-Report-Submitter: %.*s\r\n",
                         SPAN_PRINTF(head->domain), SPAN_PRINTF(head->submitter));
    /* RFC 8460 section 3: delivered despite whatever is wrong with the receiver's TLS, which is
     * what the report is about (RFC 8689 section 5). */
    buffer_append_string(out, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\n");
    buffer_append_format(out,
                         "MIME-Version: 1.0\r\n"
                         "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
                         " boundary=\"%.*s\"\r\n",
                         SPAN_PRINTF(boundary));
}

static void append_base64(struct span bytes, struct buffer *out)
{
    enum { BYTES_PER_LINE = DOCUMENT_MEDIA_LINE_BYTES / 4 * 3 };
    for (; !span_is_empty(bytes); bytes = span_after(bytes, BYTES_PER_LINE)) {
        base64_encode(span_first(bytes, BYTES_PER_LINE), out);
        buffer_append_string(out, "\r\n");
    }
}

void document_append_body(const struct document_head *head, struct span boundary,
                          struct span compressed, struct buffer *out)
{
    const struct tm date = date_of(head->day);
    buffer_append_format(
        out,
        "This is a message in MIME format.\r\n\r\n--%.*s\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n"
        "This is a report on TLS sessions with the mail servers of %.*s\r\n"
        "on %04d-%02d-%02d (UTC), from %.*s.\r\n\r\n--%.*s\r\n"
        "Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment;\r\n filename=\"",
        SPAN_PRINTF(boundary), SPAN_PRINTF(head->domain), date.tm_year + 1900, date.tm_mon + 1,
        date.tm_mday, SPAN_PRINTF(head->submitter), SPAN_PRINTF(boundary));
    document_append_file_name(head, out);
    buffer_append_string(out, "\"\r\n\r\n");
    append_base64(compressed, out);
    buffer_append_format(out, "\r\n--%.*s--\r\n", SPAN_PRINTF(boundary));
}
