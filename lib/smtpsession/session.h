/* smtpsession/session - the server's side of SMTP sessions, many in one process, each a task of
 * straight-line code (RFC 5321 sections 3 and 4.1).
 * Interface: smtpsession_service_init(), smtpsession_start(),
 * smtpsession_stop_all(). What a session
 * may know or do beyond its own socket stands in struct smtpsession_backend.
 * Callers: smtpd, submitd. Design: man/smtpd.8. */
#ifndef SMTPSESSION_SESSION_H
#define SMTPSESSION_SESSION_H

#include <sys/socket.h>

#include "addr/ahead.h"
#include "address/mailbox.h"
#include "address/rewrite.h"
#include "auth/client.h"
#include "base/byteset.h"
#include "base/list.h"
#include "base/outcome.h"
#include "intake/header.h"
#include "intake/intake.h"
#include "limit/client.h"
#include "maillog/receive.h"
#include "system/loop.h"
#include "table/clients.h"
#include "table/list.h"
#include "table/restrictions.h"
#include "table/words.h"

/* What happens to a client that talks before it is greeted. */
enum smtpsession_greet_action {
    SMTPSESSION_GREET_IGNORE,  /* it is logged */
    SMTPSESSION_GREET_ENFORCE, /* no recipient is accepted */
    SMTPSESSION_GREET_DROP     /* it is sent away */
};

/* Figures per client, or per network of clients; 0: no limit. */
struct smtpsession_limits {
    uint32_t connection_count;
    uint32_t connection_rate;
    uint32_t message_rate;
    uint32_t recipient_rate;
    uint32_t new_tls_rate;
    uint32_t auth_rate;
    uint8_t ipv4_prefix_bits; /* of the networks */
    uint8_t ipv6_prefix_bits;
    uint32_t sender_message_rate; /* by reverse-path, in windows of sender_window_s */
    uint32_t sender_recipient_rate;
    uint32_t sender_window_s;
};

/* What becomes of an address that is bad, or of which nobody can say. Below 400: it passes. */
struct smtpsession_unverified {
    uint16_t reject_code;
    uint16_t defer_code;
    struct span reject_reason; /* empty: what the probe came to */
    bool defers_at_once;       /* when nobody can say now, and not only if nothing else refuses */
};

/* Lists of restrictions, in the order in which they are asked. */
enum smtpsession_list {
    SMTPSESSION_LIST_CLIENT,
    SMTPSESSION_LIST_HELO,
    SMTPSESSION_LIST_SENDER,
    SMTPSESSION_LIST_RELAY,
    SMTPSESSION_LIST_RECIPIENT,
    SMTPSESSION_LIST_DATA,
    SMTPSESSION_LIST_END_OF_DATA,
    SMTPSESSION_LIST_ETRN,
    SMTPSESSION_LIST_COUNT
};

struct smtpsession_restrictions {
    struct restriction_list lists[SMTPSESSION_LIST_COUNT];
    bool delays_reject;           /* client, HELO and sender are judged at RCPT and ETRN */
    bool refuses_unlisted_sender; /* of ours, whom nobody could answer */
    bool checks_relay_first;      /* before the list about recipients */
    bool matches_parents;         /* example.org in a table is about what is below it, too */
    bool has_special_owner_request;
    uint16_t reject_code;
    uint16_t defer_code;
    uint16_t access_reject_code;
    uint16_t access_defer_code;
    uint16_t non_fqdn_code;
    uint16_t invalid_hostname_code;
    uint16_t plaintext_code;
    struct span null_access_key; /* of the null reverse-path in tables */
    struct span recipient_delimiter;
    const struct client_list *interface_clients; /* this machine's own addresses; NULL: none */
    struct table_reference client_certificates;  /* permit_tls_clientcerts */
    struct table_reference login_maps;           /* who may send as whom; empty: everybody */
};

/* How clients say who they are. */
struct smtpsession_login {
    bool is_enabled;
    bool has_broken_clients;      /* "AUTH=" is offered, too */
    bool shows_user;              /* in Received */
    unsigned refused_properties;  /* of mechanisms, enum auth_property */
    unsigned required_properties; /* of all of them */
    unsigned refused_over_tls;
    unsigned required_over_tls;
    size_t response_limit;                /* of a line that answers a challenge */
    struct span service;                  /* for authd */
    struct span local_domain;             /* completes user names; may be empty */
    const struct client_list *mechanisms; /* that are offered; NULL: all */
    const struct client_list *exceptions; /* clients to whom none is */
};

