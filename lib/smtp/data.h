/* smtp/data - the content of a message on the wire: undo and do dot-stuffing (RFC 5321 section
 * 4.5.2). Only CRLF.CRLF ends the content; a bare CR, a bare LF or a NUL is noted, never taken
 * for a line end, so that nothing that follows can pass for a command (SMTP smuggling). Where that
 * is asked for, a bare LF becomes a line end of the content, and a bare CR a space; the end of the
 * content stays CRLF.CRLF.
 * BDAT needs no undoing (RFC 3030), but the same rules hold for its content.
 * Both directions hand out pieces of the input itself, however it was split. Pure.
 * Callers: lib/smtpsession (decoder), smtp (encoder). */
#ifndef SMTP_DATA_H
#define SMTP_DATA_H

#include "base/parse.h"
#include "base/span.h"

enum smtp_data_state {
    SMTP_DATA_AT_LINE_START,
    SMTP_DATA_IN_LINE,
    SMTP_DATA_AFTER_CR,      /* in a line; the CR is not handed out yet */
    SMTP_DATA_AFTER_DOT,     /* a dot at the start of a line, not handed out */
    SMTP_DATA_AFTER_DOT_CR,  /* and a CR after it */
    SMTP_DATA_AT_BARE_LF,    /* the next byte is one, and is to become a line end */
    SMTP_DATA_AT_BARE_CR,    /* a CR, not handed out yet, is to become a space */
    SMTP_DATA_AT_SOFT_START, /* after a line end that was a bare LF */
    SMTP_DATA_AFTER_SOFT_DOT,
    SMTP_DATA_AT_END
};

enum {
    SMTP_DATA_REPAIR_LF = 1 << 0,
    SMTP_DATA_REPAIR_CR = 1 << 1,
};

struct smtp_data_decoder {
    enum smtp_data_state state;
    unsigned repairs; /* SMTP_DATA_REPAIR_ */
    /* What was seen, repaired or not. */
    bool has_bare_cr;
    bool has_bare_lf;
    bool has_nul;
};

enum smtp_data_event {
    SMTP_DATA_CONTENT,   /* *content is the next piece */
    SMTP_DATA_NEED_MORE, /* the input is used up */
    SMTP_DATA_END        /* CRLF.CRLF was read; *input is what follows it */
};

static inline void smtp_data_decoder_init(struct smtp_data_decoder *decoder, unsigned repairs)
{
    *decoder = (struct smtp_data_decoder){.state = SMTP_DATA_AT_LINE_START, .repairs = repairs};
}

/* Nothing was seen that is not repaired. NUL is never. */
static inline bool smtp_data_decoder_is_clean(const struct smtp_data_decoder *decoder)
{
    return (!decoder->has_bare_cr || decoder->repairs & SMTP_DATA_REPAIR_CR) &&
           (!decoder->has_bare_lf || decoder->repairs & SMTP_DATA_REPAIR_LF) && !decoder->has_nul;
}

/* Takes bytes off *input. *content lies in the input or is constant. */
MUST_USE enum smtp_data_event smtp_data_decoder_next(struct smtp_data_decoder *decoder,
                                                     struct span *input, struct span *content);

/* The same for a chunk, in which a dot is a dot and nothing ends the content; false when the input
 * is used up. */
MUST_USE bool smtp_data_decoder_next_in_chunk(struct smtp_data_decoder *decoder, struct span *input,
                                              struct span *content);
/* After the last chunk: what has to be added, so that the last line has an end. */
MUST_USE struct span smtp_data_decoder_end_chunks(struct smtp_data_decoder *decoder);

struct smtp_chunk {
    uint64_t size_bytes;
    bool is_last;
};

/* The argument of BDAT (RFC 3030 section 2). */
MUST_USE enum parse_result smtp_chunk_parse(struct span argument, struct smtp_chunk *chunk);

struct smtp_data_encoder {
    enum smtp_data_state state; /* at line start, in a line, or after a CR */
};

static inline void smtp_data_encoder_init(struct smtp_data_encoder *encoder)
{
    *encoder = (struct smtp_data_encoder){SMTP_DATA_AT_LINE_START};
}

/* The next piece to send, of content with CRLF line ends; false when the input is used up. */
MUST_USE bool smtp_data_encoder_next(struct smtp_data_encoder *encoder, struct span *input,
                                     struct span *piece);
/* What ends the content: ".CRLF", with a CRLF before it where the last line has none. */
struct span smtp_data_encoder_end(const struct smtp_data_encoder *encoder);

#endif
