/* tests/lib/sasl/client - whole exchanges, as a server drives them; and our two sides with each
 * other. */
#include "../../test.h"

#include "base/base64.h"
#include "sasl/client.h"
#include "sasl/server.h"

#define BYTES(literal) SPAN_LITERAL(literal)

enum { OFFERS_PLUS = 1, BINDINGS = 2, FINISHES = 4, DATA_AT_END = 8 };

static const struct row {
    const char *name;
    enum sasl_mechanism mechanism;
    unsigned options;
    struct span user, authzid, secret;
    const char *nonce;
    struct span server[4];  /* challenges; with DATA_AT_END the last comes with success */
    struct span transcript; /* what the client says, in brackets; how it ends */
} rows[] = {
    {"PLAIN",
     SASL_PLAIN,
     FINISHES,
     BYTES("tim"),
     BYTES(""),
     BYTES("tanstaaftanstaaf"),
     NULL,
     {{0}},
     BYTES("[\0tim\0tanstaaftanstaaf] yes")},
    {"PLAIN for another",
     SASL_PLAIN,
     FINISHES,
     BYTES("tim"),
     BYTES("Kurt"),
     BYTES("p w"),
     NULL,
     {{0}},
     BYTES("[Kurt\0tim\0p w] yes")},
    {"PLAIN, a challenge",
     SASL_PLAIN,
     0,
     BYTES("tim"),
     BYTES(""),
     BYTES("p"),
     NULL,
     {BYTES("more")},
     BYTES("[\0tim\0p] malformed challenge")},
    {"PLAIN, NUL",
     SASL_PLAIN,
     0,
     BYTES("tim"),
     BYTES(""),
     BYTES("p\0w"),
     NULL,
     {{0}},
     BYTES("user name or password cannot be sent")},
    {"PLAIN, no password",
     SASL_PLAIN,
     0,
     BYTES("tim"),
     BYTES(""),
     BYTES(""),
     NULL,
     {{0}},
     BYTES("user name or password cannot be sent")},
    {"LOGIN",
     SASL_LOGIN,
     FINISHES,
     BYTES("tim"),
     BYTES(""),
     BYTES("p w"),
     NULL,
     {BYTES("Username:"), BYTES("Password:")},
     BYTES("- [tim] [p w] yes")},
    {"LOGIN, other words",
     SASL_LOGIN,
     FINISHES,
     BYTES("tim"),
     BYTES(""),
     BYTES("p w"),
     NULL,
     {BYTES("User Name\0"), BYTES("")},
     BYTES("- [tim] [p w] yes")},
    {"LOGIN, success too early",
     SASL_LOGIN,
     FINISHES,
     BYTES("tim"),
     BYTES(""),
     BYTES("p w"),
     NULL,
     {BYTES("Username:")},
     BYTES("- [tim] no")},
    {"LOGIN, a third prompt",
     SASL_LOGIN,
     0,
     BYTES("tim"),
     BYTES(""),
     BYTES("p w"),
     NULL,
     {BYTES(""), BYTES(""), BYTES("")},
     BYTES("- [tim] [p w] malformed challenge")},
    /* RFC 2195 section 2 */
    {"CRAM-MD5",
     SASL_CRAM_MD5,
     FINISHES,
     BYTES("tim"),
     BYTES(""),
     BYTES("tanstaaftanstaaf"),
     NULL,
     {BYTES("<1896.697170952@postoffice.reston.mci.net>")},
     BYTES("- [tim b913a602c7eda7a495b4e6e7334d3890] yes")},
    /* RFC 5802 section 5 */
    {"SCRAM-SHA-1",
     SASL_SCRAM_SHA_1,
     FINISHES,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "fyko+d2lbbFgONRv9qkxdawL",
     {BYTES("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
      BYTES("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")},
     BYTES("[n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL] "
           "[c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=] "
           "[] yes")},
    /* RFC 7677 section 3 */
    {"SCRAM-SHA-256",
     SASL_SCRAM_SHA_256,
     FINISHES,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "rOprNGfwEbeRWgbNEkqO",
     {BYTES("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,"
            "i=4096"),
      BYTES("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")},
     BYTES("[n,,n=user,r=rOprNGfwEbeRWgbNEkqO] "
           "[c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
           "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=] [] yes")},
    {"SCRAM, signature with success",
     SASL_SCRAM_SHA_1,
     FINISHES | DATA_AT_END,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "fyko+d2lbbFgONRv9qkxdawL",
     {BYTES("r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"),
      BYTES("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")},
     BYTES("[n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL] "
           "[c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=] "
           "yes")},
    {"SCRAM, no signature",
     SASL_SCRAM_SHA_1,
     FINISHES,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=ab,s=QSXCR+Q6sek8bf92,i=4096")},
     BYTES("[n,,n=user,r=a] [c=biws,r=ab,p=20cEyPf+T86/Dp5Ubvi9aVzaCTg=] no")},
    {"SCRAM, success at once",
     SASL_SCRAM_SHA_1,
     FINISHES,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[n,,n=user,r=a] no")},
    {"SCRAM, wrong signature",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=ab,s=QSXCR+Q6sek8bf92,i=4096"), BYTES("v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")},
     BYTES("[n,,n=user,r=a] [c=biws,r=ab,p=20cEyPf+T86/Dp5Ubvi9aVzaCTg=] "
           "the server does not know the password")},
    {"SCRAM, the server says why",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=ab,s=QSXCR+Q6sek8bf92,i=4096"), BYTES("e=invalid-proof")},
     BYTES("[n,,n=user,r=a] [c=biws,r=ab,p=20cEyPf+T86/Dp5Ubvi9aVzaCTg=] "
           "refused by the server (invalid-proof)")},
    {"SCRAM, the server says at once why",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("e=unknown-user")},
     BYTES("[n,,n=user,r=a] refused by the server (unknown-user)")},
    {"SCRAM, another's nonce",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=bb,s=QSXCR+Q6sek8bf92,i=4096")},
     BYTES("[n,,n=user,r=a] malformed challenge")},
    {"SCRAM, no nonce of the server",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=a,s=QSXCR+Q6sek8bf92,i=4096")},
     BYTES("[n,,n=user,r=a] malformed challenge")},
    {"SCRAM, few iterations",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=ab,s=QSXCR+Q6sek8bf92,i=1")},
     BYTES("[n,,n=user,r=a] the server asks for too few or too many iterations")},
    {"SCRAM, endless iterations",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {BYTES("r=ab,s=QSXCR+Q6sek8bf92,i=4000000000")},
     BYTES("[n,,n=user,r=a] the server asks for too few or too many iterations")},
    {"SCRAM, name with escapes, for another",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("a,b=c"),
     BYTES("x,y"),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[n,a=x=2Cy,n=a=2Cb=3Dc,r=a]")},
    {"SCRAM, name is prepared",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("ramo\xcc\x81n"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[n,,n=ram\xc3\xb3n,r=a]")},
    {"SCRAM, forbidden name",
     SASL_SCRAM_SHA_1,
     0,
     BYTES("ram\x07"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("user name or password cannot be sent")},
    {"SCRAM, the server cannot bind",
     SASL_SCRAM_SHA_1,
     BINDINGS,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[y,,n=user,r=a]")},
    {"SCRAM, the server could bind",
     SASL_SCRAM_SHA_1,
     BINDINGS | OFFERS_PLUS,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[n,,n=user,r=a]")},
    {"SCRAM-PLUS",
     SASL_SCRAM_SHA_1_PLUS,
     BINDINGS | OFFERS_PLUS,
     BYTES("user"),
     BYTES("x"),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("[p=tls-exporter,a=x,n=user,r=a]")},
    {"SCRAM-PLUS, no binding",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     BYTES("user"),
     BYTES(""),
     BYTES("pencil"),
     "a",
     {{0}},
     BYTES("no channel binding")},
    /* RFC 7628 section 4 */
    {"OAUTHBEARER",
     SASL_OAUTHBEARER,
     FINISHES,
     BYTES("user@example.com"),
     BYTES(""),
     BYTES("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
     NULL,
     {{0}},
     BYTES("[n,a=user@example.com,\1host=server.example.com\1port=143\1"
           "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1] yes")},
    {"OAUTHBEARER, refused",
     SASL_OAUTHBEARER,
     FINISHES,
     BYTES("u"),
     BYTES(""),
     BYTES("t"),
     NULL,
     {BYTES("{\"status\":\"invalid_token\"}")},
     BYTES("[n,a=u,\1host=server.example.com\1port=143\1"
           "auth=Bearer t\1\1] ({\"status\":\"invalid_token\"}) [\1] no")},
    {"XOAUTH2, refused",
     SASL_XOAUTH2,
     FINISHES,
     BYTES("u"),
     BYTES(""),
     BYTES("t"),
     NULL,
     {BYTES("{\"status\":\"401\"}")},
     BYTES("[user=u\1auth=Bearer t\1\1] ({\"status\":\"401\"}) [] no")},
    {"EXTERNAL",
     SASL_EXTERNAL,
     FINISHES,
     BYTES(""),
     BYTES(""),
     BYTES(""),
     NULL,
     {{0}},
     BYTES("[] yes")},
    {"ANONYMOUS",
     SASL_ANONYMOUS,
     FINISHES,
     BYTES("sirhc"),
     BYTES(""),
     BYTES(""),
     NULL,
     {{0}},
     BYTES("[sirhc] yes")},
};

static void note(const struct sasl_client_event *event, struct buffer *transcript)
{
    if (transcript->length > 0)
        buffer_append_byte(transcript, ' ');
    if (event->has_failed) {
        buffer_append_string(transcript, sasl_client_failure_text(event->failure));
    } else if (!event->has_message) {
        buffer_append_byte(transcript, '-');
    }
    if (!span_is_empty(event->server_text)) {
        buffer_append_string(transcript, event->has_failed ? " (" : "(");
        buffer_append_span(transcript, event->server_text);
        buffer_append_string(transcript, event->has_failed ? ")" : ") ");
    }
    if (event->has_message) {
        buffer_append_byte(transcript, '[');
        buffer_append_span(transcript, event->message);
        buffer_append_byte(transcript, ']');
    }
}

static void play(const struct row *row, struct arena *arena, struct buffer *transcript)
{
    struct sasl_client_config config = {.mechanism = row->mechanism,
                                        .user = row->user,
                                        .authzid = row->authzid,
                                        .secret = row->secret,
                                        .nonce = span_from_string(row->nonce),
                                        .server_offers_plus = row->options & OFFERS_PLUS,
                                        .host = SPAN("server.example.com"),
                                        .port = 143};
    if (row->options & BINDINGS)
        config.bindings.bytes[SASL_BINDING_TLS_EXPORTER] = SPAN("exported bytes");
    struct sasl_client *client = sasl_client_create(&config, arena);
    struct sasl_client_event event;
    size_t i = 0;

    assert_non_null(client);
    sasl_client_start(client, &event);
    note(&event, transcript);
    for (; i < ARRAY_LENGTH(row->server) && row->server[i].bytes && !event.has_failed; i++) {
        const bool is_last = i + 1 == ARRAY_LENGTH(row->server) || row->server[i + 1].bytes == NULL;
        if (is_last && row->options & DATA_AT_END)
            break;
        sasl_client_step(client, row->server[i], &event);
        note(&event, transcript);
    }
    if (row->options & FINISHES)
        buffer_append_string(
            transcript,
            sasl_client_finish(client, row->options & DATA_AT_END ? &row->server[i] : NULL)
                ? " yes"
                : " no");
}

static void test_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct buffer transcript;
        arena_init(&arena, SASL_ARENA_BYTES, ARENA_WIPE);
        buffer_init(&transcript, NULL, 65536);
        play(&rows[i], &arena, &transcript);
        if (!span_equals(buffer_span(&transcript), rows[i].transcript))
            fail_msg("%s: got \"%.*s\", expected \"%.*s\"", rows[i].name,
                     SPAN_PRINTF(buffer_span(&transcript)), SPAN_PRINTF(rows[i].transcript));
        buffer_release(&transcript);
        arena_destroy(&arena);
    }
}

/* ---- with our own server ---- */

struct match {
    enum sasl_mechanism mechanism;
    const char *password; /* the client's */
    const char *exported; /* the binding of the client's connection */
    bool client_sees_plus;
    enum sasl_server_step end;
    enum sasl_failure failure;
};

static const char server_password[] = "p\xc3\xa4ss w\xc3\xb6rd";

static void answer(struct sasl_server *server, struct sasl_server_event *event)
{
    const struct span password = span_from_string(server_password);

    if (event->step == SASL_SERVER_NEED_PASSWORD_CHECK)
        sasl_server_answer_check(
            server, span_equals(event->secret, password) ? SASL_ANSWER_YES : SASL_ANSWER_NO, event);
    else if (event->step == SASL_SERVER_NEED_TOKEN_CHECK)
        sasl_server_answer_token(server,
                                 span_equals(event->secret, SPAN("good.token")) ? SASL_ANSWER_YES
                                                                                : SASL_ANSWER_NO,
                                 span_empty(), event);
    else if (event->step == SASL_SERVER_NEED_SCRAM_VERIFIER ||
             event->step == SASL_SERVER_NEED_PLAINTEXT)
        sasl_server_answer_plaintext(server, SASL_ANSWER_YES, password, event);
}

static void meet(const struct match *match, bool has_success_data)
{
    struct arena arena;
    arena_init(&arena, 2 * SASL_ARENA_BYTES, ARENA_WIPE);
    struct sasl_server_config server_config = {
        .mechanism = match->mechanism,
        .nonce = SPAN("server"),
        .salt_secret = SPAN("secret"),
        .bindings = {{[SASL_BINDING_TLS_EXPORTER] = SPAN("connection")}},
        .offers_plus = true,
        .has_success_data = has_success_data,
        .host_name = SPAN("mail.example.net"),
        .external_identity = SPAN("us,er"),
    };
    struct sasl_client_config client_config = {
        .mechanism = match->mechanism,
        .user = SPAN("us,er"),
        .secret = span_from_string(match->password),
        .nonce = SPAN("client"),
        .bindings = {{[SASL_BINDING_TLS_EXPORTER] = span_from_string(match->exported)}},
        .server_offers_plus = match->client_sees_plus,
    };
    struct sasl_server *server = sasl_server_create(&server_config, &arena);
    struct sasl_client *client = sasl_client_create(&client_config, &arena);
    struct sasl_server_event asked;
    struct sasl_client_event said;
    const char *name = sasl_mechanism_name(match->mechanism);

    assert_non_null(server);
    assert_non_null(client);
    sasl_client_start(client, &said);
    sasl_server_start(server, said.has_message ? &said.message : NULL, &asked);
    for (size_t i = 0; i < 8; i++) {
        answer(server, &asked);
        if (asked.step != SASL_SERVER_CHALLENGE)
            break;
        sasl_client_step(client, asked.message, &said);
        if (said.has_failed)
            fail_msg("%s: client: %s", name, sasl_client_failure_text(said.failure));
        sasl_server_step(server, said.message, &asked);
    }
    if (asked.step != match->end ||
        (asked.step == SASL_SERVER_FAILURE && asked.failure != match->failure))
        fail_msg("%s: ends in %d, %s", name, (int)asked.step, sasl_failure_text(asked.failure));
    if (asked.step == SASL_SERVER_SUCCESS) {
        assert_true(sasl_client_finish(client, asked.has_message ? &asked.message : NULL));
        if (match->mechanism != SASL_ANONYMOUS)
            assert_span_is(name, asked.user, "us,er");
    }
    arena_destroy(&arena);
}

static void test_both_sides(void **state)
{
    (void)state;
    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++) {
        const enum sasl_mechanism mechanism = (enum sasl_mechanism)i;
        const bool has_token = mechanism == SASL_OAUTHBEARER || mechanism == SASL_XOAUTH2;
        const bool has_secret = mechanism != SASL_EXTERNAL && mechanism != SASL_ANONYMOUS;
        const struct match good = {mechanism,           has_token ? "good.token" : server_password,
                                   "connection",        true,
                                   SASL_SERVER_SUCCESS, 0};
        const struct match bad = {
            mechanism, "wrong", "connection", true, SASL_SERVER_FAILURE, SASL_FAILURE_CREDENTIALS};
        meet(&good, false);
        meet(&good, true);
        if (has_secret)
            meet(&bad, false);
    }
    /* Somebody in the middle has one TLS connection with each; or has taken -PLUS out of the list.
     */
    const struct match between = {SASL_SCRAM_SHA_256_PLUS, server_password,
                                  "another connection",    true,
                                  SASL_SERVER_FAILURE,     SASL_FAILURE_BINDING};
    const struct match stripped = {SASL_SCRAM_SHA_256,   server_password,
                                   "another connection", false,
                                   SASL_SERVER_FAILURE,  SASL_FAILURE_DOWNGRADE};
    meet(&between, false);
    meet(&stripped, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_both_sides),
    };
    return cmocka_run_group_tests_name("sasl/client", tests, NULL, NULL);
}
