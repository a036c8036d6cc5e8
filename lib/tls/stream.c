/* tls/stream - see stream.h. */
#include "tls/stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>

#include "tls/guard.h"

static void *running;

void *tls_stream_running(void)
{
    return running;
}

void tls_take_error(char text[TLS_REASON_MAX_BYTES])
{
    const char *data = NULL;
    int flags = 0;
    const unsigned long error = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    const char *reason = error ? ERR_reason_error_string(error) : NULL;
    if (!error)
        (void)snprintf(text, TLS_REASON_MAX_BYTES, "no reason given");
    else if (reason && data && (flags & ERR_TXT_STRING) && *data)
        (void)snprintf(text, TLS_REASON_MAX_BYTES, "%s: %s", reason, data);
    else if (reason)
        (void)snprintf(text, TLS_REASON_MAX_BYTES, "%s", reason);
    else
        (void)snprintf(text, TLS_REASON_MAX_BYTES, "error:%08lX", error);
    ERR_clear_error();
}

/* What became of an operation of libssl, where the error queue was empty before it. */
static enum stream_attempt judge(struct stream *stream, SSL *ssl, int result)
{
    const int error = errno;
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return STREAM_WANTS_READ;
    case SSL_ERROR_WANT_WRITE:
        return STREAM_WANTS_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_HAS_ENDED;
    case SSL_ERROR_SYSCALL:
        stream->error = error ? error : ECONNRESET;
        break;
    default:
        stream->error = EPROTO;
        break;
    }
    return STREAM_HAS_FAILED;
}

static enum stream_attempt read_tls(struct stream *stream, uint8_t *bytes, size_t size,
                                    size_t *count)
{
    SSL *ssl = stream->layer_state;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(ssl, bytes, size, count);
    if (result == 1)
        return STREAM_DID;
    const enum stream_attempt attempt = judge(stream, ssl, result);
    ERR_clear_error();
    return attempt;
}

static enum stream_attempt write_tls(struct stream *stream, struct span bytes, size_t *count)
{
    SSL *ssl = stream->layer_state;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(ssl, bytes.bytes, bytes.length, count);
    if (result == 1)
        return STREAM_DID;
    const enum stream_attempt attempt = judge(stream, ssl, result);
    ERR_clear_error();
    return attempt;
}

static bool has_more(const struct stream *stream)
{
    return SSL_has_pending(stream->layer_state) == 1;
}

static void close_tls(struct stream *stream)
{
    SSL *ssl = stream->layer_state;
    ERR_clear_error();
    /* Our close_notify, as far as the socket takes it (RFC 8446 section 6.1); the peer's is not
     * waited for: SMTP has said QUIT. Never after a failure: RFC 5246 section 7.2.2. */
    if (stream->error == 0 && SSL_is_init_finished(ssl))
        (void)SSL_shutdown(ssl);
    ERR_clear_error();
    SSL_free(ssl);
    stream->layer_state = NULL;
}

static const struct stream_layer tls_layer = {read_tls, write_tls, has_more, close_tls};

SSL *tls_stream_ssl(const struct stream *stream)
{
    return stream->layer == &tls_layer ? stream->layer_state : NULL;
}

static int enter(struct tls_handshake *handshake)
{
    ERR_clear_error();
    errno = 0;
    running = handshake->waiter ? handshake->waiter->context : NULL;
    const int result = SSL_do_handshake(handshake->ssl);
    running = NULL;
    return result;
}

/* As Postfix's log has it: "error:0A000418:SSL routines::tlsv1 alert unknown ca:FILE:LINE:DATA:".
 */
static void take_library_error(char text[TLS_REASON_MAX_BYTES])
{
    const char *file = NULL, *data = NULL;
    int line = 0, flags = 0;
    char words[TLS_REASON_MAX_BYTES];
    const unsigned long error = ERR_peek_error_all(&file, &line, NULL, &data, &flags);
    if (!error) {
        tls_take_error(text);
        return;
    }
    ERR_error_string_n(error, words, sizeof(words));
    const bool has_data = data && *data && (flags & ERR_TXT_STRING);
    (void)snprintf(text, TLS_REASON_MAX_BYTES, "%.120s:%s:%d:%s%s", words, file ? file : "", line,
                   has_data ? data : "", has_data ? ":" : ""); /* cut when too long */
    ERR_clear_error();
}

