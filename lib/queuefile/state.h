/* queuefile/state - what has become of a message's recipients, behind the envelope.
 * First one status byte for each recipient, then a journal that only grows. Neither is under a
 * checksum of the file: qmgr rewrites single bytes and appends while deliveries go on. The status
 * bytes are the truth, the journal says when and why.
 * Callers: qmgr (alone writes it), postcat, mailq. Format: man/posthouse-queue.5. */
#ifndef QUEUEFILE_STATE_H
#define QUEUEFILE_STATE_H

#include "base/buffer.h"
#include "base/outcome.h"
#include "queuefile/preamble.h"

/* Printable, so that a hex dump of a queue file can be read. */
enum queue_status {
    QUEUE_STATUS_PENDING = 'p',   /* to be tried, now or later */
    QUEUE_STATUS_DELIVERED = 'd', /* done */
    QUEUE_STATUS_FAILED = 'f',    /* for good; the sender has yet to be told */
    QUEUE_STATUS_EXPIRED = 'e',   /* stayed too long; the sender has yet to be told */
    QUEUE_STATUS_SUCCEEDED = 's', /* delivered; the sender wanted to know and has yet to be told */
    QUEUE_STATUS_REPORTED = 'b'   /* done: not delivered, and the sender was told or need not be */
};

/* Any other byte is read as pending: twice is better than never. */
MUST_USE enum queue_status queue_status_from_byte(uint8_t byte);
/* Delivered or reported: nothing is left to do for this recipient. */
MUST_USE bool queue_status_is_done(enum queue_status status);

/* Status bytes of a new message. */
void queue_state_append_initial(uint32_t recipient_count, struct buffer *out);
/* Where in the file a recipient's status byte lies, and where the journal begins. */
MUST_USE uint64_t queue_state_status_offset(const struct queue_preamble *preamble,
                                            uint32_t recipient_index);
MUST_USE uint64_t queue_state_journal_offset(const struct queue_preamble *preamble);

enum queue_record_kind {
    QUEUE_RECORD_ATTEMPT = 'a', /* an agent tried these recipients: outcome, remote */
    QUEUE_RECORD_DEFER = 'd',   /* put off without a try: outcome says why */
    QUEUE_RECORD_NEXT = 'n',    /* when the message is due again: next_attempt_us, attempt_count */
    QUEUE_RECORD_HOLD = 'h',    /* somebody put it on hold; text says who */
    QUEUE_RECORD_RELEASE = 'r', /* and released it */
    QUEUE_RECORD_EXPIRE = 'x',  /* somebody asked for its return to the sender */
    QUEUE_RECORD_WARNED = 'w',  /* the sender was told of the delay */
    QUEUE_RECORD_REPORTED = 'b' /* the sender was told what the first attempt came to */
};

struct queue_record {
    enum queue_record_kind kind;
    uint64_t time_us;
    /* The recipients concerned, by position in the envelope; 0 and 0: the whole message. */
    uint32_t first_recipient;
    uint32_t recipient_count;
    bool has_outcome;
    struct outcome outcome;
    struct span remote; /* "mx.example.net[192.0.2.7]:25", or a mailbox; may be empty */
    struct span text;
    struct span next_hop; /* where it was to go; may be empty */
    uint64_t next_attempt_us;
    uint32_t attempt_count;
};

/* Reasons and remotes longer than the limit are cut, and control characters become '?': what
 * another server said must not keep us from writing it down. */
enum { QUEUE_RECORD_TEXT_MAX_BYTES = 1024, QUEUE_RECORD_NEXT_HOP_MAX_BYTES = 256 };
void queue_journal_append(const struct queue_record *record, struct buffer *out);

/* Takes the next record off *rest; texts point into the input. False at the end, and at anything
 * that is not a whole, undamaged record: a torn tail is no error, *rest then begins with the bytes
 * that the next record may overwrite. */
MUST_USE bool queue_journal_next(struct span *rest, struct queue_record *record);

#endif
