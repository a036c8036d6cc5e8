/* tests/fuzz/sasl_message - messages of SASL mechanisms: the first byte says which, the rest is the
 * message. What is taken apart lies within bounds and, put together again, is the same. */
#include <stdlib.h>

#include "sasl/oauth_message.h"
#include "sasl/plain_message.h"
#include "sasl/scram.h"
#include "sasl/scram_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void plain(struct span message)
{
    struct plain_message plain;
    if (plain_message_parse(message, &plain) != PARSE_OK)
        return;
    ASSERT(plain.user.length > 0 && plain.user.length <= SASL_NAME_MAX_BYTES);
    ASSERT(plain.authzid.length + plain.user.length + plain.password.length + 2 == message.length);
}

static void scram(struct span message, struct arena *arena)
{
    struct scram_client_first client_first, again;
    struct scram_server_first server_first;
    struct scram_client_final client_final;
    struct scram_server_final server_final;
    struct buffer text;

    if (scram_client_first_parse(message, arena, &client_first) == PARSE_OK) {
        ASSERT(client_first.nonce.length > 0 && client_first.user.length > 0);
        buffer_init(&text, arena, SASL_MESSAGE_MAX_BYTES);
        buffer_append_span(&text, client_first.header.text);
        buffer_append_string(&text, "n=");
        scram_name_append(&text, client_first.user);
        buffer_append_string(&text, ",r=");
        buffer_append_span(&text, client_first.nonce);
        ASSERT(scram_client_first_parse(buffer_span(&text), arena, &again) == PARSE_OK);
        ASSERT(span_equals(again.user, client_first.user));
        ASSERT(span_equals(again.header.authzid, client_first.header.authzid));
    }
    if (scram_server_first_parse(message, arena, &server_first) == PARSE_OK)
        ASSERT(server_first.salt.length > 0 && server_first.salt.length <= SCRAM_SALT_MAX_BYTES);
    if (scram_client_final_parse(message, arena, &client_final) == PARSE_OK)
        ASSERT(client_final.proof.length > 0 && client_final.proof.length <= SASL_HASH_MAX_BYTES &&
               span_starts_with(message, client_final.without_proof));
    if (scram_server_final_parse(message, arena, &server_final) == PARSE_OK)
        ASSERT(span_is_empty(server_final.error) != span_is_empty(server_final.signature));
}

static void oauth(struct span message, struct arena *arena)
{
    struct oauth_message oauth, again;
    struct buffer text;

    buffer_init(&text, arena, 2 * SASL_MESSAGE_MAX_BYTES);
    if (oauthbearer_message_parse(message, arena, &oauth) == PARSE_OK) {
        oauthbearer_message_print(&text, oauth.user, SPAN("h"), 25, oauth.token);
        const enum parse_result result =
            oauthbearer_message_parse(buffer_span(&text), arena, &again);
        ASSERT(result == PARSE_TOO_LONG ||
               (result == PARSE_OK && span_equals(oauth.user, again.user) &&
                span_equals(oauth.token, again.token)));
    } else if (xoauth2_message_parse(message, &oauth) == PARSE_OK) {
        xoauth2_message_print(&text, oauth.user, oauth.token);
        ASSERT(xoauth2_message_parse(buffer_span(&text), &again) == PARSE_OK);
        ASSERT(span_equals(oauth.user, again.user) && span_equals(oauth.token, again.token));
    }
}

static void verifier(struct span text)
{
    struct scram_verifier verifier, again;
    struct buffer printed;

    if (scram_verifier_parse(text, &verifier) != PARSE_OK)
        return;
    buffer_init(&printed, NULL, SCRAM_VERIFIER_TEXT_MAX_BYTES);
    scram_verifier_print(&verifier, &printed);
    ASSERT(scram_verifier_parse(buffer_span(&printed), &again) == PARSE_OK);
    ASSERT(memcmp(&verifier, &again, sizeof(again)) == 0);
    buffer_release(&printed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    uint8_t digest[CRAM_MD5_BYTES];
    struct span user;
    struct arena arena;

    if (length == 0)
        return 0;
    const struct span message = span_of(bytes + 1, length - 1);
    arena_init(&arena, 4 * SASL_ARENA_BYTES, 0);
    switch (bytes[0]) {
    case 'p':
        plain(message);
        break;
    case 'c':
        if (cram_message_parse(message, &user, digest) == PARSE_OK)
            ASSERT(user.length > 0 && user.length + 33 == message.length);
        break;
    case 't':
        ASSERT(trace_message_parse(message) != PARSE_NEED_MORE);
        break;
    case 's':
        scram(message, &arena);
        break;
    case 'o':
        oauth(message, &arena);
        break;
    case 'v':
        verifier(message);
        break;
    default:
        break;
    }
    arena_destroy(&arena);
    return 0;
}
