/* tls/server - the server's side of TLS: one context for all sessions of a process, and a handshake
 * with each of them.
 * Interface: tls_server_create(), tls_server_accept().
 * Callers: lib/smtpserver, lib/smtpsession. */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "tls/authorities.h"
#include "tls/facts.h"
#include "tls/keys.h"
#include "tls/certificate.h"
#include "tls/settings.h"
#include "tls/stream.h"

enum { TLS_SERVER_NAME_MAX_BYTES = 255 };

struct tls_server_settings {
    struct span context_name;    /* a session of one context is not resumed in another */
    int64_t session_lifetime_ms; /* 0: none is resumed */
    bool asks_certificate;
    uint32_t verify_depth;
    struct tls_authorities authorities; /* of clients' certificates */
    struct span fingerprint_digest;
    bool prefers_own_ciphers;
    /* Last: gcc 12 with -ftrivial-auto-var-init clears padding that follows an array of structures
     * at the wrong place. */
    struct tls_settings common;
};

struct tls_server;

/* Before the sandbox closes: reads the authorities. NULL, and *error says what to mend. */
MUST_USE struct tls_server *tls_server_create(const struct tls_server_settings *settings,
                                              struct conf_error *error);
void tls_server_destroy(struct tls_server **server);
/* Why not all authorities could be read, so that clients' certificates may not be trusted; NULL:
 * they could. */
MUST_USE const char *tls_server_problem(const struct tls_server *server);
/* For whoever has certificates and keys in memory. */
SSL_CTX *tls_server_context(struct tls_server *server);
/* Certificates, signatures and ticket keys come from there. keys lasts as long as the server. False
 * when memory is out. */
MUST_USE bool tls_server_use_keys(struct tls_server *server, struct tls_keys *keys);

/* From a task: is TLS to be offered? Not where no certificate is configured; but where there should
 * be one and is none, so that clients try again. */
MUST_USE bool tls_server_is_offered(struct tls_server *server);
/* From a task: is there a certificate to show, or is it to be done without? */
MUST_USE bool tls_server_is_ready(struct tls_server *server);

/* What is to be known of a connection after its handshake. */
struct tls_session {
    struct log_tls facts;
    enum log_tls_trust trust;
    struct tls_certificate *certificate;             /* NULL: the client has shown none */
    char server_name[TLS_SERVER_NAME_MAX_BYTES + 1]; /* SNI, where that name has its own chain */
    char cipher_name[LOG_TLS_WORD_MAX_BYTES];        /* as registered: "TLS_AES_256_GCM_SHA384" */
    char group_name[LOG_TLS_WORD_MAX_BYTES];         /* likewise: "x25519"; may be empty */
};

/* From a task: the handshake; see tls_stream_handshake(). On STREAM_OK *session is the caller's,
 * else NULL and reason says why. */
MUST_USE enum stream_result tls_server_accept(struct tls_server *server, struct stream *stream,
                                              int64_t deadline_ms, struct tls_session **session,
                                              char reason[TLS_REASON_MAX_BYTES]);
/* As if the client had shown none: it has spoken for another one, whose certificate it is not. */
void tls_session_forget_certificate(struct tls_session *session);
void tls_session_destroy(struct tls_session **session);

#endif
