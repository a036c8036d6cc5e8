/* queuefile/envelope - who sent a message to whom, and what intake learned of it.
 * One header record, then one record for each recipient: intake appends recipients as they are
 * accepted, and a long list may be cut between any two records and put together again.
 * Callers: lib/intake (encodes), qmgr (decodes). Format: man/posthouse-queue.5. */
#ifndef QUEUEFILE_ENVELOPE_H
#define QUEUEFILE_ENVELOPE_H

#include "base/buffer.h"
#include "base/parse.h"

enum {
    QUEUE_ENVELOPE_MAX_BYTES = 32 << 20,
    /* Any one text; RFC 5321 section 4.5.3.1 asks for 256 in a path, RFC 3461 section 4.2 for 500
     * in ORCPT. */
    QUEUE_TEXT_MAX_BYTES = 1024,
    QUEUE_VERP_DELIMITERS_BYTES = 2
};

/* Who made the message. */
enum queue_origin {
    QUEUE_ORIGIN_SMTP,       /* smtpd, from another server or a client in mynetworks */
    QUEUE_ORIGIN_SUBMISSION, /* submitd, from an authenticated user */
    QUEUE_ORIGIN_PICKUP,     /* sendmail, on this machine */
    QUEUE_ORIGIN_BOUNCE,     /* a delivery status notification of ours */
    QUEUE_ORIGIN_FORWARD     /* local, for an alias or .forward */
};

/* RET= of RFC 3461 section 4.3. */
enum queue_return { QUEUE_RETURN_UNSPECIFIED, QUEUE_RETURN_FULL, QUEUE_RETURN_HEADERS };

/* What was seen in the content: queue_content_facts.flags. */
enum {
    QUEUE_FACT_8BIT_HEADER = 1 << 0,
    QUEUE_FACT_8BIT_BODY = 1 << 1,
    QUEUE_FACT_LEADING_DOTS = 1 << 2, /* some line begins with a dot: SMTP has to double it */
    QUEUE_FACT_NUL = 1 << 3,
    QUEUE_FACT_ALL = (1 << 4) - 1
};

/* What was asked for in the envelope: queue_envelope.flags. */
enum {
    QUEUE_FLAG_SMTPUTF8 = 1 << 0,      /* MAIL FROM said SMTPUTF8, RFC 6531 */
    QUEUE_FLAG_BODY_8BITMIME = 1 << 1, /* MAIL FROM said BODY=8BITMIME, RFC 6152 */
    QUEUE_FLAG_NO_REPORT = 1 << 2,     /* a failure makes no further report (double bounce) */
    QUEUE_FLAG_LOCAL_CLIENT = 1 << 3,  /* its header was completed as a local client's: SOURCE=LOCAL
                                          of XFORWARD */
    QUEUE_FLAG_VERIFY = 1 << 4, /* sendmail -bv: is not delivered; what would be is reported */
    QUEUE_FLAG_TRACE = 1 << 5,  /* sendmail -v: the first attempt is reported, whatever came */
    /* From who cannot be refused; it fails: */
    QUEUE_FLAG_LOOPS = 1 << 6,      /* too many hops */
    QUEUE_FLAG_TOO_BIG = 1 << 7,    /* only its beginning is here */
    QUEUE_FLAG_BAD_SENDER = 1 << 8, /* the reverse-path is the owner's, since the sender is none */
    QUEUE_FLAGS_RETURNED = QUEUE_FLAG_LOOPS | QUEUE_FLAG_TOO_BIG | QUEUE_FLAG_BAD_SENDER,
    QUEUE_FLAG_REQUIRETLS = 1 << 9,    /* MAIL FROM said REQUIRETLS, RFC 8689 */
    QUEUE_FLAG_TLS_OPTIONAL = 1 << 10, /* its header says TLS-Required: No */
    QUEUE_FLAG_HOLD = 1 << 11,         /* not to be tried before somebody releases it */
    QUEUE_FLAG_ALL = (1 << 12) - 1
};

struct queue_content_facts {
    uint64_t size_bytes;         /* content in wire form, all extents */
    uint32_t header_bytes;       /* of these, up to and with the empty line after the header */
    uint32_t longest_line_bytes; /* without CRLF; UINT32_MAX stands for anything longer */
    uint32_t received_count;     /* Received fields, for hop counting */
    uint32_t flags;              /* QUEUE_FACT_ */
};

/* NOTIFY= of RFC 3461 section 4.1; none set: not specified, which means FAILURE. */
enum {
    QUEUE_NOTIFY_NEVER = 1 << 0, /* excludes the others */
    QUEUE_NOTIFY_SUCCESS = 1 << 1,
    QUEUE_NOTIFY_FAILURE = 1 << 2,
    QUEUE_NOTIFY_DELAY = 1 << 3,
    QUEUE_NOTIFY_ALL = (1 << 4) - 1,
    /* Not asked for, but noted by intake: a list that was expanded. Nothing is delivered to it; it
     * stands there for the report that says so (RFC 3461 section 5.2.7.3). */
    QUEUE_NOTIFY_EXPANDED = 1 << 4
};

