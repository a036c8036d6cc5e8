/* tests/fuzz/sasl_exchange - whole exchanges with hostile bytes on the other side. The first byte
 * chooses the mechanism, its high bit the side that is ours; messages end at a line feed. Whoever
 * knows no password is never let in, and no server that does not know it is believed. */
#include <stdlib.h>

#include "sasl/client.h"
#include "sasl/scram_message.h"
#include "sasl/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { CLIENT = 0x80, ENOUGH_ITERATIONS = 5000 };

static void server_side(enum sasl_mechanism mechanism, struct span messages, struct arena *arena)
{
    const struct sasl_server_config config = {
        .mechanism = mechanism,
        .nonce = SPAN("server"),
        .salt_secret = SPAN("secret"),
        .bindings = {{[SASL_BINDING_TLS_UNIQUE] = SPAN("bytes")}},
        .offers_plus = true,
        .host_name = SPAN("mail.example.net"),
    };
    struct sasl_server *server = sasl_server_create(&config, arena);
    struct sasl_server_event event;
    struct span message;

    ASSERT(server);
    sasl_server_start(server, NULL, &event);
    while (event.step == SASL_SERVER_CHALLENGE && messages.length > 0) {
        (void)span_split_once(messages, '\n', &message, &messages);
        sasl_server_step(server, message, &event);
        /* Nobody is known here. */
        if (event.step == SASL_SERVER_NEED_PASSWORD_CHECK)
            sasl_server_answer_check(server, SASL_ANSWER_NO, &event);
        else if (event.step == SASL_SERVER_NEED_SCRAM_VERIFIER)
            sasl_server_answer_verifier(server, SASL_ANSWER_NO, NULL, &event);
        else if (event.step == SASL_SERVER_NEED_PLAINTEXT)
            sasl_server_answer_plaintext(server, SASL_ANSWER_YES, SPAN("pencil"), &event);
        else if (event.step == SASL_SERVER_NEED_TOKEN_CHECK)
            sasl_server_answer_token(server, SASL_ANSWER_NO, span_empty(), &event);
    }
    ASSERT(event.step != SASL_SERVER_SUCCESS || mechanism == SASL_ANONYMOUS);
    ASSERT(event.step != SASL_SERVER_FAILURE || event.failure != SASL_FAILURE_TEMPORARY);
}

static bool is_much_work(struct span challenge, struct arena *arena)
{
    struct scram_server_first first;
    return scram_server_first_parse(challenge, arena, &first) == PARSE_OK &&
           first.iterations > ENOUGH_ITERATIONS;
}

static void client_side(enum sasl_mechanism mechanism, struct span messages, struct arena *arena)
{
    const struct sasl_client_config config = {
        .mechanism = mechanism,
        .user = SPAN("user"),
        .secret = SPAN("pencil"),
        .nonce = SPAN("client"),
        .bindings = {{[SASL_BINDING_TLS_UNIQUE] = SPAN("bytes")}},
        .server_offers_plus = true,
    };
    struct sasl_client *client = sasl_client_create(&config, arena);
    struct sasl_client_event event;
    enum sasl_hash hash;
    bool is_plus;
    struct span message;

    ASSERT(client);
    sasl_client_start(client, &event);
    while (!event.has_failed && messages.length > 0) {
        (void)span_split_once(messages, '\n', &message, &messages);
        if (is_much_work(message, arena))
            return;
        sasl_client_step(client, message, &event);
    }
    if (sasl_mechanism_is_scram(mechanism, &hash, &is_plus))
        ASSERT(!sasl_client_finish(client, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct arena arena;
    if (length == 0 || (bytes[0] & 0x7f) >= SASL_MECHANISM_COUNT)
        return 0;
    const enum sasl_mechanism mechanism = (enum sasl_mechanism)(bytes[0] & 0x7f);
    arena_init(&arena, 4 * SASL_ARENA_BYTES, ARENA_WIPE);
    if (bytes[0] & CLIENT)
        client_side(mechanism, span_of(bytes + 1, length - 1), &arena);
    else
        server_side(mechanism, span_of(bytes + 1, length - 1), &arena);
    arena_destroy(&arena);
    return 0;
}
