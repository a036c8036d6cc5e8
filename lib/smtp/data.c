/* smtp/data - see data.h. */
#include "smtp/data.h"

#include "base/ascii.h"
#include "base/number.h"

static struct span take(struct span *input, size_t count)
{
    const struct span taken = span_first(*input, count);
    *input = span_after(*input, count);
    return taken;
}

/* How far the content reaches from within a line without a break: to the end of the input, to a
 * CR that ends it, to a line that begins with a dot, or to what has to be repaired. */
static size_t scan_lines(struct smtp_data_decoder *decoder, struct span input)
{
    size_t at = 0;
    for (;;) {
        const size_t cr = at + span_find_byte(span_after(input, at), '\r');
        const struct span segment = span_between(input, at, cr);
        const size_t bare_lf = span_find_byte(segment, '\n');
        if (bare_lf < segment.length) {
            decoder->has_bare_lf = true;
            if (decoder->repairs & SMTP_DATA_REPAIR_LF) {
                decoder->state = SMTP_DATA_AT_BARE_LF;
                return at + bare_lf;
            }
        }
        if (cr == input.length) {
            decoder->state = SMTP_DATA_IN_LINE;
            return cr;
        }
        if (cr + 1 == input.length) {
            decoder->state = SMTP_DATA_AFTER_CR;
            return cr;
        }
        if (input.bytes[cr + 1] != '\n') {
            decoder->has_bare_cr = true;
            if (decoder->repairs & SMTP_DATA_REPAIR_CR) {
                decoder->state = SMTP_DATA_AT_BARE_CR;
                return cr;
            }
            at = cr + 1;
            continue;
        }
        at = cr + 2;
        if (at == input.length || input.bytes[at] == '.') {
            decoder->state = SMTP_DATA_AT_LINE_START;
            return at;
        }
    }
}

/* The rest of the line, and maybe lines behind it. */
static struct span take_lines(struct smtp_data_decoder *decoder, struct span *input)
{
    const struct span content = take(input, scan_lines(decoder, *input));
    if (decoder->state == SMTP_DATA_AFTER_CR || decoder->state == SMTP_DATA_AT_BARE_CR)
        (void)take(input, 1);
    if (span_find_byte(content, 0) < content.length)
        decoder->has_nul = true;
    return content;
}

/* What a CR is that no LF follows. */
static struct span bare_cr(struct smtp_data_decoder *decoder)
{
    decoder->has_bare_cr = true;
    decoder->state = SMTP_DATA_IN_LINE;
    return decoder->repairs & SMTP_DATA_REPAIR_CR ? SPAN(" ") : SPAN("\r");
}

static struct span repair_lf(struct smtp_data_decoder *decoder, struct span *input)
{
    (void)take(input, 1);
    decoder->state = SMTP_DATA_AT_SOFT_START;
    return SPAN("\r\n");
}

static struct span settle_cr(struct smtp_data_decoder *decoder, struct span *input)
{
    if (input->bytes[0] == '\n') {
        (void)take(input, 1);
        decoder->state = SMTP_DATA_AT_LINE_START;
        return SPAN("\r\n");
    }
    return bare_cr(decoder);
}

enum smtp_data_event smtp_data_decoder_next(struct smtp_data_decoder *decoder, struct span *input,
                                            struct span *content)
{
    while (input->length) {
        const uint8_t byte = input->bytes[0];
        switch (decoder->state) {
        case SMTP_DATA_AT_LINE_START:
            if (byte == '.') {
                (void)take(input, 1);
                decoder->state = SMTP_DATA_AFTER_DOT;
                break;
            }
            decoder->state = SMTP_DATA_IN_LINE;
            break;
        case SMTP_DATA_AFTER_DOT:
            /* The dot is dropped, whatever follows but the end: RFC 5321 section 4.5.2. */
            decoder->state = SMTP_DATA_IN_LINE;
            if (byte == '\r') {
                (void)take(input, 1);
                decoder->state = SMTP_DATA_AFTER_DOT_CR;
            } else if (byte == '\n' && decoder->repairs & SMTP_DATA_REPAIR_LF) {
                *content = SPAN("."); /* a line of its own, and not the end */
                return SMTP_DATA_CONTENT;
            }
            break;
        case SMTP_DATA_AFTER_DOT_CR:
            if (byte == '\n') {
                (void)take(input, 1);
                decoder->state = SMTP_DATA_AT_END;
                return SMTP_DATA_END;
            }
            *content = bare_cr(decoder);
            return SMTP_DATA_CONTENT;
        case SMTP_DATA_AT_BARE_LF:
            *content = repair_lf(decoder, input);
            return SMTP_DATA_CONTENT;
        case SMTP_DATA_AT_BARE_CR:
            *content = bare_cr(decoder);
            return SMTP_DATA_CONTENT;
        case SMTP_DATA_AT_SOFT_START:
            decoder->state = SMTP_DATA_IN_LINE;
            if (byte == '.') {
                (void)take(input, 1);
                decoder->state = SMTP_DATA_AFTER_SOFT_DOT;
            }
            break;
        case SMTP_DATA_AFTER_SOFT_DOT:
            /* Who writes LF for CRLF doubles dots after it; a dot alone is no end there. */
            decoder->state = SMTP_DATA_IN_LINE;
            if (byte == '\r' || byte == '\n') {
                *content = SPAN(".");
                return SMTP_DATA_CONTENT;
            }
            break;
        case SMTP_DATA_AFTER_CR:
            *content = settle_cr(decoder, input);
            return SMTP_DATA_CONTENT;
        case SMTP_DATA_IN_LINE:
            *content = take_lines(decoder, input);
            if (content->length)
                return SMTP_DATA_CONTENT;
            break;
        case SMTP_DATA_AT_END:
            return SMTP_DATA_END;
        }
    }
    return decoder->state == SMTP_DATA_AT_END ? SMTP_DATA_END : SMTP_DATA_NEED_MORE;
}

