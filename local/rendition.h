/* local/rendition - a message as it lies in a mailbox: a few header fields in front, then the
 * content of the queue file with LF line ends, its checksums proven on the way.
 * Callers: local/maildir, in a pool thread. */
#ifndef LOCAL_RENDITION_H
#define LOCAL_RENDITION_H

#include <stdbool.h>

#include "agent/content.h"
#include "base/buffer.h"

enum {
    RENDITION_CHUNK_BYTES = 65536,
    RENDITION_FIELDS_MAX_BYTES = 8192,
    RENDITION_HEADER_LINE_MAX_BYTES = 1200 /* as much of a line as is looked at */
};

/* What copying needs beside the stack; one for each thread at work. */
struct rendition_space {
    struct rendition_space *next; /* for whoever keeps them */
    struct digest digest;
    const struct message_content *kept; /* whose text stands in text, behind room for fields */
    size_t kept_bytes;
    uint8_t raw[RENDITION_CHUNK_BYTES];
    uint8_t text[RENDITION_CHUNK_BYTES + RENDITION_FIELDS_MAX_BYTES + 1];
};

MUST_USE struct rendition_space *rendition_space_create(void);
void rendition_space_destroy(struct rendition_space **space);

enum rendition_result {
    RENDITION_OK,
    RENDITION_READ_FAILED,  /* errno */
    RENDITION_WRITE_FAILED, /* errno */
    RENDITION_CORRUPT,      /* a checksum is not that of the content */
    RENDITION_LOOPS         /* Delivered-To: the recipient stands in the header already */
};

/* Appends the fields Return-Path, X-Original-To and Delivered-To, as Postfix orders them; the
 * latter two where they are not empty. Control characters are left out. */
void rendition_put_fields(struct buffer *out, struct span reverse_path,
                          struct span original_recipient, struct span delivered_to);

/* "From sender  Sun Nov 22 01:48:31 2026": the line that begins a message in a mailbox file, and
 * what commands get in front of it. */
void rendition_put_from_line(struct buffer *out, struct span reverse_path, int64_t unix_time_s);

/* For several files of one message: reads and proves the content once, where it is small. From then
 * on until rendition_forget(), which must come before the content goes, rendition_write() of that
 * content in its plain form takes it from the space. */
void rendition_keep(struct rendition_space *space, const struct message_content *content);
void rendition_forget(struct rendition_space *space);

enum rendition_form {
    RENDITION_PLAIN,
    RENDITION_MBOX /* a line that begins with "From " gets ">" before it; an empty line at the end
                    */
};

/* Writes fields and content to the descriptor, from its offset on. loop_recipient: refuse the
 * message when its header has this Delivered-To; empty: do not look. *size_bytes: what was
 * written. The fields must not be longer than RENDITION_FIELDS_MAX_BYTES. */
MUST_USE enum rendition_result rendition_write(const struct message_content *content,
                                               enum rendition_form form, struct span fields,
                                               struct span loop_recipient,
                                               struct rendition_space *space, int out,
                                               uint64_t *size_bytes);

#endif
