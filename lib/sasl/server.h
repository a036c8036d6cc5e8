/* sasl/server - the server's side of an exchange, as steps that ask their caller for what they
 * need.
 *
 * Every call fills one event. CHALLENGE: send it, call sasl_server_step() with what the client
 * answers. NEED_...: find that out, however long it takes, then call the sasl_server_answer_...()
 * that the event names. SUCCESS and FAILURE end the exchange. Nothing is kept outside the arena,
 * which the caller makes with ARENA_WIPE and gives up when the exchange ends.
 *
 * Pure: randomness, channel bindings and the knowledge of users are handed in. Deriving SCRAM keys
 * from a password (sasl_server_answer_plaintext) takes milliseconds. Programs that use it link
 * SASL_LIBS. Callers: authd. */
#ifndef SASL_SERVER_H
#define SASL_SERVER_H

#include "base/arena.h"
#include "sasl/mechanism.h"
#include "sasl/scram.h"

enum sasl_server_step {
    SASL_SERVER_CHALLENGE,           /* message; may be empty */
    SASL_SERVER_NEED_PASSWORD_CHECK, /* is secret the password of user? answer_check() */
    SASL_SERVER_NEED_SCRAM_VERIFIER, /* of user, for hash: answer_verifier(), answer_plaintext() */
    SASL_SERVER_NEED_PLAINTEXT,      /* the password of user: answer_plaintext() */
    SASL_SERVER_NEED_TOKEN_CHECK,    /* is secret a good token, for user? answer_token() */
    SASL_SERVER_SUCCESS,             /* user, authzid; message if has_message */
    SASL_SERVER_FAILURE              /* failure; message if has_message */
};

enum sasl_failure {
    SASL_FAILURE_CREDENTIALS, /* wrong password, unknown user, bad token: all the same */
    SASL_FAILURE_MALFORMED,   /* not what the mechanism's grammar has */
    SASL_FAILURE_BINDING,     /* channel bindings differ, or are not to be had */
    SASL_FAILURE_DOWNGRADE,   /* the client never saw that we offer -PLUS: somebody is in between */
    SASL_FAILURE_UNPREPARED,  /* a user name with forbidden characters */
    SASL_FAILURE_CANCELLED,   /* sasl_server_cancel() */
    SASL_FAILURE_TEMPORARY    /* nobody knows now: the database, memory */
};

/* What the caller found out. */
enum sasl_answer {
    SASL_ANSWER_YES,
    SASL_ANSWER_NO,       /* wrong, or no such user, or no such kind of secret for that user */
    SASL_ANSWER_TEMPORARY /* cannot be found out now */
};

struct sasl_server_event {
    enum sasl_server_step step;
    bool has_message;
    struct span message; /* bytes for the client, before base64 */
    struct span user;    /* who says to be there, prepared (sasl/prep.h); on SUCCESS who is */
    struct span authzid; /* on whose behalf, prepared; empty: for themselves. The caller decides
                            whether user may. */
    struct span secret;  /* password (as sent) or token */
    struct span trace;   /* ANONYMOUS, on SUCCESS: whom the client said to be; shown, not trusted */
    enum sasl_hash hash;
    enum sasl_failure failure;
};

struct sasl_server_config {
    enum sasl_mechanism mechanism;
    /* SCRAM, CRAM-MD5: of sasl_nonce_print(), new for each exchange. */
    struct span nonce;
    /* SCRAM: the same for as long as possible; makes the salts of users that do not exist, so that
     * nobody learns from a salt, nor from its changing, who does. */
    struct span salt_secret;
    uint32_t iterations; /* of salts that are made up; 0: SCRAM_ITERATIONS */
    /* SCRAM: what the connection has. */
    struct sasl_bindings bindings;
    /* SCRAM: the -PLUS form of this mechanism was offered on this connection. */
    bool offers_plus;
    /* Bytes may go with the protocol's word of success (ManageSieve). Otherwise (SMTP, IMAP, POP3)
     * the last message is a challenge, which the client answers with nothing. */
    bool has_success_data;
    struct span host_name;         /* CRAM-MD5, in the challenge */
    struct span external_identity; /* EXTERNAL: whom the certificate names; empty: nobody */
    /* OAUTHBEARER, XOAUTH2: told to a client whose token is not good; may be empty. */
    struct span oauth_scope, oauth_configuration_url;
};

/* NULL when the arena is full. The configuration is copied. */
MUST_USE struct sasl_server *sasl_server_create(const struct sasl_server_config *config,
                                                struct arena *arena);
/* The first call. initial_response NULL: the client sent none; an empty one is one. */
void sasl_server_start(struct sasl_server *server, const struct span *initial_response,
                       struct sasl_server_event *event);
/* After CHALLENGE. The response may go when this returns. */
void sasl_server_step(struct sasl_server *server, struct span response,
                      struct sasl_server_event *event);
/* After NEED_PASSWORD_CHECK. */
void sasl_server_answer_check(struct sasl_server *server, enum sasl_answer answer,
                              struct sasl_server_event *event);
/* Between NEED_SCRAM_VERIFIER and its answer: the user as databases know it, whichever way the
 * client wrote it, is what a salt is made up from; iterations: of users that do not exist, in place
 * of the configuration's; 0: those. */
void sasl_server_set_account(struct sasl_server *server, struct span user, uint32_t iterations);
/* After NEED_SCRAM_VERIFIER. verifier is looked at with SASL_ANSWER_YES only, and must be of the
 * event's hash. With SASL_ANSWER_NO the exchange goes on and fails at its end. */
void sasl_server_answer_verifier(struct sasl_server *server, enum sasl_answer answer,
                                 const struct scram_verifier *verifier,
                                 struct sasl_server_event *event);
/* After NEED_PLAINTEXT; after NEED_SCRAM_VERIFIER where passwords are stored as they are: keys are
 * derived with the salt that a user unknown would have, so that both look the same. */
void sasl_server_answer_plaintext(struct sasl_server *server, enum sasl_answer answer,
                                  struct span password, struct sasl_server_event *event);
/* After NEED_TOKEN_CHECK. user: whose token it is; empty: as the event said. */
void sasl_server_answer_token(struct sasl_server *server, enum sasl_answer answer, struct span user,
                              struct sasl_server_event *event);
/* The client gave up ("*" in SMTP and IMAP); at any time. */
void sasl_server_cancel(struct sasl_server *server, struct sasl_server_event *event);

/* For logs: "wrong credentials" and the like. */
const char *sasl_failure_text(enum sasl_failure failure);

#endif
