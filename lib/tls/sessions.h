/* tls/sessions - TLS sessions that may be resumed, by whatever their connection has to be like.
 * Bounded in number and in bytes; the longest unused go first, and one that is larger than sessions
 * are is not kept: what a ticket and a chain hold is for the server to choose. A ticket of TLS 1.3
 * is used again until there is a newer one: that the client can be told to be the same (RFC 8446
 * appendix C.4) is no secret of a mail server's, and some servers send none when a session is
 * resumed. Interface: tls_sessions_put(), tls_sessions_take(). Callers: tls/client. */
#ifndef TLS_SESSIONS_H
#define TLS_SESSIONS_H

#include <openssl/ssl.h>

#include "base/list.h"
#include "base/map.h"

enum {
    TLS_SESSIONS_MAX = 500,
    TLS_SESSIONS_MAX_BYTES = 16 << 20, /* of all */
    TLS_SESSION_MAX_BYTES = 1 << 17,   /* of one; ten times of what is usual */
    TLS_SESSIONS_KEY_BYTES = 32
};

struct tls_sessions {
    struct map by_key;
    struct list by_use;
    size_t bytes;
    int64_t lifetime_ms; /* 0: none is kept */
};

/* The seed must be unpredictable. */
void tls_sessions_init(struct tls_sessions *sessions, const uint8_t seed[16], int64_t lifetime_ms);
void tls_sessions_destroy(struct tls_sessions *sessions);
/* Takes the session over, in place of an earlier one. It takes so many bytes of memory, or some. */
void tls_sessions_put(struct tls_sessions *sessions, const uint8_t key[TLS_SESSIONS_KEY_BYTES],
                      SSL_SESSION *session, size_t size_bytes, int64_t now_ms);
/* The caller's to free; NULL when there is none. */
MUST_USE SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions,
                                        const uint8_t key[TLS_SESSIONS_KEY_BYTES], int64_t now_ms);
/* A connection with it came to nothing. */
void tls_sessions_forget(struct tls_sessions *sessions, const uint8_t key[TLS_SESSIONS_KEY_BYTES]);

#endif
