/* auth/relay - have authd authenticate this host at another server, from the task of a session.
 * The exchange runs in authd: what comes back is what to send, and passwords only where the
 * mechanism sends them.
 * Interface: relay_auth_init(), relay_auth_set_channel(), relay_auth_start(), relay_auth_step(),
 * relay_auth_finish(), relay_auth_give_up(). Callers: smtp. */
#ifndef AUTH_RELAY_H
#define AUTH_RELAY_H

#include "ipc/channel.h"

enum {
    RELAY_AUTH_PATIENCE_MS = 5000, /* how long a question waits for a new authd */
    RELAY_AUTH_TIMEOUT_MS = 30000  /* how long an answer may take */
};

enum relay_auth_result {
    RELAY_AUTH_NO_PASSWORD,   /* there is none for this server: talk to it as a stranger */
    RELAY_AUTH_NO_MECHANISM,  /* there is one, and no mechanism that may be used */
    RELAY_AUTH_SEND,          /* response, where has_response; after start: with the mechanism */
    RELAY_AUTH_DONE,          /* after finish: it is the right server */
    RELAY_AUTH_FAILED,        /* reason: what it says makes no sense, or proves nothing */
    RELAY_AUTH_KNOWN_REFUSAL, /* reason: what the server said to this password not long ago */
    RELAY_AUTH_TEMPORARY,     /* reason: it cannot be told now */
    RELAY_AUTH_RESULT_COUNT
};

struct relay_auth_client {
    struct ipc_channel *channel; /* NULL while there is none */
    uint32_t channel_count;      /* so far: tells one authd from the next */
    uint32_t exchange_count;
};

struct relay_auth_exchange {
    struct relay_auth_client *client;
    uint32_t number, channel_count;
};

struct relay_auth_answer {
    enum relay_auth_result result;
    struct span mechanism;
    bool has_response;
    struct span response; /* before base64 */
    struct span reason;
};

void relay_auth_init(struct relay_auth_client *client);
/* The channel stays its owner's, who says so (NULL) before it goes. */
void relay_auth_set_channel(struct relay_auth_client *client, struct ipc_channel *channel);

/* start->exchange is filled in here. Texts of answers are the arena's, which should be one that is
 * wiped. */
void relay_auth_start(struct relay_auth_exchange *exchange, struct relay_auth_client *client,
                      struct ipc_relay_auth_start *start, struct arena *arena,
                      struct relay_auth_answer *answer);
/* What the server said, decoded. */
void relay_auth_step(struct relay_auth_exchange *exchange, struct span challenge,
                     struct arena *arena, struct relay_auth_answer *answer);
/* The server is satisfied: RELAY_AUTH_DONE if it is the right one. */
void relay_auth_finish(struct relay_auth_exchange *exchange, struct arena *arena,
                       struct relay_auth_answer *answer);
/* It came to nothing. refusal: the server's reply where that says that the password is wrong; else
 * empty. */
void relay_auth_give_up(struct relay_auth_exchange *exchange, struct span refusal);

#endif
