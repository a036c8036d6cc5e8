/* sasl/server_oauth - OAUTHBEARER and XOAUTH2, the server's part (RFC 7628). */
#include "sasl/oauth_message.h"
#include "sasl/server_private.h"

void sasl_server_oauth_first(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event)
{
    struct oauth_message oauth;
    const enum parse_result result =
        server->config.mechanism == SASL_XOAUTH2
            ? xoauth2_message_parse(message, &oauth)
            : oauthbearer_message_parse(message, server->arena, &oauth);

    if (result != PARSE_OK) {
        sasl_server_fail_parse(server, result, event);
        return;
    }
    event->secret = arena_copy(server->arena, oauth.token);
    if (!event->secret.bytes)
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
    else if (sasl_server_take_names(server, oauth.user, span_empty(), event))
        sasl_server_need(server, SASL_SERVER_NEED_TOKEN_CHECK, event);
}

/* Section 3.2.3: the client gets to know why and answers that; only then it has failed. */
void sasl_server_oauth_refuse(struct sasl_server *server, struct sasl_server_event *event)
{
    struct buffer text;
    buffer_init(&text, server->arena, SASL_MESSAGE_MAX_BYTES);
    oauth_error_print(&text, server->config.mechanism, server->config.oauth_scope,
                      server->config.oauth_configuration_url);
    if (!buffer_ok(&text)) {
        sasl_server_fail(server, SASL_FAILURE_CREDENTIALS, event);
        return;
    }
    server->failure = SASL_FAILURE_CREDENTIALS;
    sasl_server_challenge(server, buffer_span(&text), STAGE_REFUSED, event);
}
