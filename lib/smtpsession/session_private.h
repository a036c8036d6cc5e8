/* smtpsession/session_private - one session's state, for the files of this folder. */
#ifndef SMTPSESSION_SESSION_PRIVATE_H
#define SMTPSESSION_SESSION_PRIVATE_H

#include "smtp/command.h"
#include "smtp/parameter.h"
#include "smtp/received.h"
#include "smtpsession/session.h"
#include "system/stream.h"
#include "system/task.h"

struct tls_session;

enum {
    /* Names, greetings: small. */
    SESSION_ARENA_BYTES = 16384,
    /* Beside what each recipient needs. */
    SESSION_TRANSACTION_BASE_BYTES = 65536,
    SESSION_RECIPIENT_BYTES = 2048,
    SESSION_HELO_MAX_BYTES = 512,
    SESSION_LOGGED_INPUT_BYTES = 100,
    SESSION_NETWORK_BYTES = IP_ADDRESS_TEXT_MAX_BYTES + 4
};

enum session_end {
    SESSION_GOES_ON,
    SESSION_HAS_QUIT,   /* we said the last word */
    SESSION_IS_LOST,    /* the client went away */
    SESSION_TIMED_OUT,  /* the client was too slow */
    SESSION_HAD_ERRORS, /* too many */
    SESSION_WAS_STOPPED /* our process is leaving */
};

/* RFC 3848 names only. */
enum session_protocol {
    SESSION_PROTOCOL_NONE,
    SESSION_PROTOCOL_SMTP,
    SESSION_PROTOCOL_ESMTP,
    SESSION_PROTOCOL_LMTP
};

struct session_count {
    uint32_t accepted;
    uint32_t total;
};

/* What XFORWARD said of the client behind a proxy; empty where it said nothing. */
struct session_forwarded {
    bool has_client; /* anything but IDENT */
    bool has_source;
    bool is_source_local;
    struct span name;
    struct ip_address address;
    uint16_t port;
    struct span protocol;
    struct span helo;
    struct span ident; /* the message's queue id there */
};

/* What a user wants of a message beside its delivery. */
struct session_timing {
    uint64_t release_us; /* 0: at once */
    struct span release_request;
    uint64_t deliver_by_us;
    int priority;
    struct span sasl_sender;
};

struct session_text {
    struct session_text *next;
    struct span text;
};

/* What tables want done with the message: actions.c. */
struct session_actions {
    bool holds;
    bool discards;
    struct span filter;             /* transport:next hop for all recipients; empty: none */
    struct span redirect;           /* in place of all recipients; empty: none */
    struct session_text *copies;    /* further recipients */
    struct session_text *prepended; /* header fields */
};

struct session_transaction {
    bool is_open;                       /* MAIL was accepted */
    struct session_forwarded forwarded; /* before MAIL */
    bool has_sender;                    /* MAIL named one, which is being judged */
    struct mailbox reverse_path;
    struct span given_domain; /* of the reverse-path, as the client wrote it */
    struct smtp_parameters parameters;
    struct session_timing timing;
    struct span verp_delimiters; /* empty: XVERP was not asked for */
    uint32_t recipient_count;    /* accepted */
    uint32_t refused_overshoot;
    struct queue_recipient first; /* recipient, before it was expanded */
    /* The first as it was given, and what was found out about it: while it is the only one, later
     * refusals are about it. Of its expansion it is only known whether there was one. */
    struct mailbox sole_recipient;
    struct smtpsession_verdict sole_verdict;
    struct session_actions actions;
    bool has_utf8_address;         /* somewhere in the envelope */
    struct span new_reverse_path;  /* as addrd has rewritten it; empty: as it was */
    bool has_broken_list;          /* some members of a list could not be added */
    bool rewrites_headers;         /* addrd may have other names for addresses in the header */
    struct intake_message message; /* open from the first accepted recipient on */
    struct reception *chunks;      /* what BDAT brought so far; NULL before the first */
};

