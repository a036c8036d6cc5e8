/* sasl/server - see server.h. Here: the order of things, common to all mechanisms. */
#include "sasl/server.h"

#include "base/base64.h"
#include "sasl/prep.h"
#include "sasl/server_private.h"

void sasl_server_fail(struct sasl_server *server, enum sasl_failure failure,
                      struct sasl_server_event *event)
{
    server->stage = STAGE_OVER;
    event->step = SASL_SERVER_FAILURE;
    event->failure = failure;
}

void sasl_server_fail_parse(struct sasl_server *server, enum parse_result result,
                            struct sasl_server_event *event)
{
    (void)result; /* too long is as malformed as anything else */
    sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
}

void sasl_server_challenge(struct sasl_server *server, struct span message,
                           enum sasl_server_stage next, struct sasl_server_event *event)
{
    if (!message.bytes) {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
        return;
    }
    server->stage = next;
    event->step = SASL_SERVER_CHALLENGE;
    event->has_message = true;
    event->message = message;
}

void sasl_server_need(struct sasl_server *server, enum sasl_server_step step,
                      struct sasl_server_event *event)
{
    switch (step) {
    case SASL_SERVER_NEED_PASSWORD_CHECK:
        server->stage = STAGE_PASSWORD_CHECK;
        break;
    case SASL_SERVER_NEED_SCRAM_VERIFIER:
        server->stage = STAGE_VERIFIER;
        break;
    case SASL_SERVER_NEED_PLAINTEXT:
        server->stage = STAGE_PLAINTEXT;
        break;
    case SASL_SERVER_NEED_TOKEN_CHECK:
        server->stage = STAGE_TOKEN_CHECK;
        break;
    case SASL_SERVER_CHALLENGE:
    case SASL_SERVER_SUCCESS:
    case SASL_SERVER_FAILURE:
        break;
    }
    ASSERT(server->stage >= STAGE_PASSWORD_CHECK); /* the others ask for nothing */
    event->step = step;
}

void sasl_server_succeed(struct sasl_server *server, const struct span *message,
                         struct sasl_server_event *event)
{
    if (message && !server->config.has_success_data) {
        sasl_server_challenge(server, *message, STAGE_ACKNOWLEDGE, event);
        return;
    }
    server->stage = STAGE_OVER;
    event->step = SASL_SERVER_SUCCESS;
    if (message) {
        event->has_message = true;
        event->message = *message;
    }
}

bool sasl_server_take_names(struct sasl_server *server, struct span user, struct span authzid,
                            struct sasl_server_event *event)
{
    if ((!span_is_empty(user) && sasl_prep_name(user, server->arena, &server->user) != PARSE_OK) ||
        (!span_is_empty(authzid) &&
         sasl_prep_name(authzid, server->arena, &server->authzid) != PARSE_OK)) {
        server->user = server->authzid = span_empty();
        sasl_server_fail(server, SASL_FAILURE_UNPREPARED, event);
        return false;
    }
    return true;
}

/* ---- the caller's side ---- */

static void begin(struct sasl_server_event *event)
{
    *event = (struct sasl_server_event){.message = span_empty(), .secret = span_empty()};
}

static void finish(const struct sasl_server *server, struct sasl_server_event *event)
{
    event->user = server->user;
    event->authzid = server->authzid;
    event->trace = server->trace;
    event->hash = server->scram.hash;
}

static bool copy_spans(struct sasl_server_config *config, struct arena *arena)
{
    struct span *const spans[] = {
        &config->nonce,
        &config->salt_secret,
        &config->host_name,
        &config->external_identity,
        &config->oauth_scope,
        &config->oauth_configuration_url,
        &config->bindings.bytes[SASL_BINDING_TLS_EXPORTER],
        &config->bindings.bytes[SASL_BINDING_TLS_UNIQUE],
        &config->bindings.bytes[SASL_BINDING_TLS_SERVER_END_POINT],
    };
    for (size_t i = 0; i < ARRAY_LENGTH(spans); i++) {
        *spans[i] = arena_copy(arena, spans[i]->bytes ? *spans[i] : span_empty());
        if (!spans[i]->bytes)
            return false;
    }
    return true;
}

struct sasl_server *sasl_server_create(const struct sasl_server_config *config, struct arena *arena)
{
    struct sasl_server *server = arena_alloc(arena, sizeof(*server));
    if (!server)
        return NULL;
    *server = (struct sasl_server){.config = *config,
                                   .arena = arena,
                                   .user = span_empty(),
                                   .authzid = span_empty(),
                                   .trace = span_empty(),
                                   .account = span_empty()};
    (void)sasl_mechanism_is_scram(config->mechanism, &server->scram.hash, &server->scram.is_plus);
    return copy_spans(&server->config, arena) ? server : NULL;
}

