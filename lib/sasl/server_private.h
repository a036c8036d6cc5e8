/* sasl/server_private - what the files of the server's side share. */
#ifndef SASL_SERVER_PRIVATE_H
#define SASL_SERVER_PRIVATE_H

#include "sasl/scram_message.h"
#include "sasl/server.h"

enum sasl_server_stage {
    STAGE_NEW,
    STAGE_FIRST,       /* a first response is to come */
    STAGE_SECOND,      /* LOGIN's password, SCRAM's client-final */
    STAGE_ACKNOWLEDGE, /* the last challenge needs no answer but gets one */
    STAGE_REFUSED,     /* the client has been told why, and answers that */
    STAGE_PASSWORD_CHECK,
    STAGE_VERIFIER,
    STAGE_PLAINTEXT,
    STAGE_TOKEN_CHECK,
    STAGE_OVER
};

struct sasl_server_scram {
    enum sasl_hash hash;
    bool is_plus;
    bool is_known; /* there is such a user */
    struct span client_first_bare, server_first, nonce;
    struct span binding; /* what the client has to send as "c=", decoded */
    struct scram_verifier verifier;
};

struct sasl_server {
    struct sasl_server_config config;
    struct arena *arena;
    enum sasl_server_stage stage;
    enum sasl_failure failure; /* of STAGE_REFUSED */
    struct span user, authzid, trace;
    struct span account;   /* user as databases know it; empty: as it is */
    struct span challenge; /* of CRAM-MD5 */
    struct span digest;    /* the client's, of CRAM-MD5 */
    struct sasl_server_scram scram;
};

void sasl_server_fail(struct sasl_server *server, enum sasl_failure failure,
                      struct sasl_server_event *event);
/* The parser's word, or an arena that is full. */
void sasl_server_fail_parse(struct sasl_server *server, enum parse_result result,
                            struct sasl_server_event *event);
void sasl_server_challenge(struct sasl_server *server, struct span message,
                           enum sasl_server_stage next, struct sasl_server_event *event);
void sasl_server_need(struct sasl_server *server, enum sasl_server_step step,
                      struct sasl_server_event *event);
/* With last bytes for the client where message is not NULL. */
void sasl_server_succeed(struct sasl_server *server, const struct span *message,
                         struct sasl_server_event *event);
/* Prepares and keeps them; authzid may be empty. False: the event says why not. */
MUST_USE bool sasl_server_take_names(struct sasl_server *server, struct span user,
                                     struct span authzid, struct sasl_server_event *event);

void sasl_server_scram_first(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event);
void sasl_server_scram_final(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event);
void sasl_server_oauth_first(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event);
void sasl_server_oauth_refuse(struct sasl_server *server, struct sasl_server_event *event);
/* PLAIN, LOGIN, CRAM-MD5, EXTERNAL, ANONYMOUS. */
void sasl_server_simple_first(struct sasl_server *server, struct span message,
                              struct sasl_server_event *event);
void sasl_server_login_password(struct sasl_server *server, struct span message,
                                struct sasl_server_event *event);
void sasl_server_cram_check(struct sasl_server *server, struct span password,
                            struct sasl_server_event *event);

#endif
