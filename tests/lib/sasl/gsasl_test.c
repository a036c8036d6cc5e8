/* tests/lib/sasl/gsasl - our client with GNU SASL's server, and our server with its client. */
#include "../../test.h"

#include <gsasl.h>
#include <stdlib.h>

#include "base/base64.h"
#include "sasl/client.h"
#include "sasl/server.h"

static const char user[] = "us,er=\xc3\xb6";
static const char password[] = "p\xc3\xa4ss w\xc3\xb6rd";
static const char exported[] = "exported bytes";

static const struct row {
    const char *name;
    enum sasl_mechanism mechanism;
    enum sasl_binding binding; /* of -PLUS */
    bool is_wrong;             /* the client's password */
} rows[] = {
    {"PLAIN", SASL_PLAIN, SASL_BINDING_COUNT, false},
    {"PLAIN, wrong", SASL_PLAIN, SASL_BINDING_COUNT, true},
    {"LOGIN", SASL_LOGIN, SASL_BINDING_COUNT, false},
    {"LOGIN, wrong", SASL_LOGIN, SASL_BINDING_COUNT, true},
    {"CRAM-MD5", SASL_CRAM_MD5, SASL_BINDING_COUNT, false},
    {"CRAM-MD5, wrong", SASL_CRAM_MD5, SASL_BINDING_COUNT, true},
    {"SCRAM-SHA-1", SASL_SCRAM_SHA_1, SASL_BINDING_COUNT, false},
    {"SCRAM-SHA-1, wrong", SASL_SCRAM_SHA_1, SASL_BINDING_COUNT, true},
    {"SCRAM-SHA-256", SASL_SCRAM_SHA_256, SASL_BINDING_COUNT, false},
    {"SCRAM-SHA-256, wrong", SASL_SCRAM_SHA_256, SASL_BINDING_COUNT, true},
    {"SCRAM-SHA-1-PLUS by tls-unique", SASL_SCRAM_SHA_1_PLUS, SASL_BINDING_TLS_UNIQUE, false},
    {"SCRAM-SHA-1-PLUS by tls-exporter", SASL_SCRAM_SHA_1_PLUS, SASL_BINDING_TLS_EXPORTER, false},
    {"SCRAM-SHA-256-PLUS by tls-unique", SASL_SCRAM_SHA_256_PLUS, SASL_BINDING_TLS_UNIQUE, false},
    {"SCRAM-SHA-256-PLUS by tls-exporter", SASL_SCRAM_SHA_256_PLUS, SASL_BINDING_TLS_EXPORTER,
     false},
    {"SCRAM-SHA-256-PLUS, wrong", SASL_SCRAM_SHA_256_PLUS, SASL_BINDING_TLS_EXPORTER, true},
    {"EXTERNAL", SASL_EXTERNAL, SASL_BINDING_COUNT, false},
    {"ANONYMOUS", SASL_ANONYMOUS, SASL_BINDING_COUNT, false},
};

static struct sasl_bindings bindings_of(const struct row *row)
{
    struct sasl_bindings bindings = {.bytes = {{0}}};
    if (row->binding != SASL_BINDING_COUNT)
        bindings.bytes[row->binding] = span_from_string(exported);
    return bindings;
}

static int set(Gsasl_session *session, Gsasl_property property, const char *value)
{
    return gsasl_property_set(session, property, value);
}

/* What GNU SASL asks its caller for. */
static int on_property(Gsasl *context, Gsasl_session *session, Gsasl_property property)
{
    const struct row *row = gsasl_session_hook_get(session);
    struct buffer text;
    (void)context;

    switch (property) {
    case GSASL_VALIDATE_SIMPLE:
        return strcmp(gsasl_property_fast(session, GSASL_AUTHID), user) == 0 &&
                       strcmp(gsasl_property_fast(session, GSASL_PASSWORD), password) == 0
                   ? GSASL_OK
                   : GSASL_AUTHENTICATION_ERROR;
    case GSASL_VALIDATE_EXTERNAL:
    case GSASL_VALIDATE_ANONYMOUS:
        return GSASL_OK;
    case GSASL_PASSWORD:
        return set(session, property, password);
    case GSASL_AUTHID:
    case GSASL_ANONYMOUS_TOKEN:
        return set(session, property, user);
    case GSASL_SCRAM_ITER:
        return set(session, property, "4096");
    case GSASL_CB_TLS_UNIQUE:
    case GSASL_CB_TLS_EXPORTER:
        if (row->binding !=
            (property == GSASL_CB_TLS_UNIQUE ? SASL_BINDING_TLS_UNIQUE : SASL_BINDING_TLS_EXPORTER))
            return GSASL_NO_CALLBACK;
        buffer_init(&text, NULL, 256);
        base64_encode(span_from_string(exported), &text);
        buffer_append_byte(&text, 0);
        const int result = set(session, property, (const char *)text.bytes);
        buffer_release(&text);
        return result;
    default:
        return GSASL_NO_CALLBACK;
    }
}

static Gsasl_session *start(Gsasl *context, const struct row *row, bool is_server)
{
    Gsasl_session *session = NULL;
    const char *name = sasl_mechanism_name(row->mechanism);
    const int result = is_server ? gsasl_server_start(context, name, &session)
                                 : gsasl_client_start(context, name, &session);
    if (result != GSASL_OK)
        fail_msg("%s: %s", row->name, gsasl_strerror(result));
    gsasl_session_hook_set(session, (void *)(uintptr_t)row);
    if (!is_server)
        (void)set(session, GSASL_PASSWORD, row->is_wrong ? "wrong" : password);
    return session;
}