struct smtpsession {
    struct smtpsession_service *service;
    struct task *task;
    struct list_link link;
    struct stream stream;
    size_t last_reply_offset; /* in the output */
    size_t command_bytes;     /* of the command in hand, still at the start of the input */
    struct addr_ahead ahead;  /* questions about the recipients of the next commands */
    struct log_peer peer;
    struct ip_address address;
    char address_text[IP_ADDRESS_TEXT_MAX_BYTES];
    uint16_t port;
    struct span plain_reply;        /* the last answer without its footer; empty: it has none */
    struct span discarded_keywords; /* of EHLO, for this client */
    struct buffer filtered_command; /* in place of what it sent; heap */
    bool has_name;                  /* confirmed by DNS */
    bool is_trusted;
    bool is_unwelcome;       /* it talked before it was greeted: no recipient is accepted */
    bool is_denied;          /* the list about clients refused it, before it was greeted */
    struct tls_session *tls; /* NULL: the connection is not one of TLS */
    bool is_limited;         /* counted by limitd */
    struct limit_hold connection;
    struct span network; /* under which it is counted */
    char network_text[SESSION_NETWORK_BYTES];
    int64_t cut_ms;    /* while it waits: not longer than until then; CLOCK_NEVER */
    bool was_improper; /* pipelined what it must not, which is logged */
    bool is_waiting;   /* for the client: may be interrupted */
    bool may_xclient;
    bool may_xforward;
    bool may_verp;
    struct log_sasl sasl; /* who the client is, where it is known; method empty: it is not */
    bool takes_bare_lf;
    bool has_bare_lf; /* somewhere in what was taken */
    bool is_local;    /* its messages' headers are completed */
    unsigned repairs; /* SMTP_DATA_REPAIR_, of content */
    enum session_protocol protocol;
    struct span helo;
    uint8_t *helo_bytes;    /* where that lies, */
    size_t helo_room_bytes; /* and room for so much */
    enum session_end end;
    struct smtp_transcript *transcript; /* NULL: none is kept */
    const char *stage;                  /* the last command, for the log */
    uint64_t data_bytes;
    uint32_t error_count;
    uint32_t junk_count;
    struct arena arena;
    struct arena transaction_arena;
    struct session_transaction transaction;
    struct session_count counts[SMTP_VERB_COUNT];
};

/* session.c: the answer goes into the output and leaves before the next wait. A 5xx becomes 4xx
 * under soft_bounce. The status class is the code's. */
void session_reply(struct smtpsession *session, uint16_t code, uint16_t subject, uint16_t detail,
                   const char *format, ...) PRINTF_LIKE(5, 6);
/* Without an enhanced status, as RFC 2034 section 4 has it for HELO and EHLO; text may have several
 * lines. */
void session_reply_plain(struct smtpsession *session, uint16_t code, struct span text);
void session_reply_outcome(struct smtpsession *session, const struct outcome *outcome);
/* As session_reply_outcome, and a line for the log. recipient may be NULL. */
void session_refuse(struct smtpsession *session, const char *stage, const struct outcome *outcome,
                    const struct mailbox *recipient);
/* session.c: the line alone. text begins with the reply's codes. */
void session_log_refusal(struct smtpsession *session, const char *action, const char *stage,
                         struct span text, const struct mailbox *recipient);
/* Sends what was answered. */
void session_flush(struct smtpsession *session);
/* More input, after sending what was answered; false when session->end says why not. */
MUST_USE bool session_read(struct smtpsession *session, int64_t deadline_ms);
/* input.c: drops the rest of a line that is too long. */
void session_discard_line(struct smtpsession *session, int64_t deadline_ms);
/* input.c: has it sent something before it was greeted (RFC 5321 section 4.3.1), and is that to be
 * refused? It is logged in any case. */
MUST_USE bool session_talks_early(struct smtpsession *session);
/* What comes of that, and of commands in groups that may not be. */
void session_refuse_early_talk(struct smtpsession *session);
/* input.c: reads a command and carries it out; or session->end says why not. */
void session_run_next(struct smtpsession *session);
/* The command in hand is done with, and its bytes are gone. */
void session_consume_command(struct smtpsession *session);
void session_reset_transaction(struct smtpsession *session);
/* The greeting, where the list about clients does not refuse this one at once. */
void session_welcome(struct smtpsession *session);
/* Empty before the first accepted recipient. */
struct span session_queue_id(const struct smtpsession *session);
/* The recipient of the transaction where it has one and no more; else NULL. */
const struct mailbox *session_sole_recipient(const struct smtpsession *session);

