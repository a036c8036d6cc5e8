/* smtp/reply - see reply.h. */
#include "smtp/reply.h"

#include "base/ascii.h"

/* One line of a reply with everything in it but the CRLF that the caller has made room for. */
static void append_line(struct buffer *output, uint16_t code, const struct enhanced_status *status,
                        struct span line, bool is_last)
{
    const size_t start = output->length;
    buffer_append_decimal(output, code, 3);
    buffer_append_byte(output, is_last ? ' ' : '-');
    if (status) {
        enhanced_status_put(output, *status);
        buffer_append_byte(output, ' ');
    }
    if (!buffer_ok(output))
        return;
    const size_t room = SMTP_REPLY_LINE_MAX_BYTES - 2 - (output->length - start);
    line = span_first(line, room);
    uint8_t *bytes = buffer_reserve(output, line.length + 2);
    if (!bytes)
        return;
    for (size_t i = 0; i < line.length; i++)
        bytes[i] = line.bytes[i] < 0x20 || line.bytes[i] == 0x7f ? '?' : line.bytes[i];
    bytes[line.length] = '\r';
    bytes[line.length + 1] = '\n';
    buffer_extend(output, line.length + 2);
}

void smtp_reply_append(struct buffer *output, uint16_t code, const struct enhanced_status *status,
                       struct span text)
{
    bool has_more = true;
    while (has_more) {
        struct span line;
        has_more = span_split_once(text, '\n', &line, &text);
        append_line(output, code, status, line, !has_more);
    }
}

/* The code that begins a line, or 0. */
static uint16_t take_code(struct span line)
{
    if (line.length < 3 || line.bytes[0] < '2' || line.bytes[0] > '5' ||
        !ascii_is_digit(line.bytes[1]) || !ascii_is_digit(line.bytes[2]))
        return 0;
    return (uint16_t)((line.bytes[0] - '0') * 100 + (line.bytes[1] - '0') * 10 +
                      (line.bytes[2] - '0'));
}

static void append_text(struct buffer *text, struct span line)
{
    for (size_t i = 0; i < line.length; i++)
        buffer_append_byte(text,
                           line.bytes[i] < 0x20 || line.bytes[i] == 0x7f ? '?' : line.bytes[i]);
}

bool smtp_reply_is_continued(struct span input, size_t *line_bytes)
{
    const size_t end = span_find_byte(input, '\n');
    *line_bytes = end < input.length ? end + 1 : 0;
    return *line_bytes > 3 && take_code(input) && input.bytes[3] == '-';
}

bool smtp_reply_is_noise(struct span input, size_t *line_bytes)
{
    const size_t end = span_find_byte(input, '\n');
    *line_bytes = end < input.length ? end + 1 : 0;
    return *line_bytes > 0 && !(*line_bytes > 3 && ascii_is_digit(input.bytes[0]) &&
                                ascii_is_digit(input.bytes[1]) && ascii_is_digit(input.bytes[2]));
}

/* One complete line without its line end, in *line. */
static enum parse_result take_line(struct span *rest, bool accept_bare_lf, struct span *line)
{
    const size_t end = span_find_byte(*rest, '\n');
    if (end == rest->length)
        return PARSE_NEED_MORE;
    *line = span_first(*rest, end);
    *rest = span_after(*rest, end + 1);
    if (line->length && line->bytes[line->length - 1] == '\r')
        line->length--;
    else if (!accept_bare_lf)
        return PARSE_MALFORMED;
    return PARSE_OK;
}

enum parse_result smtp_reply_parse(struct span input, bool accept_bare_lf, struct arena *arena,
                                   struct smtp_reply *reply, size_t *consumed_bytes)
{
    const struct span window = span_first(input, SMTP_REPLY_READ_MAX_BYTES);
    struct smtp_reply parsed = {.code = 0};
    struct span rest = window;
    bool is_last = false;

    /* Form first: every line is looked at before anything is stored. */
    while (!is_last) {
        struct span line;
        const enum parse_result result = take_line(&rest, accept_bare_lf, &line);
        if (result == PARSE_NEED_MORE)
            return window.length == SMTP_REPLY_READ_MAX_BYTES ? PARSE_TOO_LONG : PARSE_NEED_MORE;
        if (result != PARSE_OK)
            return result;
        /* RFC 5321 section 4.2: text and space may be missing; 4.2.1: the same code on every line.
         * Where they differ the last one counts, but not if one says yes and another no. */
        const uint16_t code = take_code(line);
        if (code == 0 || (parsed.code && code / 100 != parsed.code / 100) ||
            (line.length > 3 && line.bytes[3] != ' ' && line.bytes[3] != '-'))
            return PARSE_MALFORMED;
        parsed.code = code;
        parsed.line_count++;
        is_last = line.length == 3 || line.bytes[3] == ' ';
    }
    parsed.lines = span_first(window, window.length - rest.length);

    struct buffer text;
    buffer_init(&text, arena, parsed.lines.length);
    rest = parsed.lines;
    for (size_t i = 0; i < parsed.line_count; i++) {
        struct span line;
        if (take_line(&rest, accept_bare_lf, &line) != PARSE_OK)
            return PARSE_MALFORMED;
        line = span_after(line, 4);
        size_t status_length;
        struct enhanced_status status;
        if (enhanced_status_parse(line, &status, &status_length) &&
            (status_length == line.length || line.bytes[status_length] == ' ')) {
            parsed.status = status;
            parsed.has_status = true;
            line = span_after(line, status_length + 1);
        }
        if (i > 0)
            buffer_append_byte(&text, ' ');
        append_text(&text, line);
    }
    if (!buffer_ok(&text))
        return PARSE_TOO_LONG;
    parsed.text = buffer_span(&text);
    *reply = parsed;
    *consumed_bytes = parsed.lines.length;
    return PARSE_OK;
}

struct outcome smtp_reply_outcome(const struct smtp_reply *reply)
{
    const enum outcome_kind kind = reply->code >= 500                        ? OUTCOME_PERMANENT
                                   : reply->code < 400 && reply->code >= 200 ? OUTCOME_OK
                                                                             : OUTCOME_TEMPORARY;
    struct outcome outcome = outcome_make(kind, reply->code, 0, 0, reply->text);
    if (reply->has_status && reply->status.class == outcome.status.class)
        outcome.status = reply->status;
    return outcome;
}
