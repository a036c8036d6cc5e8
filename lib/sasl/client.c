/* sasl/client - see client.h. */
#include "sasl/client.h"

#include "base/base64.h"
#include "sasl/client_private.h"
#include "sasl/oauth_message.h"
#include "sasl/plain_message.h"

void sasl_client_fail(struct sasl_client *client, enum sasl_client_failure failure,
                      struct sasl_client_event *event)
{
    client->stage = CLIENT_FAILED;
    event->has_failed = true;
    event->failure = failure;
}

void sasl_client_send(struct sasl_client *client, const struct buffer *text,
                      enum sasl_client_stage next, struct sasl_client_event *event)
{
    if (!buffer_ok(text)) {
        sasl_client_fail(client, SASL_CLIENT_TEMPORARY, event);
        return;
    }
    client->stage = next;
    event->has_message = true;
    event->message = buffer_span(text);
}

struct sasl_client *sasl_client_create(const struct sasl_client_config *config, struct arena *arena)
{
    struct sasl_client *client = arena_alloc(arena, sizeof(*client));
    if (!client)
        return NULL;
    *client = (struct sasl_client){.config = *config, .arena = arena};
    struct span *const spans[] = {
        &client->config.user,
        &client->config.authzid,
        &client->config.secret,
        &client->config.nonce,
        &client->config.host,
        &client->config.bindings.bytes[SASL_BINDING_TLS_EXPORTER],
        &client->config.bindings.bytes[SASL_BINDING_TLS_UNIQUE],
        &client->config.bindings.bytes[SASL_BINDING_TLS_SERVER_END_POINT],
    };
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++) {
        *spans[i] = arena_copy(arena, spans[i]->bytes ? *spans[i] : span_empty());
        if (!spans[i]->bytes)
            return NULL;
    }
    (void)sasl_mechanism_is_scram(config->mechanism, &client->scram.hash, &client->scram.is_plus);
    return client;
}

static bool has_nul(struct span text)
{
    return span_find_byte(text, '\0') < text.length;
}

/* What no mechanism below could carry. */
static bool are_sendable(const struct sasl_client_config *config)
{
    const bool has_user = !span_is_empty(config->user);
    const bool has_secret = !span_is_empty(config->secret);

    if (has_nul(config->user) || has_nul(config->authzid) || has_nul(config->secret) ||
        config->user.length > SASL_NAME_MAX_BYTES || config->authzid.length > SASL_NAME_MAX_BYTES)
        return false;
    if (config->mechanism == SASL_EXTERNAL || config->mechanism == SASL_ANONYMOUS)
        return true;
    if (config->mechanism == SASL_OAUTHBEARER || config->mechanism == SASL_XOAUTH2)
        return has_secret && (has_user || config->mechanism == SASL_OAUTHBEARER);
    return has_user && has_secret && config->secret.length <= SASL_PASSWORD_MAX_BYTES;
}

void sasl_client_start(struct sasl_client *client, struct sasl_client_event *event)
{
    const struct sasl_client_config *config = &client->config;
    struct buffer text;

    ASSERT(client->stage == CLIENT_NEW);
    *event = (struct sasl_client_event){.message = span_empty(), .server_text = span_empty()};
    if (!are_sendable(config)) {
        sasl_client_fail(client, SASL_CLIENT_CREDENTIALS, event);
        return;
    }
    buffer_init(&text, client->arena, SASL_MESSAGE_MAX_BYTES);
    switch (config->mechanism) {
    case SASL_SCRAM_SHA_512_PLUS:
    case SASL_SCRAM_SHA_512:
    case SASL_SCRAM_SHA_256_PLUS:
    case SASL_SCRAM_SHA_256:
    case SASL_SCRAM_SHA_1_PLUS:
    case SASL_SCRAM_SHA_1:
        sasl_client_scram_start(client, event);
        return;
    case SASL_CRAM_MD5:
    case SASL_LOGIN:
        client->stage = CLIENT_FIRST; /* the server begins */
        return;
    case SASL_EXTERNAL:
        buffer_append_span(&text, config->authzid);
        break;
    case SASL_ANONYMOUS:
        buffer_append_span(&text, config->user);
        break;
    case SASL_PLAIN:
        buffer_append_span(&text, config->authzid);
        buffer_append_byte(&text, 0);
        buffer_append_span(&text, config->user);
        buffer_append_byte(&text, 0);
        buffer_append_span(&text, config->secret);
        break;
    case SASL_OAUTHBEARER:
        oauthbearer_message_print(&text, config->user, config->host, config->port, config->secret);
        break;
    case SASL_XOAUTH2:
        xoauth2_message_print(&text, config->user, config->secret);
        break;
    case SASL_MECHANISM_COUNT:
        ASSERT(config->mechanism != SASL_MECHANISM_COUNT);
    }
    sasl_client_send(client, &text, CLIENT_COMPLETE, event);
}

