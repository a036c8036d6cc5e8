/* sasl/server_scram - SCRAM, the server's part (RFC 5802 sections 5 to 7, RFC 7677). */
#include <openssl/crypto.h>

#include "base/base64.h"
#include "sasl/server_private.h"

/* Section 7: a server may say in its last message why it refuses. */
static void refuse(struct sasl_server *server, enum sasl_failure failure, const char *error,
                   struct sasl_server_event *event)
{
    sasl_server_fail(server, failure, event);
    event->message = arena_format(server->arena, "e=%s", error);
    event->has_message = event->message.bytes != NULL;
}

/* Section 6. False: refused. */
static bool check_flag(struct sasl_server *server, const struct gs2_header *header,
                       struct span *binding_bytes, struct sasl_server_event *event)
{
    enum sasl_binding binding;

    *binding_bytes = span_empty();
    switch (header->flag) {
    case GS2_SERVER_CANNOT:
        if (server->config.offers_plus || server->scram.is_plus) {
            refuse(server, SASL_FAILURE_DOWNGRADE, "server-does-support-channel-binding", event);
            return false;
        }
        return true;
    case GS2_NO_BINDING:
        if (!server->scram.is_plus)
            return true;
        /* Whoever picks -PLUS uses it. */
        refuse(server, SASL_FAILURE_BINDING, "other-error", event);
        return false;
    case GS2_BINDING_REQUIRED:
        break;
    }
    if (!server->scram.is_plus) {
        refuse(server, SASL_FAILURE_BINDING, "channel-binding-not-supported", event);
        return false;
    }
    if (sasl_binding_from_name(header->binding_name, &binding))
        *binding_bytes = server->config.bindings.bytes[binding];
    if (!span_is_empty(*binding_bytes))
        return true;
    refuse(server, SASL_FAILURE_BINDING, "unsupported-channel-binding-type", event);
    return false;
}

static bool keep_first(struct sasl_server *server, const struct scram_client_first *first,
                       struct span binding_bytes)
{
    struct sasl_server_scram *scram = &server->scram;
    struct buffer nonce, binding;

    buffer_init(&nonce, server->arena, 2 * SCRAM_NONCE_MAX_BYTES);
    buffer_append_span(&nonce, first->nonce);
    buffer_append_span(&nonce, server->config.nonce);
    scram->nonce = buffer_span(&nonce);
    buffer_init(&binding, server->arena, 2 * SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&binding, first->header.text);
    buffer_append_span(&binding, binding_bytes);
    scram->binding = buffer_span(&binding);
    scram->client_first_bare = arena_copy(server->arena, first->bare);
    return buffer_ok(&nonce) && buffer_ok(&binding) && scram->client_first_bare.bytes;
}

void sasl_server_scram_first(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event)
{
    struct scram_client_first first;
    struct span binding_bytes;

    const enum parse_result result = scram_client_first_parse(message, server->arena, &first);
    if (result != PARSE_OK)
        sasl_server_fail_parse(server, result, event);
    else if (!check_flag(server, &first.header, &binding_bytes, event))
        return;
    else if (!keep_first(server, &first, binding_bytes))
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
    else if (sasl_server_take_names(server, first.user, first.header.authzid, event))
        sasl_server_need(server, SASL_SERVER_NEED_SCRAM_VERIFIER, event);
}

/* Section 3: AuthMessage. */
static struct span auth_message(const struct sasl_server *server, struct span without_proof)
{
    struct buffer text;
    buffer_init(&text, server->arena, 4 * SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&text, server->scram.client_first_bare);
    buffer_append_byte(&text, ',');
    buffer_append_span(&text, server->scram.server_first);
    buffer_append_byte(&text, ',');
    buffer_append_span(&text, without_proof);
    return buffer_ok(&text) ? buffer_span(&text) : span_of(NULL, 0);
}

/* Section 3: ClientKey := ClientProof XOR ClientSignature, and its hash is what we have stored. */
static bool check_proof(const struct sasl_server *server, struct span message, struct span proof,
                        bool *is_right)
{
    const struct scram_verifier *verifier = &server->scram.verifier;
    const size_t length = sasl_hash_length(verifier->hash);
    uint8_t key[SASL_HASH_MAX_BYTES], hashed[SASL_HASH_MAX_BYTES];

    *is_right = false;
    if (!scram_hmac(verifier->hash, span_of(verifier->stored_key, length), message, key))
        return false;
    for (size_t i = 0; i < length; i++)
        key[i] ^= proof.bytes[i];
    const bool is_good = scram_hash(verifier->hash, span_of(key, length), hashed);
    if (is_good) /* both, so that it takes as long for a user that does not exist */
        *is_right = (int)sasl_equal_secrets(span_of(hashed, length),
                                            span_of(verifier->stored_key, length)) &
                    (int)server->scram.is_known;
    OPENSSL_cleanse(key, sizeof(key));
    return is_good;
}

void sasl_server_scram_final(struct sasl_server *server, struct span message,
                             struct sasl_server_event *event)
{
    const struct scram_verifier *verifier = &server->scram.verifier;
    const size_t length = sasl_hash_length(verifier->hash);
    struct scram_client_final final;
    uint8_t signature[SASL_HASH_MAX_BYTES];
    bool is_right = false;

    const enum parse_result result = scram_client_final_parse(message, server->arena, &final);
    if (result != PARSE_OK) {
        sasl_server_fail_parse(server, result, event);
        return;
    }
    if (!span_equals(final.nonce, server->scram.nonce) || final.proof.length != length) {
        refuse(server, SASL_FAILURE_MALFORMED, "other-error", event);
        return;
    }
    if (!sasl_equal_secrets(final.binding, server->scram.binding)) {
        refuse(server, SASL_FAILURE_BINDING, "channel-bindings-dont-match", event);
        return;
    }
    const struct span signed_text = auth_message(server, final.without_proof);
    if (!signed_text.bytes || !check_proof(server, signed_text, final.proof, &is_right) ||
        !scram_hmac(verifier->hash, span_of(verifier->server_key, length), signed_text,
                    signature)) {
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
        return;
    }
    if (!is_right) {
        refuse(server, SASL_FAILURE_CREDENTIALS, "invalid-proof", event);
        return;
    }
    struct buffer last;
    buffer_init(&last, server->arena, SASL_MESSAGE_MAX_BYTES);
    buffer_append_string(&last, "v=");
    base64_encode(span_of(signature, length), &last);
    const struct span text = buffer_span(&last);
    if (buffer_ok(&last))
        sasl_server_succeed(server, &text, event);
    else
        sasl_server_fail(server, SASL_FAILURE_TEMPORARY, event);
}