static void first_response(struct sasl_server *server, struct span response,
                           struct sasl_server_event *event)
{
    enum sasl_hash hash;
    bool is_plus;
    const enum sasl_mechanism mechanism = server->config.mechanism;

    if (sasl_mechanism_is_scram(mechanism, &hash, &is_plus))
        sasl_server_scram_first(server, response, event);
    else if (mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2)
        sasl_server_oauth_first(server, response, event);
    else
        sasl_server_simple_first(server, response, event);
}

static struct span cram_challenge(struct sasl_server *server)
{
    /* RFC 2195 section 2: in the form of a message id, and never the same twice. */
    server->challenge =
        arena_format(server->arena, "<%.*s@%.*s>", SPAN_PRINTF(server->config.nonce),
                     SPAN_PRINTF(server->config.host_name));
    return server->challenge;
}

void sasl_server_start(struct sasl_server *server, const struct span *initial_response,
                       struct sasl_server_event *event)
{
    const enum sasl_mechanism mechanism = server->config.mechanism;

    begin(event);
    if (server->stage != STAGE_NEW)
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    /* RFC 4422 section 3.3: a mechanism where the server begins takes no initial response. */
    else if (mechanism == SASL_CRAM_MD5 && initial_response)
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    else if (mechanism == SASL_CRAM_MD5)
        sasl_server_challenge(server, cram_challenge(server), STAGE_FIRST, event);
    else if (initial_response) {
        server->stage = STAGE_FIRST;
        first_response(server, *initial_response, event);
    } else {
        sasl_server_challenge(server, mechanism == SASL_LOGIN ? SPAN("Username:") : span_empty(),
                              STAGE_FIRST, event);
    }
    finish(server, event);
}

void sasl_server_step(struct sasl_server *server, struct span response,
                      struct sasl_server_event *event)
{
    begin(event);
    if (response.length > SASL_MESSAGE_MAX_BYTES) {
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    } else if (server->stage == STAGE_FIRST) {
        first_response(server, response, event);
    } else if (server->stage == STAGE_SECOND && server->config.mechanism == SASL_LOGIN) {
        sasl_server_login_password(server, response, event);
    } else if (server->stage == STAGE_SECOND) {
        sasl_server_scram_final(server, response, event);
    } else if (server->stage == STAGE_ACKNOWLEDGE && span_is_empty(response)) {
        server->stage = STAGE_OVER;
        event->step = SASL_SERVER_SUCCESS;
    } else if (server->stage == STAGE_REFUSED) {
        sasl_server_fail(server, server->failure, event);
    } else {
        /* Also whoever goes on before we have answered. */
        sasl_server_fail(server, SASL_FAILURE_MALFORMED, event);
    }
    finish(server, event);
}

void sasl_server_answer_check(struct sasl_server *server, enum sasl_answer answer,
                              struct sasl_server_event *event)
{
    ASSERT(server->stage == STAGE_PASSWORD_CHECK);
    begin(event);
    if (answer == SASL_ANSWER_YES)
        sasl_server_succeed(server, NULL, event);
    else
        sasl_server_fail(
            server, answer == SASL_ANSWER_NO ? SASL_FAILURE_CREDENTIALS : SASL_FAILURE_TEMPORARY,
            event);
    finish(server, event);
}

void sasl_server_answer_token(struct sasl_server *server, enum sasl_answer answer, struct span user,
                              struct sasl_server_event *event)
{
    ASSERT(server->stage == STAGE_TOKEN_CHECK);
    begin(event);
    if (answer == SASL_ANSWER_TEMPORARY) {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
    } else if (answer == SASL_ANSWER_NO) {
        sasl_server_oauth_refuse(server, event);
    } else {
        const struct span claimed = server->user;
        if (sasl_server_take_names(server, user, span_empty(), event)) {
            /* Somebody else's token: the claim is a wish to act for another. */
            if (!span_is_empty(claimed) && !span_equals(claimed, server->user))
                server->authzid = claimed;
            if (span_is_empty(server->user))
                sasl_server_fail(server, SASL_FAILURE_CREDENTIALS, event);
            else
                sasl_server_succeed(server, NULL, event);
        }
    }
    finish(server, event);
}

void sasl_server_cancel(struct sasl_server *server, struct sasl_server_event *event)
{
    begin(event);
    sasl_server_fail(server, SASL_FAILURE_CANCELLED, event);
    finish(server, event);
}

/* ---- secrets that the caller looked up ---- */

/* What is answered for a user who does not exist, and for one whose password is stored as it is:
 * the same salt for the same name, which tells nothing. */
