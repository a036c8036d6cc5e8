/* queuefile/drop - a dropped message: what sendmail hands to postdrop, and what postdrop leaves in
 * the maildrop directory until pickup takes it.
 * Records in a row behind a magic: a header, then recipients and pieces of the text in any order,
 * then the end, which counts them. Without the end a file is not whole. Nothing in it says whose it
 * is: that is the file's owner. Pure: the reader gets bytes in pieces and hands out records.
 * Callers: sendmail (writes), postdrop (checks and stores), pickup, postcat. Format:
 * man/posthouse-drop.5. */
#ifndef QUEUEFILE_DROP_H
#define QUEUEFILE_DROP_H

#include "queuefile/envelope.h"

enum {
    /* One record of text. */
    DROP_TEXT_MAX_BYTES = 32768,
    /* A reader is never asked to look at more at once. */
    DROP_RECORD_MAX_BYTES = 3 + UINT16_MAX,
    DROP_RECIPIENTS_MAX = 1000000
};

/* drop_header.flags: what sendmail's caller wished. */
enum {
    DROP_FLAG_VERIFY_ONLY = 1 << 0, /* -bv: no delivery, a report on what it would be */
    DROP_FLAG_SEND_REPORT = 1 << 1, /* -v: deliver, and report how that went */
    DROP_FLAG_SMTPUTF8 = 1 << 2,    /* -O smtputf8=yes */
    DROP_FLAG_BODY_8BITMIME = 1 << 3,
    DROP_FLAG_REQUIRETLS = 1 << 4, /* -O requiretls=yes */
    DROP_FLAG_ALL = (1 << 5) - 1
};

struct drop_header {
    uint64_t time_us;
    struct span sender;    /* as given; empty: the null reverse-path */
    struct span full_name; /* for a From field that is missing; may be empty */
    struct span owner;     /* login name of who runs sendmail: is told if the sender cannot be */
    uint32_t flags;
    struct span envid;
    enum queue_return ret;
    struct span verp_delimiters; /* -XV; empty: not asked for */
};

struct drop_end {
    uint32_t recipient_count;
    uint64_t text_bytes;
};

/* All make the buffer fail when a text is too long or has control characters in it. */
void drop_append_header(const struct drop_header *header, struct buffer *out);
/* original_recipient is not kept. */
void drop_append_recipient(const struct queue_recipient *recipient, struct buffer *out);
/* At most DROP_TEXT_MAX_BYTES, at least one. */
void drop_append_text(struct span text, struct buffer *out);
void drop_append_end(const struct drop_end *end, struct buffer *out);

enum drop_event_kind { DROP_EVENT_HEADER, DROP_EVENT_RECIPIENT, DROP_EVENT_TEXT, DROP_EVENT_END };

struct drop_event {
    enum drop_event_kind kind;
    struct drop_header header; /* the one that kind says */
    struct queue_recipient recipient;
    struct span text;
};

struct drop_reader {
    bool has_begun; /* the magic was read */
    bool has_header;
    bool is_at_end;
    struct drop_end seen; /* so far */
};

static inline void drop_reader_init(struct drop_reader *reader)
{
    *reader = (struct drop_reader){.has_begun = false};
}

/* Takes one record off *input. PARSE_NEED_MORE: it is not there whole; *input is left alone, and at
 * the end of the file that means that the file is cut off, or, with is_at_end, complete.
 * PARSE_MALFORMED for anything else. What the event points to lies in the input. */
MUST_USE enum parse_result drop_reader_next(struct drop_reader *reader, struct span *input,
                                            struct drop_event *event);

#endif
