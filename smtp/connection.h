/* smtp/connection - a connection to a mail server: connect, commands and replies, the end.
 * Everything that goes wrong is put in words here, in those that log readers know from Postfix.
 * For tasks. Callers: smtp/transaction, smtp/delivery, smtp/keep, smtp/greeting. */
#ifndef SMTP_CONNECTION_H
#define SMTP_CONNECTION_H

#include "auth/relay.h"
#include "base/list.h"
#include "conf/smtp.h"
#include "connect/client.h"
#include "plan.h"
#include "stage.h"
#include "smtp/ehlo.h"
#include "system/stream.h"
#include "tables.h"
#include "tls/client.h"
#include "tlsrpt/result.h"

enum {
    CONNECTION_ARENA_BYTES = 65536,
    CONNECTION_REPLY_ARENA_BYTES = 131072,
    CONNECTION_LABEL_MAX_BYTES = 320 /* a host name, an address, a port */
};

/* A failure, and whose it is. */
struct failure {
    struct outcome outcome;     /* the reason is the text for log and report; arena of the caller */
    struct span diagnostic;     /* the remote's own words; may be empty */
    bool is_connected;          /* the remote was reached */
    struct span next_transport; /* "transport:nexthop" is to have it instead; mostly empty */
    enum tlsrpt_result tls_result;   /* what a report says of it; TLSRPT_SUCCESS: not TLS's fault */
    struct span tls_reason;          /* and why, where the outcome does not say; or NULL bytes */
    struct ip_address local_address; /* for reports on TLS: the ends of the session that failed */
    struct span server_name;
    bool bounces_at_end; /* it is no use to try again later, where no other host is better */
    bool may_go_plain;   /* TLS did not come about, and would only have been nice to have */
};

/* How a connection is to be protected. */
struct protection {
    struct tls_wish wish;
    struct span destination;                     /* the next hop whose wish that is */
    struct span sender;                          /* as whom to authenticate, maybe */
    uint8_t digest[TLS_WISH_DIGEST_BYTES];       /* of the wish */
    uint8_t rules_digest[TLS_WISH_DIGEST_BYTES]; /* of what the operator says of that next hop */
    bool allows_reuse;                           /* by later deliveries */
    bool is_required_by_message;                 /* REQUIRETLS */
    /* For reports (RFC 8460): by whose policy that is. */
    enum tlsrpt_policy_type policy_type;
    struct span policy_domain;
    struct span policy_text;
    enum tlsrpt_result policy_failure; /* met on the way to the policy */
    struct span policy_failure_reason;
    bool is_host_refused; /* the policy does not name it, and is not enforced */
};

/* What connections are made with. */
struct connection_context {
    struct loop *loop;
    const struct conf_smtp *settings;
    const struct tables *tables;
    struct connect_client *connector; /* for Unix sockets */
    struct maillog *log;
    struct tls_client *tls; /* NULL: there is no TLS */
    struct relay_auth_client *authenticator;
    bool speaks_lmtp;                        /* RFC 2033 */
    struct ipc_channel *bounce;              /* smtp/notice: who tells the postmaster */
    unsigned notified_troubles;              /* of what, enum smtp_trouble */
    const struct client_list *watched_hosts; /* what is said with them is logged; NULL: none */
};

/* A domain that occurred in a recipient of this session. */
struct connection_domain {
    struct list_link link;
    struct span name;
};

struct connection {
    struct list_link link; /* of the owner: smtp/keep */
    const struct connection_context *context;
    const struct conf_smtp *settings;
    struct stream stream;
    struct arena arena;       /* what lives as long as the connection */
    struct arena reply_arena; /* the last reply */
    struct smtp_extensions extensions;
    struct list domains; /* struct connection_domain, where the server limits their number */
    char label[CONNECTION_LABEL_MAX_BYTES]; /* "mx.example.net[198.51.100.4]" */
    char relay[CONNECTION_LABEL_MAX_BYTES]; /* the same and ":25" */
    struct span host;
    int64_t opened_ms;
    struct ip_address address;
    struct ip_address local_address; /* our end of it */
    uint16_t port;
    struct span path;                    /* of a Unix socket; else empty */
    unsigned use_count;                  /* transactions begun */
    bool delays_dot;                     /* a firewall wants the final dot in a packet of its own */
    bool is_usable;                      /* in step with the server, which has not said good-bye */
    bool needs_reset;                    /* a transaction was begun and not ended */
    struct keep *keeper;                 /* smtp/keep, while it says good-bye */
    struct notice *notice;               /* smtp/notice; NULL: nothing is kept */
    const struct protection *protection; /* of whoever opens it, as long as that takes */
    struct tls_peer *tls;                /* NULL: it is not one of TLS */
    bool is_tls_optional;
    bool may_not_be_self; /* as in the plan */
    uint8_t wish_digest[TLS_WISH_DIGEST_BYTES];
    uint8_t rules_digest[TLS_WISH_DIGEST_BYTES];
    bool allows_reuse;
    char *destination; /* smtp/keep: the next hop that it serves; heap */
    int64_t idle_until_ms;
};

/* Connects, reads the greeting, says EHLO or HELO, starts TLS as the protection asks. NULL with
 * *failure filled when that fails; its texts are the arena's. */
struct connection *connection_open(const struct connection_context *context,
                                   const struct plan_target *target,
                                   const struct protection *protection, struct arena *arena,
                                   struct failure *failure);
/* Is it a connection to that address? */
MUST_USE bool connection_is_to(const struct connection *connection,
                               const struct plan_target *target);
/* "mx.example.net[198.51.100.4]:25", "mx.example.net[private/lmtp]" */
void connection_format_relay(const struct plan_target *target,
                             char text[CONNECTION_LABEL_MAX_BYTES]);
/* Says QUIT where that makes sense, and closes. */
void connection_close(struct connection **connection);
/* Closes without a word: what was said last must not be taken for complete. */
void connection_abort(struct connection **connection);

/* Adds a command to what leaves with the next flush. */
void connection_write(struct connection *connection, const char *format, ...) PRINTF_LIKE(2, 3);
/* Sends what was written, within the stage's time. False with *failure filled: the connection is
 * lost. */
MUST_USE bool connection_flush(struct connection *connection, enum connection_stage stage,
                               struct arena *arena, struct failure *failure);
/* The next reply; it lasts until the next call. False as above. */
MUST_USE bool connection_read_reply(struct connection *connection, enum connection_stage stage,
                                    struct smtp_reply *reply, struct arena *arena,
                                    struct failure *failure);
/* "host mx[addr] said: 550 5.1.1 ... (in reply to RCPT TO command)". A reply of 421 makes the
 * connection unusable. */
struct failure connection_refusal(struct connection *connection, enum connection_stage stage,
                                  const struct smtp_reply *reply, struct arena *arena);
/* The lines of a reply in one, "250 2.0.0 Ok"; the arena's. */
struct span connection_reply_text(const struct smtp_reply *reply, struct arena *arena);
/* Ends an open transaction, so that the connection can be used again; else it is unusable. */
void connection_reset(struct connection *connection);
/* Nothing has come from the server since the last reply: not even its good-bye. */
bool connection_is_quiet(struct connection *connection);
/* A whole reply is here already. It stays; the last one is gone. */
MUST_USE bool connection_has_reply(struct connection *connection);

#endif
