/* maillog/receive - the lines of those who take mail in: smtpd, submitd, pickup and what Postfix's
 * cleanup says. Shapes as Postfix writes them. */
#ifndef MAILLOG_RECEIVE_H
#define MAILLOG_RECEIVE_H

#include "maillog/log.h"

/* connect from N[A] */
void maillog_connect(struct maillog *log, const struct log_peer *peer);

/* How often a command was given, and how often it was accepted. */
struct log_command_count {
    const char *name; /* lower case */
    unsigned accepted;
    unsigned total;
};
/* disconnect from N[A] ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4 notes=bare_lf. Commands that were
 * not given are left out; notes may be NULL. */
void maillog_disconnect(struct maillog *log, const struct log_peer *peer,
                        const struct log_command_count *counts, size_t count_count,
                        const char *notes);

/* Who authenticated; method empty: nobody did. */
struct log_sasl {
    struct span method;
    struct span username;
    struct span sender;
};
/* Where a message came from before it came to the proxy that we have it from. */
struct log_origin {
    struct span queue_id;        /* empty: not known */
    const struct log_peer *peer; /* NULL: not known */
};
/* QID: client=N[A], sasl_method=M, sasl_username=U, orig_queue_id=Q, orig_client=N[A]; sasl and
 * origin may be NULL. */
void maillog_client(struct maillog *log, struct span queue_id, const struct log_peer *peer,
                    const struct log_sasl *sasl, const struct log_origin *origin);

/* What a session knew when a command was refused (or warned about ...). */
struct log_refusal {
    const char *action; /* reject, reject_warning, warn, hold ... */
    const char *stage;  /* CONNECT, HELO, EHLO, MAIL, RCPT, DATA, END-OF-MESSAGE ... */
    const struct log_peer *peer;
    struct span text; /* "554 5.7.1 <b@example.net>: Relay access denied" */
    bool has_sender;
    bool has_recipient;
    struct span sender;
    struct span recipient;
    struct span protocol; /* empty: not known yet */
    struct span helo;     /* empty: not known yet */
    const struct log_sasl *sasl;
};
/* QID: reject: RCPT from N[A]: TEXT; from=<S> to=<R> proto=ESMTP helo=<H>; NOQUEUE without an id.
 */
void maillog_refusal(struct maillog *log, struct span queue_id, const struct log_refusal *refusal);

/* QID: lost connection after DATA (120 bytes) from N[A]. what: "lost connection", "timeout", "too
 * many errors". byte_count: how far DATA or BDAT got; 0 is not shown. */
void maillog_session_end(struct maillog *log, struct span queue_id, const char *what,
                         const char *stage, uint64_t byte_count, const struct log_peer *peer);
/* improper command pipelining after CMD from N[A]: TEXT, which may be any bytes. */
void maillog_improper_pipelining(struct maillog *log, const char *command,
                                 const struct log_peer *peer, struct span text);
/* warning: non-SMTP command from N[A]: TEXT. Text, here and below: any bytes. */
void maillog_foreign_command(struct maillog *log, const struct log_peer *peer, struct span text);
/* warning: Illegal address syntax from N[A] in RCPT command: TEXT */
void maillog_illegal_address(struct maillog *log, const struct log_peer *peer, const char *command,
                             struct span text);
/* warning: N[A]: request longer than LIMIT: TEXT... */
void maillog_long_request(struct maillog *log, const struct log_peer *peer, size_t limit,
                          struct span text);
/* warning: QID: malformed BDAT command syntax from N[A]: TEXT */
void maillog_malformed_chunk(struct maillog *log, struct span queue_id, const struct log_peer *peer,
                             struct span text);
/* warning: reject: ETRN DOMAIN... from N[A] */
void maillog_etrn_refused(struct maillog *log, struct span domain, const struct log_peer *peer);
/* N[A]: replacing command "TEXT" with "TEXT" */
void maillog_command_replaced(struct maillog *log, const struct log_peer *peer, struct span command,
                              struct span other);
/* warning: hostname H does not resolve to address A: ERROR; error may be empty. */
void maillog_hostname_mismatch(struct maillog *log, struct span hostname, struct span address,
                               struct span error);
/* warning: Connection rate limit exceeded: N from N[A] for service S. what is the beginning. */
void maillog_limit_exceeded(struct maillog *log, const char *what, uint64_t count,
                            const struct log_peer *peer, struct span service);

/* warning: N[A]: SASL METHOD authentication failed: REASON, sasl_username=U; without a user
 * (unavailable) stands there. */
void maillog_auth_failed(struct maillog *log, const struct log_peer *peer, struct span method,
                         struct span reason, struct span username);
/* warning: N[A]: SASL METHOD authentication aborted */
void maillog_auth_aborted(struct maillog *log, const struct log_peer *peer, struct span method);

/* The lines of postscreen, for what is done here before and instead of a session. The peer is shown
 * as [A]:P.
 * NOQUEUE: reject: CONNECT from [A]:P: all server ports busy */
void maillog_screen_refusal(struct maillog *log, const struct log_peer *peer, const char *reason);
/* PREGREET N after T from [A]:P: TEXT */
void maillog_pregreet(struct maillog *log, const struct log_peer *peer, uint64_t delay_us,
                      struct span input);
/* HANGUP after T from [A]:P in tests before SMTP handshake */
void maillog_hangup(struct maillog *log, const struct log_peer *peer, uint64_t delay_us);
/* PASS NEW [A]:P, PASS OLD [A]:P */
void maillog_screen_pass(struct maillog *log, const struct log_peer *peer, bool is_new);

/* QID: uid=N from=<S> */
void maillog_pickup(struct maillog *log, struct span queue_id, unsigned uid, struct span sender);
/* QID: message-id=<...>; the text includes the angle brackets. */
void maillog_message_id(struct maillog *log, struct span queue_id, struct span message_id);
/* That of a header block, "<>" where there is none; before it, where it is sent again (RFC 5322
 * section 3.6.6), QID: resent-message-id=<...> */
void maillog_message_ids(struct maillog *log, struct span queue_id, struct span header);

#endif
