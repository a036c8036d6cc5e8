/* maillog/tls - see tls.h. */
#include "maillog/tls.h"

static void put_word(struct buffer *line, const char *name, const char *word)
{
    if (*word)
        buffer_append_format(line, " %s %s", name, word);
}

void maillog_put_tls_details(struct buffer *line, const struct log_tls *tls)
{
    put_word(line, "key-exchange", tls->key_exchange);
    put_word(line, "server-signature", tls->server_signature);
    put_word(line, "server-digest", tls->server_digest);
    put_word(line, "client-signature", tls->client_signature);
    put_word(line, "client-digest", tls->client_digest);
}

void maillog_tls(struct maillog *log, enum log_tls_event event, enum log_tls_trust trust,
                 struct span peer, struct span server_name, const struct log_tls *tls)
{
    static const char *const trusts[] = {[LOG_TLS_ANONYMOUS] = "Anonymous",
                                         [LOG_TLS_UNTRUSTED] = "Untrusted",
                                         [LOG_TLS_TRUSTED] = "Trusted",
                                         [LOG_TLS_VERIFIED] = "Verified"};
    static const char *const events[] = {[LOG_TLS_FROM] = "established from",
                                         [LOG_TLS_TO] = "established to",
                                         [LOG_TLS_REUSED_TO] = "reused to"};
    struct buffer *line = maillog_begin(log, LOG_LEVEL_INFO, span_empty());
    buffer_append_format(line, "%s TLS connection %s %.*s", trusts[trust], events[event],
                         SPAN_PRINTF(peer));
    if (!span_is_empty(server_name))
        buffer_append_format(line, " to %.*s", SPAN_PRINTF(server_name));
    buffer_append_format(line, ": %s with cipher %s (%d/%d bits)", tls->protocol, tls->cipher,
                         tls->used_bits, tls->algorithm_bits);
    maillog_put_tls_details(line, tls);
    maillog_end(log);
}
