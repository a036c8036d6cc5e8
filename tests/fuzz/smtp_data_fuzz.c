/* tests/fuzz/smtp_data - the content decoder and encoder, and what BDAT needs of them.
 * The first byte says how the input is cut. The decoder must agree with a byte-by-byte model, and
 * what it gives out must come back from the encoder and decoder unchanged. */
#include <stdlib.h>

#include "base/buffer.h"
#include "smtp/content.h"
#include "smtp/data.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { CONTENT_MAX_BYTES = 1 << 22 };

/* Everything up to CRLF.CRLF, dots undone; SIZE_MAX consumed when there is no end. */
static size_t model(struct span input, struct buffer *content)
{
    bool is_line_start = true;
    size_t at = 0;
    while (at < input.length) {
        if (is_line_start && input.bytes[at] == '.') {
            if (at + 2 < input.length && input.bytes[at + 1] == '\r' && input.bytes[at + 2] == '\n')
                return at + 3;
            at++;
            is_line_start = false;
            continue;
        }
        is_line_start = at > 0 && input.bytes[at] == '\n' && input.bytes[at - 1] == '\r';
        buffer_append_byte(content, input.bytes[at++]);
    }
    return SIZE_MAX;
}

static size_t decode(struct span input, size_t step, struct buffer *content,
                     struct smtp_content_facts *facts, struct smtp_data_decoder *decoder,
                     unsigned repairs)
{
    smtp_data_decoder_init(decoder, repairs);
    smtp_content_facts_init(facts);
    for (size_t at = 0; at < input.length; at += step) {
        struct span piece = span_between(input, at, at + step), decoded;
        const size_t piece_end = at + piece.length;
        enum smtp_data_event event;
        while ((event = smtp_data_decoder_next(decoder, &piece, &decoded)) == SMTP_DATA_CONTENT) {
            if (decoded.length == 0)
                abort();
            buffer_append_span(content, decoded);
            smtp_content_facts_add(facts, decoded);
        }
        if (event == SMTP_DATA_END) {
            smtp_content_facts_finish(facts);
            return piece_end - piece.length;
        }
        if (piece.length)
            abort();
    }
    return SIZE_MAX;
}

/* As chunks the same bytes are content from the first to the last. */
static void decode_as_chunks(struct span input, size_t step)
{
    bool has_bare_cr = false, has_bare_lf = false, has_nul = false;
    for (size_t at = 0; at < input.length; at++) {
        const bool after_cr = at > 0 && input.bytes[at - 1] == '\r';
        const bool before_lf = at + 1 < input.length && input.bytes[at + 1] == '\n';
        has_bare_lf |= input.bytes[at] == '\n' && !after_cr;
        has_bare_cr |= input.bytes[at] == '\r' && !before_lf;
        has_nul |= input.bytes[at] == 0;
    }
    struct smtp_data_decoder decoder;
    struct smtp_content_facts facts;
    struct buffer content;
    buffer_init(&content, NULL, CONTENT_MAX_BYTES);
    smtp_data_decoder_init(&decoder, 0);
    smtp_content_facts_init(&facts);
    for (size_t at = 0; at < input.length; at += step) {
        struct span piece = span_between(input, at, at + step), decoded;
        while (smtp_data_decoder_next_in_chunk(&decoder, &piece, &decoded)) {
            const bool had_separator = facts.has_separator;
            buffer_append_span(&content, decoded);
            smtp_content_facts_add(&facts, decoded);
            /* Who cuts there finds the empty line whole. */
            if (!has_bare_lf && !has_bare_cr && facts.has_separator && !had_separator &&
                content.length < facts.header_bytes + 2)
                abort();
        }
        if (piece.length)
            abort();
    }
    const struct span line_end = smtp_data_decoder_end_chunks(&decoder);
    const bool is_open = input.length > 0 && !span_ends_with(input, SPAN("\r\n"));
    buffer_append_span(&content, line_end);
    if (decoder.has_bare_cr != has_bare_cr || decoder.has_bare_lf != has_bare_lf ||
        decoder.has_nul != has_nul || (line_end.length > 0) != is_open)
        abort();
    /* A CR at the very end is not handed out alone: it becomes part of the added line end. */
    const size_t kept =
        input.length && input.bytes[input.length - 1] == '\r' ? input.length - 1 : input.length;
    if (!span_equals(span_first(buffer_span(&content), kept), span_first(input, kept)) ||
        content.length != kept + line_end.length)
        abort();
    buffer_release(&content);
}