static void cram_answer(struct sasl_client *client, struct span challenge,
                        struct sasl_client_event *event)
{
    uint8_t digest[CRAM_MD5_BYTES];
    struct buffer text;

    if (!cram_md5_digest(client->config.secret, challenge, digest)) {
        sasl_client_fail(client, SASL_CLIENT_TEMPORARY, event);
        return;
    }
    buffer_init(&text, client->arena, SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&text, client->config.user);
    buffer_append_byte(&text, ' ');
    hex_encode(span_of(digest, sizeof(digest)), &text);
    sasl_client_send(client, &text, CLIENT_COMPLETE, event);
}

/* The prompts' words differ between servers; their order does not. */
static void login_answer(struct sasl_client *client, struct sasl_client_event *event)
{
    const bool is_first = client->stage == CLIENT_FIRST;
    struct buffer text;

    buffer_init(&text, client->arena, SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&text, is_first ? client->config.user : client->config.secret);
    sasl_client_send(client, &text, is_first ? CLIENT_SECOND : CLIENT_COMPLETE, event);
}

/* RFC 7628 section 3.2.3: the server's reason is answered, and then it refuses. */
static void oauth_answer(struct sasl_client *client, struct span challenge,
                         struct sasl_client_event *event)
{
    struct buffer text;

    buffer_init(&text, client->arena, 1);
    if (client->config.mechanism == SASL_OAUTHBEARER)
        buffer_append_byte(&text, 1);
    event->server_text = arena_copy(client->arena, challenge);
    sasl_client_send(client, &text, CLIENT_FAILED, event);
}

void sasl_client_step(struct sasl_client *client, struct span challenge,
                      struct sasl_client_event *event)
{
    const enum sasl_mechanism mechanism = client->config.mechanism;
    enum sasl_hash hash;
    bool is_plus;

    *event = (struct sasl_client_event){.message = span_empty(), .server_text = span_empty()};
    if (challenge.length > SASL_MESSAGE_MAX_BYTES)
        sasl_client_fail(client, SASL_CLIENT_MALFORMED, event);
    else if (sasl_mechanism_is_scram(mechanism, &hash, &is_plus) && client->stage == CLIENT_FIRST)
        sasl_client_scram_proof(client, challenge, event);
    else if (sasl_mechanism_is_scram(mechanism, &hash, &is_plus) && client->stage == CLIENT_SECOND)
        sasl_client_scram_final(client, challenge, event);
    else if (mechanism == SASL_CRAM_MD5 && client->stage == CLIENT_FIRST)
        cram_answer(client, challenge, event);
    else if (mechanism == SASL_LOGIN &&
             (client->stage == CLIENT_FIRST || client->stage == CLIENT_SECOND))
        login_answer(client, event);
    else if ((mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2) &&
             client->stage == CLIENT_COMPLETE)
        oauth_answer(client, challenge, event);
    else
        sasl_client_fail(client, SASL_CLIENT_MALFORMED, event);
}

bool sasl_client_finish(struct sasl_client *client, const struct span *data)
{
    struct sasl_client_event event = {.message = span_empty()};
    enum sasl_hash hash;
    bool is_plus;

    if (data && client->stage == CLIENT_SECOND &&
        sasl_mechanism_is_scram(client->config.mechanism, &hash, &is_plus))
        sasl_client_scram_final(client, *data, &event);
    return client->stage == CLIENT_COMPLETE;
}

const char *sasl_client_failure_text(enum sasl_client_failure failure)
{
    static const char *const texts[] = {
        [SASL_CLIENT_MALFORMED] = "malformed challenge",
        [SASL_CLIENT_UNPROVEN] = "the server does not know the password",
        [SASL_CLIENT_ITERATIONS] = "the server asks for too few or too many iterations",
        [SASL_CLIENT_REFUSED] = "refused by the server",
        [SASL_CLIENT_CREDENTIALS] = "user name or password cannot be sent",
        [SASL_CLIENT_BINDING] = "no channel binding",
        [SASL_CLIENT_TEMPORARY] = "temporary failure",
    };
    return texts[failure];
}
