/* sasl/server_simple - PLAIN, LOGIN, CRAM-MD5, EXTERNAL and ANONYMOUS, the server's part. */
#include <openssl/crypto.h>

#include "sasl/plain_message.h"
#include "sasl/server_private.h"

static void need_password_check(struct sasl_server *server, struct span password,
                                struct sasl_server_event *event)
{
    event->secret = arena_copy(server->arena, password);
    if (event->secret.bytes)
        sasl_server_need(server, SASL_SERVER_NEED_PASSWORD_CHECK, event);
    else
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
}

static void plain_first(struct sasl_server *server, struct span message,
                        struct sasl_server_event *event)
{
    struct plain_message plain;
    const enum parse_result result = plain_message_parse(message, &plain);
    if (result != PARSE_OK)
        sasl_server_fail_parse(server, result, event);
    else if (sasl_server_take_names(server, plain.user, plain.authzid, event))
        need_password_check(server, plain.password, event);
}

static void login_user(struct sasl_server *server, struct span message,
                       struct sasl_server_event *event)
{
    if (span_is_empty(message))
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    else if (sasl_server_take_names(server, message, span_empty(), event))
        sasl_server_challenge(server, SPAN("Password:"), STAGE_SECOND, event);
}

void sasl_server_login_password(struct sasl_server *server, struct span message,
                                struct sasl_server_event *event)
{
    if (span_is_empty(message) || message.length > SASL_PASSWORD_MAX_BYTES ||
        span_find_byte(message, '\0') < message.length)
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    else
        need_password_check(server, message, event);
}

static void cram_first(struct sasl_server *server, struct span message,
                       struct sasl_server_event *event)
{
    uint8_t digest[CRAM_MD5_BYTES];
    struct span user;
    const enum parse_result result = cram_message_parse(message, &user, digest);
    if (result != PARSE_OK) {
        sasl_server_fail_parse(server, result, event);
        return;
    }
    server->digest = arena_copy(server->arena, span_of(digest, sizeof(digest)));
    if (!server->digest.bytes)
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
    else if (sasl_server_take_names(server, user, span_empty(), event))
        sasl_server_need(server, SASL_SERVER_NEED_PLAINTEXT, event);
}

void sasl_server_cram_check(struct sasl_server *server, struct span password,
                            struct sasl_server_event *event)
{
    uint8_t expected[CRAM_MD5_BYTES];

    if (!cram_md5_digest(password, server->challenge, expected)) {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
        return;
    }
    if (sasl_equal_secrets(server->digest, span_of(expected, sizeof(expected))))
        sasl_server_succeed(server, NULL, event);
    else
        sasl_server_fail(server, SASL_FAILURE_CREDENTIALS, event);
    OPENSSL_cleanse(expected, sizeof(expected));
}

static void external_first(struct sasl_server *server, struct span message,
                           struct sasl_server_event *event)
{
    if (span_is_empty(server->config.external_identity))
        sasl_server_fail(server, SASL_FAILURE_CREDENTIALS, event);
    else if (sasl_server_take_names(server, server->config.external_identity, message, event))
        sasl_server_succeed(server, NULL, event);
}

static void anonymous_first(struct sasl_server *server, struct span message,
                            struct sasl_server_event *event)
{
    const enum parse_result result = trace_message_parse(message);
    if (result != PARSE_OK) {
        sasl_server_fail_parse(server, result, event);
        return;
    }
    server->trace = arena_copy(server->arena, message);
    server->user = SPAN("anonymous");
    if (server->trace.bytes)
        sasl_server_succeed(server, NULL, event);
    else
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
}

void sasl_server_simple_first(struct sasl_server *server, struct span message,
                              struct sasl_server_event *event)
{
    if (message.length > SASL_MESSAGE_MAX_BYTES)
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    else if (server->config.mechanism == SASL_PLAIN)
        plain_first(server, message, event);
    else if (server->config.mechanism == SASL_LOGIN)
        login_user(server, message, event);
    else if (server->config.mechanism == SASL_CRAM_MD5)
        cram_first(server, message, event);
    else if (server->config.mechanism == SASL_EXTERNAL)
        external_first(server, message, event);
    else
        anonymous_first(server, message, event);
}