/* Repaired, the content ends where it did, and has whole line ends only. */
static void decode_repaired(struct span input, size_t step, size_t expected_end)
{
    struct smtp_data_decoder decoder;
    struct smtp_content_facts facts;
    struct buffer content;
    buffer_init(&content, NULL, CONTENT_MAX_BYTES);
    const size_t end =
        decode(input, step, &content, &facts, &decoder, SMTP_DATA_REPAIR_LF | SMTP_DATA_REPAIR_CR);
    if (end != expected_end || smtp_data_decoder_is_clean(&decoder) == decoder.has_nul)
        abort();
    for (size_t at = 0; end != SIZE_MAX && at < content.length; at++) {
        if (content.bytes[at] == '\r' &&
            (at + 1 == content.length || content.bytes[at + 1] != '\n'))
            abort();
        if (content.bytes[at] == '\n' && (at == 0 || content.bytes[at - 1] != '\r'))
            abort();
    }
    buffer_release(&content);
}

static void parse_argument(struct span argument)
{
    struct smtp_chunk chunk = {UINT64_MAX, true};
    if (smtp_chunk_parse(argument, &chunk) == PARSE_OK) {
        if (chunk.size_bytes > INT64_MAX)
            abort();
    } else if (chunk.size_bytes != UINT64_MAX) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length == 0 || length > CONTENT_MAX_BYTES / 4)
        return 0;
    const struct span input = span_of(bytes + 1, length - 1);
    struct buffer expected, content, wire, again;
    struct smtp_content_facts facts, whole_facts;
    struct smtp_data_decoder decoder;
    buffer_init(&expected, NULL, CONTENT_MAX_BYTES);
    buffer_init(&content, NULL, CONTENT_MAX_BYTES);
    buffer_init(&wire, NULL, CONTENT_MAX_BYTES);
    buffer_init(&again, NULL, CONTENT_MAX_BYTES);
    decode_as_chunks(input, (size_t)bytes[0] + 1);
    parse_argument(input);
    const size_t expected_end = model(input, &expected);
    const size_t end = decode(input, (size_t)bytes[0] + 1, &content, &facts, &decoder, 0);
    if (end != expected_end)
        abort();
    decode_repaired(input, (size_t)bytes[0] + 1, expected_end);
    if (end != SIZE_MAX) {
        if (!span_equals(buffer_span(&expected), buffer_span(&content)) ||
            facts.header_bytes > facts.size_bytes || facts.size_bytes != content.length)
            abort();
        smtp_content_facts_init(&whole_facts);
        smtp_content_facts_add(&whole_facts, buffer_span(&content));
        smtp_content_facts_finish(&whole_facts);
        if (whole_facts.header_bytes != facts.header_bytes ||
            whole_facts.longest_line_bytes != facts.longest_line_bytes ||
            whole_facts.has_8bit_header != facts.has_8bit_header ||
            whole_facts.has_8bit_body != facts.has_8bit_body ||
            whole_facts.has_nul != facts.has_nul ||
            whole_facts.has_leading_dot != facts.has_leading_dot ||
            whole_facts.has_separator != facts.has_separator)
            abort();
        if (facts.has_nul != decoder.has_nul)
            abort();
        struct smtp_data_encoder encoder;
        smtp_data_encoder_init(&encoder);
        const size_t step = (size_t)bytes[0] + 1;
        for (size_t at = 0; at < content.length; at += step) {
            struct span rest = span_between(buffer_span(&content), at, at + step), piece;
            while (smtp_data_encoder_next(&encoder, &rest, &piece))
                buffer_append_span(&wire, piece);
        }
        buffer_append_span(&wire, smtp_data_encoder_end(&encoder));
        if (decode(buffer_span(&wire), step, &again, &whole_facts, &decoder, 0) != wire.length)
            abort();
        /* The encoder ends an open last line. */
        if (!span_starts_with(buffer_span(&again), buffer_span(&content)) ||
            again.length > content.length + 2)
            abort();
    }
    buffer_release(&expected);
    buffer_release(&content);
    buffer_release(&wire);
    buffer_release(&again);
    return 0;
}
