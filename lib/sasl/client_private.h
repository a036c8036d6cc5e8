/* sasl/client_private - what the files of the client's side share. */
#ifndef SASL_CLIENT_PRIVATE_H
#define SASL_CLIENT_PRIVATE_H

#include "sasl/client.h"

enum sasl_client_stage {
    CLIENT_NEW,
    CLIENT_FIRST,  /* the first challenge is to come */
    CLIENT_SECOND, /* LOGIN's second prompt, SCRAM's server-final, OAuth's error */
    CLIENT_COMPLETE,
    CLIENT_FAILED
};

struct sasl_client_scram {
    enum sasl_hash hash;
    bool is_plus;
    struct span first_bare;
    struct span binding; /* GS2 header and binding, decoded */
    uint8_t server_signature[SASL_HASH_MAX_BYTES];
};

struct sasl_client {
    struct sasl_client_config config;
    struct arena *arena;
    enum sasl_client_stage stage;
    struct sasl_client_scram scram;
};

void sasl_client_fail(struct sasl_client *client, enum sasl_client_failure failure,
                      struct sasl_client_event *event);
/* Sends what a buffer holds, if it holds all. */
void sasl_client_send(struct sasl_client *client, const struct buffer *text,
                      enum sasl_client_stage next, struct sasl_client_event *event);

void sasl_client_scram_start(struct sasl_client *client, struct sasl_client_event *event);
void sasl_client_scram_proof(struct sasl_client *client, struct span server_first,
                             struct sasl_client_event *event);
void sasl_client_scram_final(struct sasl_client *client, struct span server_final,
                             struct sasl_client_event *event);

#endif