/* The peer has gone: no mistake of the protocol, though OpenSSL 3 has a text for it. */
static bool is_unexpected_end(void)
{
    const unsigned long queued = ERR_peek_error();
    return ERR_GET_LIB(queued) == ERR_LIB_SSL &&
           ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

static enum stream_result fail(struct stream *stream, struct tls_handshake *handshake, int result,
                               int error)
{
    if (is_unexpected_end()) {
        stream->error = ECONNRESET; /* errno is of the alert that nobody was there to read */
        (void)snprintf(handshake->reason, sizeof(handshake->reason), "lost connection");
        ERR_clear_error();
    } else if (SSL_get_error(handshake->ssl, result) == SSL_ERROR_SYSCALL &&
               ERR_peek_error() == 0) {
        stream->error = error ? error : ECONNRESET;
        (void)snprintf(handshake->reason, sizeof(handshake->reason), "%s",
                       error ? strerrordesc_np(error) : "lost connection");
    } else {
        stream->error = EPROTO;
        take_library_error(handshake->reason);
    }
    return STREAM_FAILED;
}

/* One entry into libssl, and the wait that it asks for; *is_done when there is none. */
static enum stream_result step(struct stream *stream, struct tls_handshake *handshake,
                               bool *is_done)
{
    const int result = enter(handshake);
    const int error = errno;
    *is_done = result == 1;
    if (*is_done)
        return STREAM_OK;
    const int why = SSL_get_error(handshake->ssl, result);
    switch (why) {
    case SSL_ERROR_WANT_READ:
        return stream_wait(stream, STREAM_WANTS_READ, handshake->deadline_ms);
    case SSL_ERROR_WANT_WRITE:
        return stream_wait(stream, STREAM_WANTS_WRITE, handshake->deadline_ms);
    case SSL_ERROR_WANT_ASYNC:
    case SSL_ERROR_WANT_ASYNC_JOB:
    case SSL_ERROR_WANT_X509_LOOKUP:
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_RETRY_VERIFY:
        if (handshake->waiter) {
            const struct tls_waiter *waiter = handshake->waiter;
            return waiter->wait(waiter->context, handshake->ssl, why, handshake->deadline_ms);
        }
        break;
    default:
        break;
    }
    return fail(stream, handshake, result, error);
}

enum stream_result tls_stream_handshake(struct stream *stream, struct tls_handshake *handshake)
{
    handshake->reason[0] = '\0';
    ERR_clear_error();
    stream_consume(stream, stream_input(stream).length);
    tls_guard(handshake->ssl);
    bool is_done = false;
    enum stream_result result = STREAM_OK;
    if (stream->descriptor < 0 || SSL_set_fd(handshake->ssl, stream->descriptor) != 1) {
        stream->error = stream->descriptor < 0 ? EBADF : ENOMEM;
        (void)snprintf(handshake->reason, sizeof(handshake->reason), "%s",
                       strerrordesc_np(stream->error));
        result = STREAM_FAILED;
    }
    while (result == STREAM_OK && !is_done)
        result = step(stream, handshake, &is_done);
    if (result == STREAM_OK) {
        /* Only handshakes need others; every later call would pay for the possibility. */
        SSL_clear_mode(handshake->ssl, SSL_MODE_ASYNC);
        stream_push_layer(stream, &tls_layer, handshake->ssl);
    } else {
        /* A job that waits for an answer is let run to its end, without one. */
        if (SSL_waiting_for_async(handshake->ssl))
            (void)enter(handshake);
        ERR_clear_error();
        SSL_free(handshake->ssl);
        if (stream->error == 0)
            stream->error = result == STREAM_TIMED_OUT ? ETIMEDOUT : ECANCELED;
    }
    handshake->ssl = NULL;
    return result;
}
