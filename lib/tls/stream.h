/* tls/stream - a TLS connection under a stream (system/stream.h).
 * The handshake runs in the task of the session, as any other exchange with the peer: it waits for
 * the socket and, where the connection needs somebody else (a signature by keyd, the certificates
 * of a name), for that. libssl is never left by a switch of tasks: it returns, the task waits, and
 * libssl is entered again. libssl writes with write(2): the process ignores SIGPIPE.
 * Interface: tls_stream_handshake(), tls_stream_ssl(), tls_stream_running(). Callers: tls/server,
 * tls/client. */
#ifndef TLS_STREAM_H
#define TLS_STREAM_H

#include <openssl/ssl.h>

#include "system/stream.h"

enum { TLS_REASON_MAX_BYTES = 200 };

/* Waiting, in a task, for what a callback or a provider asked of somebody else. */
struct tls_waiter {
    /* why: SSL_ERROR_WANT_ASYNC, SSL_ERROR_WANT_ASYNC_JOB, SSL_ERROR_WANT_X509_LOOKUP,
     * SSL_ERROR_WANT_CLIENT_HELLO_CB or SSL_ERROR_WANT_RETRY_VERIFY. After STREAM_OK libssl goes
     * on; anything else ends the handshake. */
    enum stream_result (*wait)(void *context, SSL *ssl, int why, int64_t deadline_ms);
    void *context;
};

struct tls_handshake {
    SSL *ssl;                        /* in accept or connect state, without a socket */
    const struct tls_waiter *waiter; /* NULL: nothing but the socket is waited for */
    int64_t deadline_ms;
    /* After STREAM_FAILED: what the kernel said, "lost connection", or, where stream->error is
     * EPROTO, what libssl said, in the shape of Postfix's log. */
    char reason[TLS_REASON_MAX_BYTES];
};

/* In a task. Makes the stream one of TLS. Takes ssl over in any case: it goes with the stream, or
 * at once when the handshake fails. What the stream's window holds is thrown away before (RFC 3207
 * section 4.2: nothing that came before the handshake counts), and its output must have been
 * flushed. After anything but STREAM_OK the stream can only be closed. */
MUST_USE enum stream_result tls_stream_handshake(struct stream *stream,
                                                 struct tls_handshake *handshake);
/* NULL where the stream is not one of TLS. */
SSL *tls_stream_ssl(const struct stream *stream);
/* The context of the waiter whose handshake libssl works on right now: for providers and callbacks,
 * which are not told. NULL outside of handshakes. A provider that was to wait and is entered again
 * without an answer must fail: the handshake is given up. */
void *tls_stream_running(void);
/* Says in text what the oldest entry of libcrypto's error queue is, and empties the queue. */
void tls_take_error(char text[TLS_REASON_MAX_BYTES]);

#endif
