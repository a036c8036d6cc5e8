/* sasl/client_scram - SCRAM, the client's part (RFC 5802 sections 3 and 5 to 7, RFC 7677). */
#include <openssl/crypto.h>

#include "base/base64.h"
#include "sasl/client_private.h"
#include "sasl/prep.h"
#include "sasl/scram_message.h"

/* Section 6: p= with -PLUS; y when we could and the server does not offer it, which a server that
 * did offer it will notice; n otherwise. */
static bool append_flag(struct sasl_client *client, struct buffer *header,
                        struct span *binding_bytes)
{
    const struct sasl_client_config *config = &client->config;

    *binding_bytes = span_empty();
    if (!client->scram.is_plus) {
        const bool could = sasl_bindings_exist(&config->bindings) && !config->server_offers_plus;
        buffer_append_string(header, could ? "y," : "n,");
        return true;
    }
    for (size_t i = 0; i < SASL_BINDING_COUNT; i++)
        if (!span_is_empty(config->bindings.bytes[i])) {
            buffer_append_format(header, "p=%s,", sasl_binding_name((enum sasl_binding)i));
            *binding_bytes = config->bindings.bytes[i];
            return true;
        }
    return false;
}

void sasl_client_scram_start(struct sasl_client *client, struct sasl_client_event *event)
{
    struct sasl_client_scram *scram = &client->scram;
    struct span user, authzid = span_empty(), binding_bytes;
    struct buffer text, binding;

    if (sasl_prep_name(client->config.user, client->arena, &user) != PARSE_OK ||
        (!span_is_empty(client->config.authzid) &&
         sasl_prep_name(client->config.authzid, client->arena, &authzid) != PARSE_OK)) {
        sasl_client_fail(client, SASL_CLIENT_CREDENTIALS, event);
        return;
    }
    buffer_init(&text, client->arena, SASL_MESSAGE_MAX_BYTES);
    if (!append_flag(client, &text, &binding_bytes)) {
        sasl_client_fail(client, SASL_CLIENT_BINDING, event);
        return;
    }
    if (!span_is_empty(authzid)) {
        buffer_append_string(&text, "a=");
        scram_name_append(&text, authzid);
    }
    buffer_append_byte(&text, ',');
    const size_t header_length = text.length;
    buffer_append_string(&text, "n=");
    scram_name_append(&text, user);
    buffer_append_string(&text, ",r=");
    buffer_append_span(&text, client->config.nonce);

    buffer_init(&binding, client->arena, SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&binding, span_first(buffer_span(&text), header_length));
    buffer_append_span(&binding, binding_bytes);
    if (!buffer_ok(&binding)) {
        sasl_client_fail(client, SASL_CLIENT_TEMPORARY, event);
        return;
    }
    scram->binding = buffer_span(&binding);
    scram->first_bare = span_after(buffer_span(&text), header_length);
    sasl_client_send(client, &text, CLIENT_FIRST, event);
}

/* Section 3. */
static bool sign(struct sasl_client *client, const struct scram_server_first *first,
                 struct span signed_text, uint8_t proof[SASL_HASH_MAX_BYTES])
{
    struct sasl_client_scram *scram = &client->scram;
    const enum sasl_hash hash = scram->hash;
    const size_t length = sasl_hash_length(hash);
    uint8_t salted[SASL_HASH_MAX_BYTES], key[SASL_HASH_MAX_BYTES], stored_key[SASL_HASH_MAX_BYTES];

    bool is_good = scram_salted_password(hash, client->config.secret, first->salt,
                                         first->iterations, salted) &&
                   scram_hmac(hash, span_of(salted, length), SPAN("Client Key"), key) &&
                   scram_hash(hash, span_of(key, length), stored_key) &&
                   scram_hmac(hash, span_of(stored_key, length), signed_text, proof);
    for (size_t i = 0; is_good && i < length; i++)
        proof[i] ^= key[i];
    is_good = is_good && scram_hmac(hash, span_of(salted, length), SPAN("Server Key"), key) &&
              scram_hmac(hash, span_of(key, length), signed_text, scram->server_signature);
    OPENSSL_cleanse(salted, sizeof(salted));
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(stored_key, sizeof(stored_key));
    return is_good;
}

