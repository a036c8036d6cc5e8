/* tls/guard - see guard.h. */
#include "tls/guard.h"

#include <stdint.h>

/* What the bytes are that libssl shows: nothing, or so many of those that bring nothing. A
 * ClientHello for another handshake is refused before it counts as a message, but its record shows:
 * in TLS 1.2 there are none of that kind behind the handshake. */
static size_t vain_bytes(const SSL *ssl, int content_type, const uint8_t *bytes, size_t length)
{
    if (content_type == SSL3_RT_HEADER && length == SSL3_RT_HEADER_LENGTH)
        return bytes[0] == SSL3_RT_HANDSHAKE && SSL_is_init_finished(ssl) ? length : 0;
    if (content_type != SSL3_RT_HANDSHAKE || length == 0)
        return 0;
    return bytes[0] == SSL3_MT_NEWSESSION_TICKET || bytes[0] == SSL3_MT_KEY_UPDATE ||
                   bytes[0] == SSL3_MT_HELLO_REQUEST
               ? length
               : 0;
}

/* The number of bytes stands in the argument itself: it goes where the connection goes. */
static void count(int is_sent, int version, int content_type, const void *bytes, size_t length,
                  SSL *ssl, void *argument)
{
    const size_t vain = is_sent ? 0 : vain_bytes(ssl, content_type, bytes, length);
    const uintptr_t seen_bytes = (uintptr_t)argument + vain;
    (void)version;
    if (vain == 0)
        return;
    SSL_set_msg_callback_arg(ssl, (void *)seen_bytes);
    if (seen_bytes > TLS_GUARD_MAX_BYTES)
        SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void tls_guard(SSL *ssl)
{
    SSL_set_msg_callback(ssl, count);
    SSL_set_msg_callback_arg(ssl, NULL);
}

void tls_guard_context(SSL_CTX *context)
{
    SSL_CTX_set_msg_callback(context, count);
    SSL_CTX_set_msg_callback_arg(context, NULL);
}
