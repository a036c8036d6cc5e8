/* smtp/content - see content.h. */
#include "smtp/content.h"

void smtp_content_facts_init(struct smtp_content_facts *facts)
{
    *facts = (struct smtp_content_facts){.header_state = SMTP_HEADER_AT_LINE_START};
}

static bool has_high_byte(struct span content)
{
    /* Eight bytes a step; the compiler makes more of it. */
    uint64_t all = 0;
    size_t i = 0;
    for (; i + sizeof(all) <= content.length; i += sizeof(all)) {
        uint64_t word;
        memcpy(&word, content.bytes + i, sizeof(word));
        all |= word;
    }
    uint8_t rest = 0;
    for (; i < content.length; i++)
        rest |= content.bytes[i];
    return (all & UINT64_C(0x8080808080808080)) != 0 || (rest & 0x80) != 0;
}

static void note_line(struct smtp_content_facts *facts, uint64_t length)
{
    if (length > facts->longest_line_bytes)
        facts->longest_line_bytes = length;
}

/* offset: of content in the message. */
static void add_lines(struct smtp_content_facts *facts, struct span content, uint64_t offset)
{
    size_t at = 0;
    while (at < content.length) {
        if (offset + at == facts->line_start && content.bytes[at] == '.')
            facts->has_leading_dot = true;
        const size_t lf = at + span_find_byte(span_after(content, at), '\n');
        if (lf == content.length)
            break;
        const bool has_cr = lf > 0 ? content.bytes[lf - 1] == '\r' : facts->was_cr;
        note_line(facts, offset + lf - facts->line_start - (has_cr ? 1 : 0));
        at = lf + 1;
        facts->line_start = offset + at;
    }
    facts->was_cr = content.bytes[content.length - 1] == '\r';
}

static void end_header(struct smtp_content_facts *facts, uint64_t offset, bool has_separator)
{
    facts->header_state = SMTP_HEADER_DONE;
    facts->is_header_done = true;
    facts->header_bytes = offset;
    facts->has_separator = has_separator;
}

/* RFC 5322 section 3.6.8. */
static bool is_field_name_byte(uint8_t byte)
{
    return byte > 32 && byte < 127 && byte != ':';
}

/* The first byte of a line says what the line is. line_offset: where it stands in the message. */
static void begin_header_line(struct smtp_content_facts *facts, uint8_t byte, uint64_t line_offset)
{
    if (byte == '\r' || byte == '\n')
        end_header(facts, line_offset, true);
    else if ((byte == ' ' || byte == '\t') && facts->has_header_field)
        facts->header_state = SMTP_HEADER_IN_VALUE;
    else if (is_field_name_byte(byte))
        facts->header_state = SMTP_HEADER_IN_NAME;
    else
        end_header(facts, line_offset, false);
}

/* Runs before add_lines(), with a line start of its own: that one may lie in an earlier piece. */
static void add_header(struct smtp_content_facts *facts, struct span content, uint64_t offset)
{
    uint64_t line_offset = facts->line_start;
    for (size_t at = 0; at < content.length && facts->header_state != SMTP_HEADER_DONE; at++) {
        const uint8_t byte = content.bytes[at];
        switch (facts->header_state) {
        case SMTP_HEADER_AT_LINE_START:
            line_offset = offset + at;
            begin_header_line(facts, byte, line_offset);
            break;
        case SMTP_HEADER_IN_NAME:
        case SMTP_HEADER_AFTER_NAME:
            /* White space before the colon: RFC 5322 section 4.5. */
            if (byte == ':') {
                facts->header_state = SMTP_HEADER_IN_VALUE;
                facts->has_header_field = true;
            } else if (byte == ' ' || byte == '\t') {
                facts->header_state = SMTP_HEADER_AFTER_NAME;
            } else if (facts->header_state == SMTP_HEADER_AFTER_NAME || !is_field_name_byte(byte)) {
                end_header(facts, line_offset, false);
            }
            break;
        case SMTP_HEADER_IN_VALUE:
            at += span_find_byte(span_after(content, at), '\n');
            if (at < content.length)
                facts->header_state = SMTP_HEADER_AT_LINE_START;
            break;
        case SMTP_HEADER_DONE:
            break;
        }
    }
}

void smtp_content_facts_add(struct smtp_content_facts *facts, struct span content)
{
    if (content.length == 0)
        return;
    const uint64_t offset = facts->size_bytes;
    facts->size_bytes += content.length;
    if (facts->header_state != SMTP_HEADER_DONE)
        add_header(facts, content, offset);
    add_lines(facts, content, offset);
    size_t header_part = content.length;
    if (facts->is_header_done)
        header_part = facts->header_bytes > offset ? (size_t)(facts->header_bytes - offset) : 0;
    if (!facts->has_8bit_header && header_part)
        facts->has_8bit_header = has_high_byte(span_first(content, header_part));
    if (!facts->has_8bit_body && header_part < content.length)
        facts->has_8bit_body = has_high_byte(span_after(content, header_part));
    if (!facts->has_nul)
        facts->has_nul = span_find_byte(content, 0) < content.length;
}

void smtp_content_facts_finish(struct smtp_content_facts *facts)
{
    note_line(facts, facts->size_bytes - facts->line_start);
    if (!facts->is_header_done)
        end_header(facts,
                   facts->header_state == SMTP_HEADER_IN_NAME ||
                           facts->header_state == SMTP_HEADER_AFTER_NAME
                       ? facts->line_start
                       : facts->size_bytes,
                   false);
}