/* client.c: who is there, and what follows from that. */
void session_identify_client(struct smtpsession *session);
/* What its name and address let it do; again when they have changed. */
void session_judge_client(struct smtpsession *session);
/* The header of a proxy in front of us, before anything else. False when the session is over for
 * want of one. */
MUST_USE bool session_read_proxy_header(struct smtpsession *session);

/* lookups.c: the command line that stands for this one, with its CRLF. False: the line as it is; or
 * session->end is set, where nobody can say. */
MUST_USE bool session_filter_command(struct smtpsession *session, struct span line);
/* Sets session->discarded_keywords. */
void session_find_discarded_keywords(struct smtpsession *session);
/* A refusal with what the settings want behind it: text, or a longer one in *output. reply: the
 * whole answer without CRLF. */
struct span session_add_footer(struct smtpsession *session, struct span reply, struct span text,
                               struct buffer *output);

/* auth.c: AUTH, to its last answer. */
bool session_auth(struct smtpsession *session, struct span argument);
/* Its line in the answer to EHLO, where there is one. */
void session_offer_auth(struct smtpsession *session, struct buffer *reply);

/* submission.c: false where a login is needed first, which was answered. */
MUST_USE bool session_may_submit(struct smtpsession *session);
/* Is the domain in the reverse-path or the recipient a whole one, where that matters? When not, it
 * was answered. */
MUST_USE bool session_is_qualified(struct smtpsession *session, const char *command,
                                   const struct mailbox *address);
/* The same for all addresses in the header, as it will be. */
MUST_USE bool session_header_is_qualified(struct smtpsession *session, struct span header,
                                          struct outcome *refusal);
/* Does the reverse-path belong to the login, where that matters? When not, it was answered. */
MUST_USE bool session_owns_sender(struct smtpsession *session);
/* The same for the addresses in From. */
MUST_USE bool session_owns_from(struct smtpsession *session, struct span header,
                                struct outcome *refusal);
/* Counts an event of the login, of MAIL or RCPT; false when it is one too many, as
 * session_sender_may(). */
MUST_USE bool session_user_may(struct smtpsession *session, enum limit_kind kind,
                               const struct mailbox *recipient);

/* timing.c: lines of the answer to EHLO. */
void session_offer_timing(const struct smtpsession *session, struct buffer *reply);
/* False where a parameter of MAIL asks for what is not offered, or for too much, which was
 * answered. */
MUST_USE bool session_takes_timing(struct smtpsession *session,
                                   const struct smtp_parameters *parameters);
/* Of the transaction's parameters; the priority that the message has now. */
int session_take_timing(struct smtpsession *session);
void session_fill_timing(const struct smtpsession *session, struct queue_envelope *envelope);
/* auth.c: may it log in, or could it have? */
MUST_USE bool session_offers_auth(const struct smtpsession *session);

/* etrn.c */
bool session_etrn(struct smtpsession *session, struct span argument);

/* xclient.c */
bool session_xclient(struct smtpsession *session, struct span argument);
bool session_xforward(struct smtpsession *session, struct span argument);

/* commands.c: the name in HELO and EHLO. False when it is too long. */
MUST_USE bool session_take_helo(struct smtpsession *session, struct span name);

/* limits.c: to be called when the client's address is known, and again when it has changed. False
 * when it is one connection too many: that was answered and logged, and session->end is set. */
MUST_USE bool session_client_arrived(struct smtpsession *session);
void session_client_left(struct smtpsession *session);
/* Counts an event of the client; false when it is one too many, which was answered and logged. */
MUST_USE bool session_client_may(struct smtpsession *session, enum limit_kind kind);
/* May it make a new TLS session? has_made: it has, which is counted; before that it is only asked
 * whether there are too many already. */
MUST_USE bool session_client_may_begin_tls(struct smtpsession *session, bool has_made);
/* The same for an event of the sender, of MAIL or RCPT. */
MUST_USE bool session_sender_may(struct smtpsession *session, enum limit_kind kind,
                                 const struct mailbox *recipient);

