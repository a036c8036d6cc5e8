/* smtp/downgrade - see downgrade.h. */
#include "downgrade.h"

#include "base/ascii.h"

enum { QUOTED_LINE_BYTES = 76 /* RFC 2045 section 6.7, rule 5 */ };

static bool is_8bit(struct span bytes)
{
    return !ascii_is_all_ascii(bytes);
}

static void put(const struct downgrade *downgrade, struct span bytes)
{
    if (downgrade->write && bytes.length > 0)
        downgrade->write(downgrade->context, bytes);
}

/* ---- which parts ---- */

static size_t mark_of(const struct downgrade *downgrade)
{
    return downgrade->part < DOWNGRADE_PARTS_MAX ? downgrade->part : DOWNGRADE_PARTS_MAX - 1;
}

static void mark_part(struct downgrade *downgrade)
{
    const size_t mark = mark_of(downgrade);
    downgrade->has_8bit[mark / 8] |= (uint8_t)(1u << (mark % 8));
}

static bool is_marked(const struct downgrade *downgrade)
{
    const size_t mark = mark_of(downgrade);
    return (downgrade->has_8bit[mark / 8] >> (mark % 8) & 1) != 0;
}

/* ---- quoted-printable ---- */

static void put_encoded(struct downgrade *downgrade, const uint8_t *bytes, size_t length)
{
    if (downgrade->column + length > QUOTED_LINE_BYTES - 1) { /* room for the "=" of a soft break */
        put(downgrade, SPAN("=\r\n"));
        downgrade->column = 0;
    }
    put(downgrade, span_of(bytes, length));
    downgrade->column += length;
}