struct queue_recipient {
    struct span forward_path;       /* where it goes now; never empty */
    struct span original_recipient; /* as the client named it; empty when the same */
    struct span orcpt;              /* ORCPT= as received, type and xtext; empty when absent */
    uint8_t notify;                 /* QUEUE_NOTIFY_ */
};

/* Two of them, or none. */
MUST_USE static inline bool queue_verp_delimiters_are_possible(struct span delimiters)
{
    return delimiters.length == 0 || delimiters.length == QUEUE_VERP_DELIMITERS_BYTES;
}

/* It has an address, and its NEVER stands alone (RFC 3461 section 4.1). */
bool queue_recipient_is_possible(const struct queue_recipient *recipient);

/* BY= of RFC 2852: what happens when the time is over. */
enum queue_deliver_by { QUEUE_DELIVER_BY_NONE, QUEUE_DELIVER_BY_NOTIFY, QUEUE_DELIVER_BY_RETURN };

/* MT-PRIORITY= of RFC 6710, -9 to 9, as it is kept: 0 stands for none. */
enum { QUEUE_PRIORITY_NORMAL = 10, QUEUE_PRIORITY_MAX = 19 };

struct queue_envelope {
    uint64_t arrival_us;
    enum queue_origin origin;
    struct span reverse_path; /* empty: the null reverse-path */
    struct queue_content_facts facts;
    uint32_t flags;    /* QUEUE_FLAG_ */
    struct span envid; /* ENVID= as received, xtext */
    enum queue_return ret;
    uint64_t release_us;         /* HOLDFOR=, HOLDUNTIL= of RFC 4865: not before; 0: at once */
    struct span release_request; /* "for;3600" or "until;2026-11-22T01:48:31Z", for reports */
    uint64_t deliver_by_us;      /* with deliver_by */
    enum queue_deliver_by deliver_by;
    uint8_t traces_deliver_by; /* each relay is to be reported */
    uint8_t priority;          /* QUEUE_PRIORITY_NORMAL and so much more or less, or 0 */
    struct span filter; /* all recipients go by this transport:next hop; empty: by their own */
    /* address/verp: each recipient has a reverse-path of its own, with these between its parts;
     * empty: all have the same. */
    struct span verp_delimiters;
    /* Who authenticated to send it, and AUTH= of RFC 4954; empty: nobody did. */
    struct span sasl_method;
    struct span sasl_username;
    struct span sasl_sender;
    /* The client, as the session or a trusted proxy in front of it (XFORWARD) says: what agents
     * show to commands and pass on. Empty where not known. */
    struct span client_name; /* "unknown" where DNS does not confirm it */
    struct span client_address;
    uint16_t client_port;
    struct span helo;
    struct span protocol;   /* ESMTP, SMTP, ESMTPS ... as in Received, RFC 3848 */
    struct span ident;      /* the message's queue id at a proxy before us (XFORWARD IDENT) */
    struct span forward_of; /* id of the message of which a recipient became this one, or empty */
    uint32_t forward_index; /* that recipient */
    struct span report_of;  /* id of the message that this one reports on, or empty */
    uint8_t report_kind;    /* enum dsn_kind */
    struct span report_recipients; /* of that message: queuefile/ranges */
    /* Filled by queue_envelope_decode() only. */
    struct queue_recipient *recipients;
    size_t recipient_count;
};

/* Both make the buffer fail when a text is too long or has a control character in it, which intake
 * has to refuse or to clean away before. */
void queue_envelope_encode_header(const struct queue_envelope *envelope, struct buffer *out);
void queue_envelope_append_recipient(const struct queue_recipient *recipient, struct buffer *out);

/* In steps, for who does not want all recipients in memory: the header once, then recipients until
 * *rest is empty. The results point into the input; *rest moves on PARSE_OK only. */
MUST_USE enum parse_result queue_envelope_next_header(struct span *rest,
                                                      struct queue_envelope *envelope);
MUST_USE enum parse_result queue_envelope_next_recipient(struct span *rest,
                                                         struct queue_recipient *recipient);
/* How many whole recipient records follow in *rest; nothing inside them is looked at. */
MUST_USE enum parse_result queue_envelope_count_recipients(struct span rest, size_t *count);

/* All at once, the array of recipients from the arena. PARSE_TOO_LONG when there are more than
 * recipient_limit or the arena is at its cap; at least one recipient must be there. */
MUST_USE enum parse_result queue_envelope_decode(struct span bytes, size_t recipient_limit,
                                                 struct arena *arena,
                                                 struct queue_envelope *envelope);

#endif
