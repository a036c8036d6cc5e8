/* tls/client - the client's side of TLS: what a connection is to be like, the handshake, and who
 * was reached. The handshake itself never fails because of a certificate: whoever wished for a
 * certain server looks at what was found, so that the reason can be told.
 * Interface: tls_client_create(), tls_client_handshake(). Callers: smtp. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "tls/keys.h"
#include "tls/facts.h"
#include "tls/gathered.h"
#include "tls/policy.h"
#include "tls/sessions.h"
#include "tls/settings.h"
#include "tls/stream.h"
#include "tls/verify.h"

enum { TLS_WISH_DIGEST_BYTES = 32 };

/* What holds for all connections of a process. */
struct tls_client_rules {
    struct tls_authorities authorities;
    uint32_t verify_depth;
    struct span dane_digests;
    int64_t session_lifetime_ms;
    bool needs_web; /* the authorities of the web, too, for wishes that trust them */
    /* What a wish does not say otherwise. Last: gcc 12 with -ftrivial-auto-var-init clears padding
     * that follows an array of structures at the wrong place. */
    struct tls_settings settings;
};

struct tls_client {
    SSL_CTX *context;
    /* What is trusted, until it is needed; then it is in the context, or in web. */
    struct tls_gathered *own_gathered, *web_gathered;
    X509_STORE *web;       /* NULL: not needed so far */
    struct tls_keys *keys; /* NULL: there are no certificates of our own to show; the owner's */
    int64_t keys_patience_end_ms; /* where no keyd has answered; 0: nobody has waited yet */
    struct tls_settings settings;
    struct tls_sessions sessions;
    struct tls_dane_digests dane_digests;
};

/* Reads files: before the sandbox. NULL with *problem filled. */
MUST_USE struct tls_client *tls_client_create(const struct tls_client_rules *rules,
                                              char problem[TLS_AUTHORITIES_PROBLEM_BYTES]);
void tls_client_destroy(struct tls_client **client);
/* Certificates to show, and signatures, come from there. keys lasts as long as the client. False
 * when memory is out. */
MUST_USE bool tls_client_use_keys(struct tls_client *client, struct tls_keys *keys);
/* Is there anybody whom wishes that trust the web could trust? */
MUST_USE bool tls_client_has_web(const struct tls_client *client);

/* What a connection is to be like. */
struct tls_wish {
    enum tls_level level;
    /* As in tls/settings; NULL bytes: the client's. */
    struct span protocols, ciphers, exclusions;
    struct span server_name;  /* asked for by SNI (RFC 6066 section 3); empty: nobody. DANE: the
                               * first of names */
    const struct span *names; /* one of them must be the certificate's: DANE, verify, secure */
    size_t name_count;
    unsigned name_rules;      /* enum tls_name_rule */
    bool trusts_web;          /* the system's authorities, beside those of the client */
    struct span fingerprints; /* words, at that level */
    const EVP_MD *fingerprint_digest;
    /* DANE: the server's; verify, secure: trust anchors in the place of the authorities. */
    const struct tls_dane_record *records;
    size_t record_count;
};

/* Are protocols, ciphers and exclusions what TLS has? Else *bad_word is not. */
MUST_USE bool tls_wish_check(const struct tls_wish *wish, struct span *bad_word);
/* Connections of equal wishes are as good as each other. */
void tls_wish_digest(const struct tls_wish *wish, uint8_t digest[TLS_WISH_DIGEST_BYTES]);

/* Who was reached, and how. Stays in place as long as its stream is open; then it is released. */
struct tls_peer {
    struct log_tls facts;
    enum log_tls_trust trust;
    bool is_matched; /* the wish for a certain server has come true */
    bool is_proven;  /* the certificate is trusted and has one of the names, whatever the level */
    struct tls_verify_problem problem; /* error 0: none, or nobody has looked (a resumed session) */
    char reason[TLS_REASON_MAX_BYTES]; /* of a handshake that failed */
    char certificate_fingerprint[TLS_FINGERPRINT_MAX_BYTES];
    char key_fingerprint[TLS_FINGERPRINT_MAX_BYTES];
    /* For the module itself. */
    struct tls_client *client;
    X509 *problem_certificate;
    uint8_t session_key[TLS_SESSIONS_KEY_BYTES];
};

/* In a task. place: what beside the wish must be the same for a session to be resumed. After
 * STREAM_OK the stream is one of TLS; after anything else it can only be closed. */
MUST_USE enum stream_result tls_client_handshake(struct tls_client *client, struct stream *stream,
                                                 const struct tls_wish *wish, struct span place,
                                                 int64_t deadline_ms, struct tls_peer *peer);
void tls_peer_release(struct tls_peer *peer);

#endif
