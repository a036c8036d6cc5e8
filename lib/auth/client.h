/* auth/client - have authd find out who a client is, from the task of its session.
 * Passwords go through here towards authd and nothing comes back but yes or no. Where authd is
 * away, silent or unsure the answer is AUTH_TEMPORARY; an exchange does not outlive its authd.
 * Interface: auth_client_init(), auth_client_set_channel(), auth_client_on_message(),
 * auth_client_await_mechanisms(), auth_client_find(), auth_exchange_start(),
 * auth_exchange_continue(), auth_exchange_cancel().
 * Callers: smtpd, submitd. */
#ifndef AUTH_CLIENT_H
#define AUTH_CLIENT_H

#include "auth/mechanism.h"
#include "auth/result.h"
#include "ipc/channel.h"

enum {
    /* How long a question waits for a new authd when the old one went away. */
    AUTH_CLIENT_PATIENCE_MS = 5000,
    AUTH_CLIENT_NAMES_MAX_BYTES = 8192
};

struct auth_client {
    struct ipc_channel *channel; /* NULL while there is none */
    uint32_t channel_count;      /* so far: tells one authd from the next */
    uint32_t exchange_count;
    /* What authd does now, best first; the names lie in the array below. It stays while there is
     * no authd: clients are told to try later when they use it, instead of seeing it gone. */
    struct auth_mechanism mechanisms[AUTH_MECHANISMS_MAX];
    size_t mechanism_count;
    bool is_told; /* some authd has said what it does, if that is nothing */
    uint8_t names[AUTH_CLIENT_NAMES_MAX_BYTES];
};

/* The incoming messages of the channel: for its handlers. */
extern const struct ipc_permission auth_client_permissions[];

void auth_client_init(struct auth_client *client);
/* The channel stays its owner's, who says so (NULL) before it goes. */
void auth_client_set_channel(struct auth_client *client, struct ipc_channel *channel);
/* For the on_message of the channel's handlers. */
void auth_client_on_message(struct auth_client *client, const struct ipc_delivery *delivery);
/* Waits, in a process that is younger than its authd, until it is known what authd does. False: it
 * is not, and clients are to come later. */
MUST_USE bool auth_client_await_mechanisms(const struct auth_client *client);
/* NULL when authd does not do it. The name in any case of letters. */
MUST_USE const struct auth_mechanism *auth_client_find(const struct auth_client *client,
                                                       struct span name);

/* What a session knows of its client. */
struct auth_start {
    struct span service;          /* "smtp", "imap", "pop3" */
    struct span mechanism;        /* in any case of letters */
    bool has_initial_response;    /* an empty one is one, too */
    struct span initial_response; /* decoded */
    struct span client_address;
    uint16_t client_port;
    struct span server_address;
    uint16_t server_port;
    struct span server_name; /* that the client asked for in its TLS handshake; or empty */
    bool is_encrypted;
    /* Of the TLS connection, as far as there are any: RFC 9266, RFC 5929. */
    struct span binding_exporter;
    struct span binding_unique;
    struct span binding_end_point;
    struct span certificate_identity; /* of a verified client certificate; or empty */
};

struct auth_answer {
    enum auth_result result;
    enum auth_failure failure;
    bool has_challenge;        /* also of a success: RFC 4954 section 4, RFC 3501 differ in how */
    struct span challenge;     /* to be encoded */
    struct span user;          /* who it is; of a failure, who it was said to be, or empty */
    struct span authorization; /* as whom the client acts: the user, or another */
    struct span reason;        /* for the log line, never for the client */
};

/* One conversation with a client. */
struct auth_exchange {
    struct auth_client *client;
    uint32_t number;
    uint32_t channel_count;
    bool is_open; /* a challenge waits for its response */
};

/* The following are called from a task. Texts of the answer lie in the arena, or are literals. The
 * deadline should leave authd the time that it delays failures for. */
void auth_exchange_start(struct auth_exchange *exchange, struct auth_client *client,
                         const struct auth_start *start, int64_t deadline_ms, struct arena *arena,
                         struct auth_answer *answer);
/* After AUTH_CHALLENGE: the client's response, decoded. */
void auth_exchange_continue(struct auth_exchange *exchange, struct span response,
                            int64_t deadline_ms, struct arena *arena, struct auth_answer *answer);
/* From anywhere: the client says "*", or goes. Nothing for one that is over. */
void auth_exchange_cancel(struct auth_exchange *exchange);

#endif