bool smtp_data_decoder_next_in_chunk(struct smtp_data_decoder *decoder, struct span *input,
                                     struct span *content)
{
    while (input->length) {
        if (decoder->state == SMTP_DATA_AFTER_CR)
            *content = settle_cr(decoder, input);
        else if (decoder->state == SMTP_DATA_AT_BARE_LF)
            *content = repair_lf(decoder, input);
        else if (decoder->state == SMTP_DATA_AT_BARE_CR)
            *content = bare_cr(decoder);
        else
            *content = take_lines(decoder, input);
        if (content->length)
            return true;
    }
    return false;
}

struct span smtp_data_decoder_end_chunks(struct smtp_data_decoder *decoder)
{
    const bool is_open =
        decoder->state != SMTP_DATA_AT_LINE_START && decoder->state != SMTP_DATA_AT_SOFT_START;
    if (decoder->state == SMTP_DATA_AFTER_CR)
        decoder->has_bare_cr = true;
    decoder->state = SMTP_DATA_AT_END;
    return is_open ? SPAN("\r\n") : span_empty();
}

enum parse_result smtp_chunk_parse(struct span argument, struct smtp_chunk *chunk)
{
    struct smtp_chunk parsed = {.size_bytes = 0};
    struct span word;
    if (!span_next_word(&argument, " ", &word))
        return PARSE_MALFORMED;
    for (size_t i = 0; i < word.length; i++)
        if (!ascii_is_digit(word.bytes[i]))
            return PARSE_MALFORMED;
    if (!number_parse_uint64(word, INT64_MAX, &parsed.size_bytes))
        return PARSE_TOO_LONG;
    if (span_next_word(&argument, " ", &word)) {
        if (!span_equals_ascii_nocase(word, SPAN("LAST")) || span_next_word(&argument, " ", &word))
            return PARSE_MALFORMED;
        parsed.is_last = true;
    }
    *chunk = parsed;
    return PARSE_OK;
}

bool smtp_data_encoder_next(struct smtp_data_encoder *encoder, struct span *input,
                            struct span *piece)
{
    if (input->length == 0)
        return false;
    if (encoder->state == SMTP_DATA_AT_LINE_START && input->bytes[0] == '.') {
        /* Two dots for one: this one, and the next piece starts with the other. */
        encoder->state = SMTP_DATA_IN_LINE;
        *piece = SPAN(".");
        return true;
    }
    bool was_cr = encoder->state == SMTP_DATA_AFTER_CR;
    size_t at = 0;
    while (at < input->length) {
        const size_t lf = at + span_find_byte(span_after(*input, at), '\n');
        if (lf == input->length) {
            was_cr = input->bytes[lf - 1] == '\r';
            encoder->state = was_cr ? SMTP_DATA_AFTER_CR : SMTP_DATA_IN_LINE;
            *piece = take(input, lf);
            return true;
        }
        const bool is_line_end = lf > 0 ? input->bytes[lf - 1] == '\r' : was_cr;
        at = lf + 1;
        encoder->state = is_line_end ? SMTP_DATA_AT_LINE_START : SMTP_DATA_IN_LINE;
        if (is_line_end && at < input->length && input->bytes[at] == '.')
            break;
    }
    *piece = take(input, at);
    return true;
}

struct span smtp_data_encoder_end(const struct smtp_data_encoder *encoder)
{
    return encoder->state == SMTP_DATA_AT_LINE_START ? SPAN(".\r\n") : SPAN("\r\n.\r\n");
}