/* One of its steps; what it says is copied into the arena. */
static int step(Gsasl_session *session, struct span input, struct arena *arena, struct span *output)
{
    char *bytes = NULL;
    size_t length = 0;
    const int result =
        gsasl_step(session, (const char *)input.bytes, input.length, &bytes, &length);
    *output = arena_copy(arena, span_of(length ? bytes : "", length));
    gsasl_free(bytes);
    return result;
}

static void our_client(Gsasl *context, const struct row *row)
{
    struct arena arena;
    struct span challenge = span_empty();
    struct sasl_client_event said;
    const struct sasl_client_config config = {
        .mechanism = row->mechanism,
        .user = span_from_string(user),
        .secret = row->is_wrong ? SPAN("wrong") : span_from_string(password),
        .nonce = SPAN("clientnonce"),
        .bindings = bindings_of(row),
        .server_offers_plus = row->binding != SASL_BINDING_COUNT,
    };
    arena_init(&arena, 2 * SASL_ARENA_BYTES, ARENA_WIPE);
    struct sasl_client *client = sasl_client_create(&config, &arena);
    Gsasl_session *session = start(context, row, true);
    int result = GSASL_NEEDS_MORE;

    assert_non_null(client);
    sasl_client_start(client, &said);
    if (!said.has_message) {
        result = step(session, span_empty(), &arena, &challenge);
        sasl_client_step(client, challenge, &said);
    }
    for (size_t i = 0; i < 8; i++) {
        if (said.has_failed)
            fail_msg("%s: our client: %s", row->name, sasl_client_failure_text(said.failure));
        result = step(session, said.message, &arena, &challenge);
        if (result != GSASL_NEEDS_MORE)
            break;
        sasl_client_step(client, challenge, &said);
    }
    if ((result == GSASL_OK) == row->is_wrong)
        fail_msg("%s: its server: %s", row->name, gsasl_strerror(result));
    if (result == GSASL_OK)
        assert_true(sasl_client_finish(client, challenge.length ? &challenge : NULL));
    gsasl_finish(session);
    arena_destroy(&arena);
}

static void answer(const struct row *row, struct sasl_server *server,
                   struct sasl_server_event *event)
{
    if (event->step == SASL_SERVER_NEED_PASSWORD_CHECK)
        sasl_server_answer_check(server,
                                 span_equals(event->secret, span_from_string(password))
                                     ? SASL_ANSWER_YES
                                     : SASL_ANSWER_NO,
                                 event);
    else if (event->step == SASL_SERVER_NEED_SCRAM_VERIFIER ||
             event->step == SASL_SERVER_NEED_PLAINTEXT)
        sasl_server_answer_plaintext(server, SASL_ANSWER_YES, span_from_string(password), event);
    if (event->step != SASL_SERVER_FAILURE && row->mechanism != SASL_ANONYMOUS)
        assert_span_is(row->name, event->user, event->user.length ? user : "");
}

static void our_server(Gsasl *context, const struct row *row, bool has_success_data)
{
    struct arena arena;
    struct span response = span_empty();
    struct sasl_server_event asked;
    const struct sasl_server_config config = {
        .mechanism = row->mechanism,
        .nonce = SPAN("servernonce"),
        .salt_secret = SPAN("secret"),
        .bindings = bindings_of(row),
        .offers_plus = row->binding != SASL_BINDING_COUNT,
        .has_success_data = has_success_data,
        .host_name = SPAN("mail.example.net"),
        .external_identity = span_from_string(user),
    };
    arena_init(&arena, 2 * SASL_ARENA_BYTES, ARENA_WIPE);
    struct sasl_server *server = sasl_server_create(&config, &arena);
    Gsasl_session *session = start(context, row, false);

    assert_non_null(server);
    sasl_server_start(server, NULL, &asked);
    for (size_t i = 0; i < 8 && asked.step == SASL_SERVER_CHALLENGE; i++) {
        const int result = step(session, asked.message, &arena, &response);
        if (result != GSASL_NEEDS_MORE && result != GSASL_OK)
            fail_msg("%s: its client: %s", row->name, gsasl_strerror(result));
        sasl_server_step(server, response, &asked);
        answer(row, server, &asked);
    }
    const enum sasl_server_step end = row->is_wrong ? SASL_SERVER_FAILURE : SASL_SERVER_SUCCESS;
    if (asked.step != end)
        fail_msg("%s: our server ends in %d: %s", row->name, (int)asked.step,
                 sasl_failure_text(asked.failure));
    if (asked.step == SASL_SERVER_SUCCESS && asked.has_message)
        assert_int_equal(step(session, asked.message, &arena, &response), GSASL_OK);
    gsasl_finish(session);
    arena_destroy(&arena);
}

static void test_with_gsasl(void **state)
{
    (void)state;
    Gsasl *context = NULL;

    assert_int_equal(gsasl_init(&context), GSASL_OK);
    gsasl_callback_set(context, on_property);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        our_client(context, &rows[i]);
        our_server(context, &rows[i], false);
        our_server(context, &rows[i], true);
    }
    gsasl_done(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_gsasl),
    };
    return cmocka_run_group_tests_name("sasl/gsasl", tests, NULL, NULL);
}
