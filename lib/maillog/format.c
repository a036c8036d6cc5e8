/* maillog/format - see format.h. */
#include "maillog/format.h"

#include <stdio.h>

#include "queuefile/id.h"

enum { MICROSECONDS_PER_SECOND = 1000000, FACILITY_LOCAL0 = 16 };

bool log_facility_parse(struct span name, unsigned *facility)
{
    static const struct {
        const char *name;
        unsigned number;
    } rows[] = {
        {"kern", 0}, {"user", 1}, {"mail", 2}, {"daemon", 3},    {"auth", 4}, {"lpr", 6},
        {"news", 7}, {"uucp", 8}, {"cron", 9}, {"authpriv", 10}, {"ftp", 11},
    };
    const struct span local = SPAN("local");
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (span_equals(name, span_from_string(rows[i].name))) {
            *facility = rows[i].number;
            return true;
        }
    if (!span_starts_with(name, local) || name.length != local.length + 1 ||
        name.bytes[local.length] < '0' || name.bytes[local.length] > '7')
        return false;
    *facility = FACILITY_LOCAL0 + (unsigned)(name.bytes[local.length] - '0');
    return true;
}

void log_formatter_init(struct log_formatter *formatter, enum log_format format, unsigned facility,
                        struct span host)
{
    *formatter = (struct log_formatter){.format = format, .facility = facility, .known_second = -1};
    (void)snprintf(formatter->host, sizeof(formatter->host), "%.*s",
                   SPAN_PRINTF(span_first(host, sizeof(formatter->host) - 1)));
}

/* RFC 3164 section 4.1.2: English month names whatever the locale, the day padded by a space. */
static const char *time_text(struct log_formatter *formatter, uint64_t time_us)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const time_t second = (time_t)(time_us / MICROSECONDS_PER_SECOND);
    struct tm parts;
    if (second == formatter->known_second)
        return formatter->time_text;
    if (!localtime_r(&second, &parts))
        return "Jan  1 00:00:00";
    const size_t length =
        strftime(formatter->time_text, sizeof(formatter->time_text), "    %e %H:%M:%S", &parts);
    ASSERT(length == sizeof(formatter->time_text) - 1);
    memcpy(formatter->time_text, months[parts.tm_mon], 3);
    formatter->known_second = second;
    return formatter->time_text;
}

static void put_tag(const struct log_source *source, struct buffer *out)
{
    buffer_append_span(out, source->tag);
    buffer_append_byte(out, '[');
    buffer_append_decimal(out, source->process_id, 1);
    buffer_append_string(out, "]: ");
}

/* RFC 8259 section 7; the text has neither control characters nor anything but UTF-8 in it. */
static void put_json_string(const char *name, struct span value, struct buffer *out)
{
    buffer_append_format(out, "\"%s\":\"", name);
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] == '"' || value.bytes[i] == '\\')
            buffer_append_byte(out, '\\');
        buffer_append_byte(out, value.bytes[i]);
    }
    buffer_append_byte(out, '"');
}

/* "QID: text" and "warning: QID: text"; empty when there is none. */
static struct span queue_id_of(struct span text)
{
    struct span word, rest;
    const bool has_word = span_split_once(text, ':', &word, &rest);
    if (has_word && queue_id_is_valid(word))
        return word;
    if (!has_word || !span_split_once(span_trim_spaces(rest), ':', &word, &rest) ||
        !queue_id_is_valid(word))
        return span_empty();
    return word;
}

static void put_json(const struct log_formatter *formatter, const struct log_source *source,
                     const struct log_record *record, struct buffer *out)
{
    static const char *const levels[] = {
        [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info",   [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_ERROR] = "error", [LOG_LEVEL_FATAL] = "fatal",
    };
    const time_t second = (time_t)(record->time_us / MICROSECONDS_PER_SECOND);
    const struct span queue_id = queue_id_of(record->text);
    char date[32] = "1970-01-01T00:00:00";
    struct tm parts;
    if (gmtime_r(&second, &parts))
        (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
    buffer_append_format(out, "{\"time\":\"%s.%06uZ\",", date,
                         (unsigned)(record->time_us % MICROSECONDS_PER_SECOND));
    put_json_string("host", span_from_string(formatter->host), out);
    buffer_append_byte(out, ',');
    put_json_string("program", source->tag, out);
    buffer_append_format(out, ",\"pid\":%u,\"level\":\"%s\",", (unsigned)source->process_id,
                         levels[record->level]);
    if (!span_is_empty(queue_id)) {
        put_json_string("queue_id", queue_id, out);
        buffer_append_byte(out, ',');
    }
    put_json_string("message", record->text, out);
    buffer_append_string(out, "}\n");
}

void log_format_line(struct log_formatter *formatter, const struct log_source *source,
                     const struct log_record *record, struct buffer *out)
{
    static const unsigned severities[] = {
        [LOG_LEVEL_DEBUG] = 7, [LOG_LEVEL_INFO] = 6,  [LOG_LEVEL_WARNING] = 4,
        [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_FATAL] = 2,
    };
    if (formatter->format == LOG_FORMAT_JSON) {
        put_json(formatter, source, record, out);
        return;
    }
    if (formatter->format == LOG_FORMAT_SYSLOG) {
        buffer_append_byte(out, '<');
        buffer_append_decimal(out, formatter->facility * 8 + severities[record->level], 1);
        buffer_append_byte(out, '>');
    }
    buffer_append_string(out, time_text(formatter, record->time_us));
    buffer_append_byte(out, ' ');
    if (formatter->format == LOG_FORMAT_TEXT) {
        buffer_append_string(out, formatter->host);
        buffer_append_byte(out, ' ');
    }
    put_tag(source, out);
    buffer_append_span(out, record->text);
    buffer_append_byte(out, '\n');
}