static bool make_salt(const struct sasl_server *server, uint8_t salt[SASL_HASH_MAX_BYTES])
{
    struct buffer text;
    buffer_init(&text, server->arena, SASL_NAME_MAX_BYTES + 32);
    buffer_append_string(&text, sasl_hash_name(server->scram.hash));
    buffer_append_byte(&text, 0);
    buffer_append_span(&text, span_is_empty(server->account) ? server->user : server->account);
    return buffer_ok(&text) &&
           scram_hmac(SASL_HASH_SHA_256, server->config.salt_secret, buffer_span(&text), salt);
}

void sasl_server_set_account(struct sasl_server *server, struct span user, uint32_t iterations)
{
    const struct span copy = arena_copy(server->arena, user);
    ASSERT(server->stage == STAGE_VERIFIER);
    if (copy.bytes) /* a full arena ends the exchange anyhow: salts are made there */
        server->account = copy;
    if (iterations > 0)
        server->config.iterations = iterations;
}

static uint32_t iterations_of(const struct sasl_server *server)
{
    return server->config.iterations ? server->config.iterations : SCRAM_ITERATIONS;
}

static void send_server_first(struct sasl_server *server, struct sasl_server_event *event)
{
    const struct scram_verifier *verifier = &server->scram.verifier;
    struct buffer text;

    buffer_init(&text, server->arena, SASL_MESSAGE_MAX_BYTES);
    buffer_append_string(&text, "r=");
    buffer_append_span(&text, server->scram.nonce);
    buffer_append_string(&text, ",s=");
    base64_encode(span_of(verifier->salt, verifier->salt_length), &text);
    buffer_append_format(&text, ",i=%u", verifier->iterations);
    if (!buffer_ok(&text)) {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
        return;
    }
    server->scram.server_first = buffer_span(&text);
    sasl_server_challenge(server, server->scram.server_first, STAGE_SECOND, event);
}

void sasl_server_answer_verifier(struct sasl_server *server, enum sasl_answer answer,
                                 const struct scram_verifier *verifier,
                                 struct sasl_server_event *event)
{
    uint8_t salt[SASL_HASH_MAX_BYTES];

    ASSERT(server->stage == STAGE_VERIFIER);
    begin(event);
    server->scram.is_known = answer == SASL_ANSWER_YES;
    if (answer == SASL_ANSWER_YES && verifier->hash == server->scram.hash) {
        server->scram.verifier = *verifier;
        send_server_first(server, event);
    } else if (answer == SASL_ANSWER_NO && make_salt(server, salt)) {
        /* The keys are zeros; is_known keeps anybody from finding a proof for them. */
        server->scram.verifier = (struct scram_verifier){.hash = server->scram.hash,
                                                         .iterations = iterations_of(server),
                                                         .salt_length = SCRAM_SALT_BYTES};
        memcpy(server->scram.verifier.salt, salt, SCRAM_SALT_BYTES);
        send_server_first(server, event);
    } else {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
    }
    finish(server, event);
}

static void derive(struct sasl_server *server, enum sasl_answer answer, struct span password,
                   struct sasl_server_event *event)
{
    uint8_t salt[SASL_HASH_MAX_BYTES];
    /* The same work for a user that does not exist. */
    const struct span text = answer == SASL_ANSWER_YES ? password : SPAN("nobody's");

    server->scram.is_known = answer == SASL_ANSWER_YES;
    if (answer != SASL_ANSWER_TEMPORARY && make_salt(server, salt) &&
        scram_verifier_derive(server->scram.hash, text, span_of(salt, SCRAM_SALT_BYTES),
                              iterations_of(server), &server->scram.verifier))
        send_server_first(server, event);
    else
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
}

void sasl_server_answer_plaintext(struct sasl_server *server, enum sasl_answer answer,
                                  struct span password, struct sasl_server_event *event)
{
    ASSERT(server->stage == STAGE_VERIFIER || server->stage == STAGE_PLAINTEXT);
    begin(event);
    if (server->stage == STAGE_VERIFIER)
        derive(server, answer, password, event);
    else if (answer == SASL_ANSWER_YES)
        sasl_server_cram_check(server, password, event);
    else
        sasl_server_fail(
            server, answer == SASL_ANSWER_NO ? SASL_FAILURE_CREDENTIALS : SASL_FAILURE_TEMPORARY,
            event);
    finish(server, event);
}

const char *sasl_failure_text(enum sasl_failure failure)
{
    static const char *const texts[] = {
        [SASL_FAILURE_CREDENTIALS] = "wrong credentials",
        [SASL_FAILURE_MALFORMED] = "malformed response",
        [SASL_FAILURE_BINDING] = "channel bindings do not match",
        [SASL_FAILURE_DOWNGRADE] = "channel binding was offered and not seen by the client",
        [SASL_FAILURE_UNPREPARED] = "forbidden characters in a name",
        [SASL_FAILURE_CANCELLED] = "cancelled by the client",
        [SASL_FAILURE_TEMPORARY] = "temporary failure",
    };
    return texts[failure];
}