/* What is asked of users: submitd's part. */
struct smtpsession_submission {
    bool is_on;                 /* nobody sends mail who has not logged in */
    bool checks_from;           /* addresses in From belong to the login */
    uint32_t user_message_rate; /* by login, in windows of user_window_s; 0: no limit */
    uint32_t user_recipient_rate;
    uint32_t user_window_s;
    int64_t hold_max_s; /* FUTURERELEASE; 0: not offered */
    bool has_deliver_by;
    int64_t deliver_by_min_s; /* 0: any */
    bool has_priority;
    int priority_max; /* higher ones are lowered to it */
};

/* Named as in main.cf, in the words of this code. */
struct tls_server;

struct smtpsession_settings {
    struct span server_name;  /* myhostname */
    struct span banner;       /* smtpd_banner, without "220 " */
    struct span software;     /* mail_name, for Received */
    struct span service_name; /* in master.cf: whose limits these are */
    struct ip_network_list trusted_networks;
    struct address_completion completion; /* of senders; recipients are the backend's */
    int64_t timeout_ms;
    int64_t error_sleep_ms;
    int64_t queue_timeout_ms; /* for qmgr's answers */
    struct smtpsession_limits limits;
    const struct client_list *limit_exceptions; /* whom no limit holds; NULL: nobody */
    int64_t greet_wait_ms;                      /* 0: greet at once */
    enum smtpsession_greet_action greet_action;
    uint32_t greet_ttl_s;                       /* how long it is remembered that a client waited */
    struct span greet_banner;                   /* the first line while it waits; may be empty */
    const struct client_list *greet_exceptions; /* who is greeted at once; NULL: nobody */
    bool has_request_deadline; /* timeout_ms is for a whole request, not for one read or write */
    uint32_t min_data_rate;    /* in DATA and BDAT so many bytes give another second */
    size_t line_length_limit;
    size_t header_size_limit;
    uint64_t message_size_limit; /* 0: none */
    uint32_t hopcount_limit;
    uint32_t recipient_limit;
    uint32_t recipient_overshoot_limit;
    uint32_t soft_error_limit;
    uint32_t hard_error_limit;
    uint32_t junk_command_limit;
    uint16_t bare_newline_reject_code;
    uint16_t relay_reject_code;
    bool is_vrfy_disabled;
    bool is_helo_required;
    bool has_strict_envelopes;
    bool forbids_early_pipelining;
    bool logs_client_port;
    bool looks_up_client;
    bool has_soft_bounce;
    bool speaks_lmtp;         /* RFC 2033 instead of SMTP */
    bool has_smtputf8;        /* RFC 6531 is offered, and addresses in UTF-8 are taken */
    bool has_strict_smtputf8; /* but only where MAIL said so */
    bool detects_smtputf8;    /* what needs it is sent on as if MAIL had said so */
    bool takes_bare_lf;       /* LF for CRLF, though never in the end of a message */
    bool notes_bare_lf;
    bool replaces_bare_cr;                     /* in messages, where a bare LF is taken */
    const struct client_list *bare_lf_clients; /* from whom it is taken in any case */
    bool filters_characters;                   /* one of the next two is not empty */
    struct byteset stripped_characters;
    struct byteset rejected_characters;
    const struct client_list *xclient_hosts; /* who may speak for others */
    const struct client_list *xforward_hosts;
    const struct client_list *verp_clients; /* who may ask for VERP */
    struct span verp_delimiters;            /* where XVERP names none */
    struct span verp_delimiter_filter;
    bool has_upstream_proxy; /* each connection begins with a header of the PROXY protocol */
    int64_t proxy_timeout_ms;
    const struct client_list *local_clients; /* whose headers are completed */
    struct intake_header_rules header_rules;
    unsigned notified_troubles; /* of enum smtp_trouble */
    uint32_t talk_limit; /* lines: a longer talk is told or forgotten when a message is over */
    struct smtpsession_restrictions restrictions;
    struct smtpsession_login login;
    struct smtpsession_submission submission;
    struct span content_filter; /* where a table names no other; empty: none */
    bool maps_no_addresses;     /* receive_override_options = no_address_mappings */
    bool hides_client;          /* in Received */
    bool completes_users;       /* who has logged in counts as one of local_clients */
    struct smtpsession_unverified unverified_sender;
    struct smtpsession_unverified unverified_recipient;
    struct table_reference command_filter;
    struct table_reference
        ehlo_discard_maps; /* by client address, instead of discarded_ehlo_keywords */
    struct table_reference reject_footer_maps;
    struct span reject_footer;
    struct tls_server *tls; /* NULL: it is not offered */
    bool requires_tls;      /* before anything but what leads to it */
    bool wraps_tls;         /* connections begin with the handshake */
    bool needs_tls_for_auth;
    bool asks_certificate;  /* of clients */
    bool needs_certificate; /* and one that is trusted */
    bool shows_tls_in_received;
    uint32_t tls_log_level;
    int64_t starttls_timeout_ms; /* for the handshake */
    bool opens_at_mail;          /* the queue id is taken then, not at the first recipient */
    const struct client_list *watched_clients; /* what they say and hear is logged; NULL: nobody */
    const struct client_list *flush_domains;   /* ETRN may ask for these; NULL: for none */
    struct span discarded_ehlo_keywords;
    const struct table_words *noop_commands;
    const struct table_words *forbidden_commands; /* of those that we do not know */
};