static void put_as_hexadecimal(struct downgrade *downgrade, uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t text[3] = {'=', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
    put_encoded(downgrade, text, sizeof(text));
}

/* Space at the end of a line would get lost on the way (rule 3): it is held until more follows. */
static void release_space(struct downgrade *downgrade, bool is_line_end)
{
    const uint8_t space = downgrade->held_space;
    downgrade->held_space = 0;
    if (space && is_line_end)
        put_as_hexadecimal(downgrade, space);
    else if (space)
        put_encoded(downgrade, &space, 1);
}

static void encode(struct downgrade *downgrade, struct span piece, bool has_line_end)
{
    const struct span text = span_first(piece, piece.length - (has_line_end ? 2 : 0));
    for (size_t i = 0; i < text.length; i++) {
        const uint8_t byte = text.bytes[i];
        release_space(downgrade, false);
        if (byte == ' ' || byte == '\t')
            downgrade->held_space = byte;
        else if (ascii_is_print(byte) && byte != '=')
            put_encoded(downgrade, &byte, 1);
        else
            put_as_hexadecimal(downgrade, byte);
    }
    if (has_line_end) {
        release_space(downgrade, true);
        put(downgrade, SPAN("\r\n"));
        downgrade->column = 0;
    }
}

/* ---- the header of a part ---- */

static struct span field_value(const uint8_t *bytes, size_t length)
{
    const struct span field = span_of(bytes, length);
    return span_after(field, span_find_byte(field, ':') + 1);
}

/* The next token, quoted string or single character of a structured field; comments are skipped.
 * False at the end. */
static bool next_token(struct span *rest, struct span *token)
{
    static const char separators[] = "()<>@,;:\\\"/[]?= \t\r\n";
    size_t depth = 0, length = 0;
    while (rest->length > 0) { /* white space and comments */
        const uint8_t byte = rest->bytes[0];
        if (byte == '(')
            depth++;
        else if (byte == ')' && depth > 0)
            depth--;
        else if (byte == '\\' && depth > 0)
            *rest = span_after(*rest, 1);
        else if (!ascii_is_space(byte) && depth == 0)
            break;
        *rest = span_after(*rest, 1);
    }
    if (rest->length == 0)
        return false;
    if (rest->bytes[0] == '"') {
        length = 1 + span_find_byte(span_after(*rest, 1), '"');
        *token = span_between(*rest, 1, length);
        *rest = span_after(*rest, length + 1);
        return true;
    }
    while (length < rest->length &&
           !span_byte_is_one_of(*rest, length, separators, sizeof(separators) - 1))
        length++;
    *token = span_first(*rest, length ? length : 1);
    *rest = span_after(*rest, token->length);
    return true;
}

static enum downgrade_encoding said_encoding(const struct downgrade *downgrade)
{
    struct span rest = field_value(downgrade->encoding_field, downgrade->encoding_length), token;
    if (downgrade->encoding_length == 0)
        return DOWNGRADE_NOT_SAID;
    if (!next_token(&rest, &token) || span_equals_ascii_nocase(token, SPAN("7bit")))
        return DOWNGRADE_7BIT;
    if (span_equals_ascii_nocase(token, SPAN("8bit")) ||
        span_equals_ascii_nocase(token, SPAN("binary")))
        return DOWNGRADE_8BIT;
    return DOWNGRADE_ENCODED;
}

/* Puts the boundary on the stack; false when there is none, or no room. */
static bool push_boundary(struct downgrade *downgrade, struct span rest, bool is_digest)
{
    struct span token, value;
    while (next_token(&rest, &token)) {
        if (!span_equals_ascii_nocase(token, SPAN("boundary")))
            continue;
        if (!next_token(&rest, &token) || !span_equals(token, SPAN("=")) ||
            !next_token(&rest, &value) || value.length == 0 ||
            value.length > DOWNGRADE_BOUNDARY_MAX_BYTES || downgrade->depth == DOWNGRADE_DEPTH_MAX)
            return false;
        memcpy(downgrade->stack[downgrade->depth].boundary, value.bytes, value.length);
        downgrade->stack[downgrade->depth].length = (uint8_t)value.length;
        downgrade->stack[downgrade->depth].is_digest = is_digest;
        downgrade->depth++;
        return true;
    }
    return false;
}

static enum downgrade_kind find_kind(struct downgrade *downgrade, enum downgrade_encoding encoding)
{
    struct span rest = field_value(downgrade->type_field, downgrade->type_length);
    struct span type, subtype, slash;
    const bool is_in_digest = !downgrade->is_message_header && downgrade->depth > 0 &&
                              downgrade->stack[downgrade->depth - 1].is_digest;
    bool is_message = downgrade->type_length == 0 && is_in_digest;
    if (encoding == DOWNGRADE_ENCODED)
        return DOWNGRADE_LEAF; /* RFC 2045 section 6.4 forbids it for these kinds */
    if (next_token(&rest, &type) && next_token(&rest, &slash) && next_token(&rest, &subtype)) {
        if (span_equals_ascii_nocase(type, SPAN("multipart")) &&
            push_boundary(downgrade, rest, span_equals_ascii_nocase(subtype, SPAN("digest"))))
            return DOWNGRADE_MULTIPART;
        is_message |= span_equals_ascii_nocase(type, SPAN("message")) &&
                      span_equals_ascii_nocase(subtype, SPAN("rfc822"));
    }
    if (!is_message || downgrade->message_depth == DOWNGRADE_DEPTH_MAX)
        return DOWNGRADE_LEAF;
    downgrade->message_depth++;
    return DOWNGRADE_MESSAGE;
}

static void begin_header(struct downgrade *downgrade, bool is_message_header)
{
    downgrade->is_in_header = true;
    downgrade->is_message_header = is_message_header;
    downgrade->has_mime_version = false;
    downgrade->field = DOWNGRADE_OTHER_FIELD;
    downgrade->type_length = downgrade->encoding_length = 0;
    downgrade->is_between_parts = downgrade->is_encoding = false;
    downgrade->column = 0;
    downgrade->held_space = 0;
}

static void end_header(struct downgrade *downgrade)
{
    const enum downgrade_encoding encoding = said_encoding(downgrade);
    const enum downgrade_kind kind = find_kind(downgrade, encoding);
    downgrade->is_in_header = false;
    downgrade->is_between_parts = kind == DOWNGRADE_MULTIPART;
    downgrade->is_encoding =
        kind == DOWNGRADE_LEAF && encoding != DOWNGRADE_ENCODED && is_marked(downgrade);
    if (downgrade->is_encoding) {
        /* RFC 1428 section 3 has the words for text of which nobody said what it is. */
        if (downgrade->is_message_header && !downgrade->has_mime_version)
            put(downgrade, SPAN("MIME-Version: 1.0\r\n"));
        if (downgrade->is_message_header && downgrade->type_length == 0)
            put(downgrade, SPAN("Content-Type: text/plain; charset=unknown-8bit\r\n"));
        put(downgrade, SPAN("Content-Transfer-Encoding: quoted-printable\r\n"));
    } else if (encoding == DOWNGRADE_8BIT) {
        put(downgrade, SPAN("Content-Transfer-Encoding: 7bit\r\n"));
    } else {
        put(downgrade, span_of(downgrade->encoding_field, downgrade->encoding_length));
    }
}

static void append_to_field(uint8_t *field, size_t *length, struct span piece)
{
    const size_t room = DOWNGRADE_FIELD_MAX_BYTES - *length;
    const size_t count = piece.length < room ? piece.length : room;
    memcpy(field + *length, piece.bytes, count);
    *length += count;
}

static bool is_field_line(struct span line)
{
    const size_t colon = span_find_byte(line, ':');
    for (size_t i = 0; i < colon; i++)
        if (line.bytes[i] <= ' ' || line.bytes[i] >= 0x7f)
            return false;
    return colon > 0 && colon < line.length;
}

/* A whole line, or a piece of one that does not begin it. */
static void add_header_piece(struct downgrade *downgrade, struct span piece, bool is_line_start)
{
    const bool is_continued = !is_line_start || span_byte_is_one_of(piece, 0, " \t", 2);
    if (!is_continued) {
        downgrade->field = DOWNGRADE_OTHER_FIELD;
        if (span_starts_with_ascii_nocase(piece, SPAN("content-type:")) &&
            downgrade->type_length == 0)
            downgrade->field = DOWNGRADE_TYPE_FIELD;
        else if (span_starts_with_ascii_nocase(piece, SPAN("content-transfer-encoding:")) &&
                 downgrade->encoding_length == 0)
            downgrade->field = DOWNGRADE_ENCODING_FIELD;
        else if (span_starts_with_ascii_nocase(piece, SPAN("mime-version:")))
            downgrade->has_mime_version = true;
    }
    if (downgrade->field == DOWNGRADE_ENCODING_FIELD) {
        append_to_field(downgrade->encoding_field, &downgrade->encoding_length, piece);
        return;
    }
    if (downgrade->field == DOWNGRADE_TYPE_FIELD)
        append_to_field(downgrade->type_field, &downgrade->type_length, piece);
    put(downgrade, piece);
}

/* ---- bodies ---- */

/* Is the line a delimiter (RFC 2046 section 5.1.1) of this or an enclosing multipart? Then goes
 * there, and begins the next part or what follows the last. */
static bool take_delimiter(struct downgrade *downgrade, struct span line)
{
    if (!span_starts_with(line, SPAN("--")))
        return false;
    for (size_t level = downgrade->depth; level-- > 0;) {
        const struct span boundary =
            span_of(downgrade->stack[level].boundary, downgrade->stack[level].length);
        struct span rest = span_after(line, 2);
        if (!span_starts_with(rest, boundary))
            continue;
        rest = span_after(rest, boundary.length);
        const bool is_last = span_starts_with(rest, SPAN("--"));
        rest = span_after(rest, is_last ? 2 : 0);
        while (span_byte_is_one_of(rest, 0, " \t\r\n", 4))
            rest = span_after(rest, 1);
        if (!span_is_empty(rest))
            continue;
        if (downgrade->is_in_header)
            end_header(downgrade);
        put(downgrade, line);
        downgrade->part++;
        downgrade->depth = is_last ? level : level + 1;
        begin_header(downgrade, false);
        if (is_last) {
            downgrade->is_in_header = false;
            downgrade->is_between_parts = true;
        }
        return true;
    }
    return false;
}

/* What stands around parts is shown to nobody. */
static void put_filler(struct downgrade *downgrade, struct span piece)
{
    uint8_t bytes[DOWNGRADE_PIECE_BYTES];
    for (size_t i = 0; i < piece.length; i++)
        bytes[i] = piece.bytes[i] < 0x80 ? piece.bytes[i] : '?';
    put(downgrade, span_of(bytes, piece.length));
}

static void add_body_piece(struct downgrade *downgrade, struct span piece, bool has_line_end)
{
    if (downgrade->is_between_parts) {
        put_filler(downgrade, piece);
        return;
    }
    if (!downgrade->write && is_8bit(piece))
        mark_part(downgrade);
    if (downgrade->is_encoding && downgrade->write)
        encode(downgrade, piece, has_line_end);
    else
        put(downgrade, piece);
}

static void end_of_header_line(struct downgrade *downgrade, struct span line)
{
    const size_t message_depth = downgrade->message_depth;
    end_header(downgrade);
    put(downgrade, line);
    if (downgrade->message_depth > message_depth) {
        downgrade->part++;
        begin_header(downgrade, true);
    }
}

/* ---- lines ---- */

static void add_piece(struct downgrade *downgrade, struct span piece, bool has_line_end)
{
    const bool is_line_start = !downgrade->is_within_line;
    downgrade->is_within_line = !has_line_end;
    if (is_line_start && downgrade->depth > 0 && take_delimiter(downgrade, piece))
        return;
    if (!downgrade->is_in_header) {
        add_body_piece(downgrade, piece, has_line_end);
    } else if (is_line_start && span_equals(piece, SPAN("\r\n"))) {
        end_of_header_line(downgrade, piece);
    } else if (is_line_start && !span_byte_is_one_of(piece, 0, " \t", 2) && !is_field_line(piece)) {
        end_of_header_line(downgrade, span_empty()); /* without an empty line */
        if (!downgrade->is_in_header)
            add_body_piece(downgrade, piece, has_line_end);
        else
            put(downgrade, piece);
    } else {
        add_header_piece(downgrade, piece, is_line_start);
    }
}

void downgrade_start(struct downgrade *downgrade)
{
    memset(downgrade, 0, sizeof(*downgrade));
    begin_header(downgrade, true);
}

void downgrade_restart(struct downgrade *downgrade, void (*write)(void *context, struct span bytes),
                       void *context)
{
    uint8_t has_8bit[sizeof(downgrade->has_8bit)];
    memcpy(has_8bit, downgrade->has_8bit, sizeof(has_8bit));
    downgrade_start(downgrade);
    memcpy(downgrade->has_8bit, has_8bit, sizeof(has_8bit));
    downgrade->write = write;
    downgrade->context = context;
}

/* Hands on what is collected, but for a CR whose LF may still come. */
static void flush_piece(struct downgrade *downgrade, bool has_line_end)
{
    const bool keeps_cr = !has_line_end && downgrade->piece_length > 1 &&
                          downgrade->piece[downgrade->piece_length - 1] == '\r';
    const size_t length = downgrade->piece_length - keeps_cr;
    add_piece(downgrade, span_of(downgrade->piece, length), has_line_end);
    if (keeps_cr)
        downgrade->piece[0] = '\r';
    downgrade->piece_length = keeps_cr;
}

void downgrade_add(struct downgrade *downgrade, struct span content)
{
    for (size_t i = 0; i < content.length; i++) {
        const uint8_t byte = content.bytes[i];
        downgrade->piece[downgrade->piece_length++] = byte;
        const bool has_line_end = byte == '\n' && downgrade->piece_length > 1 &&
                                  downgrade->piece[downgrade->piece_length - 2] == '\r';
        if (has_line_end || downgrade->piece_length == DOWNGRADE_PIECE_BYTES)
            flush_piece(downgrade, has_line_end);
    }
}

void downgrade_finish(struct downgrade *downgrade)
{
    if (downgrade->piece_length > 0)
        add_piece(downgrade, span_of(downgrade->piece, downgrade->piece_length), false);
    downgrade->piece_length = 0;
    if (downgrade->is_in_header)
        end_header(downgrade);
    if (downgrade->is_encoding && downgrade->write)
        release_space(downgrade, true);
}
