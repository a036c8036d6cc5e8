/* dsn/report - write a delivery status notification: multipart/report (RFC 6522) with a text for
 * people, a message/delivery-status part (RFC 3464), and what is returned of the message.
 * Pure; the caller writes the returned content between dsn_append_notice() and dsn_append_end().
 * Addresses outside of US-ASCII make it the internationalized form of RFC 6533.
 * Callers: bounce. Manual: man/bounce.8. */
#ifndef DSN_REPORT_H
#define DSN_REPORT_H

#include "base/buffer.h"
#include "base/outcome.h"

/* DSN_VERIFY: what an attempt would come to, or the first one came to, for sendmail -bv and -v. */
enum dsn_kind { DSN_FAILURE, DSN_DELAY, DSN_SUCCESS, DSN_VERIFY };
enum { DSN_KIND_COUNT = DSN_VERIFY + 1 };

/* RFC 3464 section 2.3.3, and the two of sendmail -bv: nothing was delivered, but would be. */
enum dsn_action {
    DSN_ACTION_FAILED,
    DSN_ACTION_DELAYED,
    DSN_ACTION_DELIVERED,
    DSN_ACTION_RELAYED, /* to a system that does not promise reports */
    DSN_ACTION_EXPANDED,
    DSN_ACTION_DELIVERABLE,
    DSN_ACTION_UNDELIVERABLE
};
enum { DSN_ACTION_COUNT = DSN_ACTION_UNDELIVERABLE + 1 };

/* What follows the notice. */
enum dsn_returned { DSN_RETURN_MESSAGE, DSN_RETURN_HEADER };

/* The words of a report (dsn/template.h); the text's lines end in LF. */
struct dsn_template {
    struct span charset;
    struct span from; /* an address without a domain is completed */
    struct span subject;
    struct span postmaster_subject; /* of a copy for the postmaster */
    struct span body;
};

struct dsn_recipient {
    struct span final_recipient;
    struct span original_recipient; /* as the client named it; empty when the same */
    struct span orcpt;              /* ORCPT= as received; empty when absent */
    enum dsn_action action;
    struct enhanced_status status;
    struct span remote_mta; /* empty: none was reached */
    struct span diagnostic; /* the remote's own words, an SMTP reply; empty: the reason is ours */
    struct span reason;     /* for people */
    int64_t last_attempt_s; /* 0: none was made */
};

struct dsn_report {
    enum dsn_kind kind;
    bool is_postmaster_copy; /* goes to the operator, about mail of somebody else */
    enum dsn_returned returned;
    struct span reporting_mta; /* our host name */
    struct span mail_name;
    struct span origin;                  /* completes the template's From */
    struct span to;                      /* who is told */
    const struct dsn_template *template; /* without $name in it */
    struct span queue_id;                /* of the message that is reported on */
    struct span message_id;              /* of the report, without angle brackets */
    struct span boundary; /* of the report; must not be guessable by who wrote the message */
    struct span original_sender;
    struct span original_message_id; /* for References, with angle brackets; empty: none */
    struct span envid;               /* ENVID= as received; empty when absent */
    bool is_original_8bit;           /* what is returned has bytes above 127 */
    bool is_original_smtputf8;
    int64_t arrival_s;
    int64_t deliver_by_s;        /* RFC 2852; 0: not said */
    struct span release_request; /* RFC 4865; empty: there was none */
    int64_t now_s;
    int64_t retry_until_s; /* for DSN_DELAY; 0: not said */
    int offset_minutes;    /* of our clock, east of UTC */
    struct span zone_name;
    const struct dsn_recipient *recipients;
    size_t recipient_count;
};

/* The report needs SMTPUTF8 to be sent: it has the form of RFC 6533. */
MUST_USE bool dsn_is_utf8(const struct dsn_report *report);
/* The body has bytes above 127. */
MUST_USE bool dsn_is_8bit(const struct dsn_report *report);

/* The header fields, without Received and without the empty line behind them. */
void dsn_append_header(const struct dsn_report *report, struct buffer *out);
/* The body up to the first byte of the returned content. */
void dsn_append_notice(const struct dsn_report *report, struct buffer *out);
/* The body behind the returned content, which ends with CR LF. */
void dsn_append_end(const struct dsn_report *report, struct buffer *out);

#endif