/* tls.c: STARTTLS. */
bool session_starttls(struct smtpsession *session, struct span argument);
/* The handshake before the greeting, where connections begin with it. False when the session is
 * over: session->end says why. */
MUST_USE bool session_wrap_in_tls(struct smtpsession *session);
void session_end_tls(struct smtpsession *session);
/* For the answer to EHLO. */
MUST_USE bool session_offers_tls(const struct smtpsession *session);
/* Passwords may need TLS: smtpd_tls_auth_only. */
MUST_USE bool session_may_auth(const struct smtpsession *session);
/* False when the command has to wait for TLS, which was answered. */
MUST_USE bool session_may_before_tls(struct smtpsession *session, enum smtp_verb verb);
/* For Received; there is TLS. details: initialised, and outlives *received. */
void session_describe_tls(const struct smtpsession *session, struct buffer *details,
                          struct smtp_received_tls *received);

/* greet.c: waits whether the client can. False when the session is over: session->end says why. */
MUST_USE bool session_wait_before_greeting(struct smtpsession *session);

/* commands.c: carries out one command; whether it was accepted. */
bool session_run_command(struct smtpsession *session, const struct smtp_command *command);
/* Has this verb, given more than once, to be paid for? RFC 5321 section 7.8. */
MUST_USE bool session_is_junk_verb(enum smtp_verb verb);
/* May nothing follow it in the same group? RFC 2920 section 3.1. */
MUST_USE bool session_is_last_in_group(const struct smtpsession *session, enum smtp_verb verb);

/* envelope.c: MAIL, RCPT, VRFY. */
bool session_mail(struct smtpsession *session, struct span argument);
bool session_rcpt(struct smtpsession *session, struct span argument);
bool session_vrfy(struct smtpsession *session, struct span argument);

/* notice.c: what was heard (without CR LF), what was said last, and at the end: is the postmaster
 * to be told? */
/* A line of a command as others may see it. */
struct span session_line_to_show(struct span line);
void session_note_command(struct smtpsession *session, struct span line);
void session_note_reply(struct smtpsession *session, uint16_t code,
                        const struct enhanced_status *status, struct span text);
/* A transaction is over: what went well so far is of no interest. */
void session_forget_talk(struct smtpsession *session);
void session_notify(struct smtpsession *session);

/* verify.c: true where it is, or where the setting lets it pass although nobody knows. what:
 * "Sender" or "Recipient"; detail: of the status. */
MUST_USE bool session_is_verified(struct smtpsession *session, struct span address,
                                  const struct smtpsession_unverified *settings, const char *what,
                                  uint16_t detail, struct outcome *refusal, bool *is_undecided);

/* judge.c: may it be? lists: bits by enum smtpsession_list. recipient and verdict are NULL where
 * the command names no recipient: then words about one mean the only one that there is. When not,
 * *refusal is the whole answer. */
MUST_USE bool session_judge(struct smtpsession *session, const char *stage, unsigned lists,
                            const struct mailbox *recipient,
                            const struct smtpsession_verdict *verdict, struct outcome *refusal);
/* The same for lists without a recipient, at commands of their own; when not, that was answered.
 * Lists that smtpd_delay_reject puts off are left out. */
MUST_USE bool session_permits(struct smtpsession *session, const char *stage, unsigned lists);
/* smtpd_reject_unlisted_sender, where refusals do not wait for RCPT; when not, that was answered.
 */
MUST_USE bool session_knows_sender(struct smtpsession *session);

/* actions.c: before the message is committed, and not if it is discarded. Not OK: it is put off. */
struct reception;
MUST_USE struct outcome session_carry_out_actions(struct smtpsession *session,
                                                  struct reception *reception);

/* data.c: DATA, to the reply after the last dot. */
bool session_data(struct smtpsession *session, struct span argument);
/* One chunk, to the reply after its last byte. */
bool session_bdat(struct smtpsession *session, struct span argument);
/* The arena of the transaction still holds *transaction->chunks. */
void session_drop_chunks(struct session_transaction *transaction);

/* data.c: ESMTP and the like, as logs and filters know it. */
struct span session_protocol_name(const struct smtpsession *session);

/* commands.c: is this keyword of EHLO not left out by the settings? */
MUST_USE bool session_offers(const struct smtpsession *session, struct span keyword);

#endif