static void send_proof(struct sasl_client *client, const struct scram_server_first *first,
                       struct span server_first, struct sasl_client_event *event)
{
    const size_t length = sasl_hash_length(client->scram.hash);
    uint8_t proof[SASL_HASH_MAX_BYTES];
    struct buffer text, signed_text;

    buffer_init(&text, client->arena, 2 * SASL_MESSAGE_MAX_BYTES);
    buffer_append_string(&text, "c=");
    base64_encode(client->scram.binding, &text);
    buffer_append_string(&text, ",r=");
    buffer_append_span(&text, first->nonce);
    buffer_init(&signed_text, client->arena, 4 * SASL_MESSAGE_MAX_BYTES);
    buffer_append_span(&signed_text, client->scram.first_bare);
    buffer_append_byte(&signed_text, ',');
    buffer_append_span(&signed_text, server_first);
    buffer_append_byte(&signed_text, ',');
    buffer_append_span(&signed_text, buffer_span(&text));
    if (!buffer_ok(&text) || !buffer_ok(&signed_text) ||
        !sign(client, first, buffer_span(&signed_text), proof)) {
        sasl_client_fail(client, SASL_CLIENT_TEMPORARY, event);
        return;
    }
    buffer_append_string(&text, ",p=");
    base64_encode(span_of(proof, length), &text);
    sasl_client_send(client, &text, CLIENT_SECOND, event);
}

void sasl_client_scram_proof(struct sasl_client *client, struct span server_first,
                             struct sasl_client_event *event)
{
    const struct span nonce = client->config.nonce;
    struct scram_server_first first;
    struct scram_server_final final;

    /* Some servers refuse a user here. */
    if (span_starts_with(server_first, SPAN("e=")) &&
        scram_server_final_parse(server_first, client->arena, &final) == PARSE_OK) {
        event->server_text = arena_copy(client->arena, final.error);
        sasl_client_fail(client, SASL_CLIENT_REFUSED, event);
    } else if (scram_server_first_parse(server_first, client->arena, &first) != PARSE_OK ||
               /* Section 5.1: its nonce is ours with something behind it. */
               !span_starts_with(first.nonce, nonce) || first.nonce.length == nonce.length) {
        sasl_client_fail(client, SASL_CLIENT_MALFORMED, event);
    } else if (first.iterations < SCRAM_ITERATIONS || first.iterations > SCRAM_ITERATIONS_MAX) {
        /* RFC 7677 section 4: few iterations make a guess of what is sent cheap. */
        sasl_client_fail(client, SASL_CLIENT_ITERATIONS, event);
    } else {
        send_proof(client, &first, server_first, event);
    }
}

void sasl_client_scram_final(struct sasl_client *client, struct span server_final,
                             struct sasl_client_event *event)
{
    const struct span expected =
        span_of(client->scram.server_signature, sasl_hash_length(client->scram.hash));
    struct scram_server_final final;
    struct buffer nothing;

    if (scram_server_final_parse(server_final, client->arena, &final) != PARSE_OK) {
        sasl_client_fail(client, SASL_CLIENT_MALFORMED, event);
    } else if (!span_is_empty(final.error)) {
        event->server_text = arena_copy(client->arena, final.error);
        sasl_client_fail(client, SASL_CLIENT_REFUSED, event);
    } else if (!sasl_equal_secrets(final.signature, expected)) {
        sasl_client_fail(client, SASL_CLIENT_UNPROVEN, event);
    } else {
        buffer_init(&nothing, client->arena, 0);
        sasl_client_send(client, &nothing, CLIENT_COMPLETE, event);
    }
}