struct smtpsession_verdict {
    struct outcome outcome; /* of the recipient as such; the reason follows "<recipient>: " */
    struct outcome listed;  /* the same where the settings let unknown recipients pass */
    bool is_refused;        /* all is known of it, and nobody gets mail that is for it */
    bool is_ours;           /* final destination or relay domain: no relaying for strangers */
    struct span recipient;  /* completed */
    struct addr_expansion expansion; /* whom it stands for */
    bool is_about_sender;            /* the outcome is: the reason follows "<sender>: " */
};

/* What a session asks of others, beside qmgr. Both run in the session's task and may park; results
 * lie in the arena. */
struct smtpsession_backend {
    void *context;
    struct addr_client *addr; /* for other names of addresses in the header; NULL: they have none */
    /* The name that the address has and that has the address; empty when there is none. */
    struct span (*find_client_name)(void *context, const struct ip_address *address,
                                    struct arena *arena);
    /* Where nobody could be asked the verdict is a temporary failure. is_first: of its message.
     * ahead: NULL where it is no recipient of a command. */
    void (*check_recipient)(void *context, struct addr_ahead *ahead, struct span sender,
                            const struct mailbox *recipient, bool is_first, struct arena *arena,
                            struct smtpsession_verdict *verdict);
    /* The client has sent this one, too, and it will not be the first. May be NULL. */
    void (*check_ahead)(void *context, struct addr_ahead *ahead, struct span sender,
                        const struct mailbox *recipient, struct arena *arena);
    /* Is mail for it taken? OK, permanent: no, temporary: nobody can say. */
    void (*verify_address)(void *context, struct span address, struct arena *arena,
                           struct outcome *outcome);
    /* Tell the postmaster, if nothing is in the way. May be NULL. */
    void (*notify)(void *context, struct span subject, struct span text);
};

struct smtpsession_service {
    struct loop *loop;
    struct maillog *log;
    struct smtpsession_settings settings;
    struct smtpsession_backend backend;
    struct intake *intake;
    struct limit_client *limits; /* NULL: nothing is counted */
    struct auth_client *auth;    /* NULL: nobody can say who a client is */
    struct list sessions;
    struct loop_timer cut_timer; /* for those who wait too long, by settings that are new */
    uint32_t refused_verbs;      /* bits by enum smtp_verb */
    bool is_stopping;
    /* Told after a session's end; may be NULL. */
    void (*on_session_end)(struct smtpsession_service *service);
    void *owner; /* the daemon's */
};

void smtpsession_service_init(struct smtpsession_service *service, struct loop *loop,
                              struct maillog *log, struct intake *intake,
                              const struct smtpsession_settings *settings,
                              const struct smtpsession_backend *backend);
/* Takes the connected socket over, in every case. When there is no memory for a session the client
 * is told to come back, and the result is false. */
bool smtpsession_start(struct smtpsession_service *service, int descriptor,
                       const struct sockaddr_storage *peer);
/* Other settings, at once and for every session. Where the time that a client has became shorter,
 * those who wait now get no more than the new time from now on. What the settings before pointed to
 * must live on. */
void smtpsession_use_settings(struct smtpsession_service *service,
                              const struct smtpsession_settings *settings);
/* How a session's task notes its command (system/note.h): this and the verb. */
#define SESSION_REQUEST_NOTE "request "
/* Commands so noted have killed processes: they get a temporary refusal from now on. */
void smtpsession_refuse(struct smtpsession_service *service, struct span note);
/* A client that there is no room for is told so; its socket is closed. */
void smtpsession_turn_away(struct smtpsession_service *service, int descriptor,
                           const struct sockaddr_storage *peer);
/* Every session ends with "421" as soon as it has no transaction open: those that only wait, at
 * once (RFC 5321 section 3.8). A message on its way in still gets to the queue. */
void smtpsession_stop_all(struct smtpsession_service *service);

#endif
