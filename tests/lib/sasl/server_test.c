/* tests/lib/sasl/server - whole exchanges, as a client drives them: what the server says, whom it
 * asks for, and how it ends. */
#include "../../test.h"

#include "base/base64.h"
#include "sasl/server.h"

#define BYTES(literal) SPAN_LITERAL(literal)
#define NONE                                                                                       \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

enum { OFFERS_PLUS = 1, SUCCESS_DATA = 2, NO_INITIAL = 4, DATABASE_DOWN = 8, AS_PLAINTEXT = 16 };

/* The caller's users: a password each, or a token. */
static const struct {
    const char *name, *secret;
} users[] = {
    {"user", "pencil"},
    {"tim", "tanstaaftanstaaf"},
    {"a,b=c", "pencil"},
    {"ram\xc3\xb3n", "p\xc3\xa4ss"},
    {"someuser@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="},
};

struct row {
    const char *name;
    enum sasl_mechanism mechanism;
    unsigned options;
    const char *nonce, *salt; /* salt in base64, of SCRAM */
    struct span client[4];    /* what the client says, up to the first NONE */
    const char *transcript;   /* challenges in brackets, needs, the end */
};

static const char *password_of(struct span user)
{
    for (size_t i = 0; i < ARRAY_LENGTH(users); i++)
        if (span_equals(user, span_from_string(users[i].name)))
            return users[i].secret;
    return NULL;
}

static struct sasl_server_config config_of(const struct row *row)
{
    return (struct sasl_server_config){
        .mechanism = row->mechanism,
        .nonce = span_from_string(row->nonce),
        .salt_secret = SPAN("a secret of the installation"),
        .bindings = {{[SASL_BINDING_TLS_EXPORTER] = SPAN("exported bytes"),
                      [SASL_BINDING_TLS_SERVER_END_POINT] = SPAN("hash of certificate")}},
        .offers_plus = row->options & OFFERS_PLUS,
        .has_success_data = row->options & SUCCESS_DATA,
        .host_name = SPAN("mail.example.net"),
        .external_identity = SPAN("cert@example.com"),
        .oauth_scope = SPAN("mail"),
        .oauth_configuration_url = SPAN("https://example.com/.well-known/openid-configuration"),
    };
}

static enum sasl_answer answer_for(const struct row *row, const char *password)
{
    return row->options & DATABASE_DOWN ? SASL_ANSWER_TEMPORARY
           : password                   ? SASL_ANSWER_YES
                                        : SASL_ANSWER_NO;
}

static void answer_verifier(const struct row *row, struct sasl_server *server, const char *password,
                            struct sasl_server_event *event)
{
    struct scram_verifier verifier;
    struct buffer salt;
    const enum sasl_answer answer = answer_for(row, password);

    if (row->options & AS_PLAINTEXT) {
        sasl_server_answer_plaintext(server, answer, span_from_string(password), event);
        return;
    }
    buffer_init(&salt, NULL, SCRAM_SALT_MAX_BYTES);
    if (answer == SASL_ANSWER_YES) {
        assert_int_equal(base64_decode(span_from_string(row->salt), &salt), PARSE_OK);
        assert_true(scram_verifier_derive(event->hash, span_from_string(password),
                                          buffer_span(&salt), SCRAM_ITERATIONS, &verifier));
    }
    sasl_server_answer_verifier(server, answer, &verifier, event);
    buffer_release(&salt);
}

/* Answers what the event asks for. False: it asks for nothing. */
static bool answer(const struct row *row, struct sasl_server *server,
                   struct sasl_server_event *event, struct buffer *transcript)
{
    const char *password = password_of(event->user);
    const enum sasl_answer known = answer_for(row, password);
    const bool is_right = password && span_equals(event->secret, span_from_string(password));

    switch (event->step) {
    case SASL_SERVER_NEED_PASSWORD_CHECK:
        buffer_append_format(transcript, "password of %.*s? ", SPAN_PRINTF(event->user));
        sasl_server_answer_check(
            server, known == SASL_ANSWER_YES && !is_right ? SASL_ANSWER_NO : known, event);
        return true;
    case SASL_SERVER_NEED_SCRAM_VERIFIER:
        buffer_append_format(transcript, "%s of %.*s? ", sasl_hash_name(event->hash),
                             SPAN_PRINTF(event->user));
        answer_verifier(row, server, password, event);
        return true;
    case SASL_SERVER_NEED_PLAINTEXT:
        buffer_append_format(transcript, "plaintext of %.*s? ", SPAN_PRINTF(event->user));
        sasl_server_answer_plaintext(server, known, span_from_string(password), event);
        return true;
    case SASL_SERVER_NEED_TOKEN_CHECK:
        buffer_append_format(transcript, "token of %.*s? ", SPAN_PRINTF(event->user));
        /* A token that says itself whose it is. */
        if (span_is_empty(event->user) || !password) {
            const bool is_good = span_equals(event->secret, span_from_string(users[4].secret));
            sasl_server_answer_token(server, is_good ? SASL_ANSWER_YES : SASL_ANSWER_NO,
                                     span_from_string(users[4].name), event);
        } else {
            sasl_server_answer_token(server,
                                     known == SASL_ANSWER_YES && !is_right ? SASL_ANSWER_NO : known,
                                     span_empty(), event);
        }
        return true;
    case SASL_SERVER_CHALLENGE:
    case SASL_SERVER_SUCCESS:
    case SASL_SERVER_FAILURE:
        break;
    }
    return false;
}

/* Plays the client's messages and writes down the rest. */
static void play(const struct row *row, struct arena *arena, struct buffer *transcript)
{
    const struct sasl_server_config config = config_of(row);
    struct sasl_server *server = sasl_server_create(&config, arena);
    struct sasl_server_event event;
    size_t said = 0;

    assert_non_null(server);
    if (row->options & NO_INITIAL)
        sasl_server_start(server, NULL, &event);
    else
        sasl_server_start(server, &row->client[said++], &event);
    for (;;) {
        while (answer(row, server, &event, transcript))
            ;
        if (event.step != SASL_SERVER_CHALLENGE)
            break;
        buffer_append_format(transcript, "[%.*s] ", SPAN_PRINTF(event.message));
        if (said == ARRAY_LENGTH(row->client) || !row->client[said].bytes) {
            sasl_server_cancel(server, &event);
            break;
        }
        /* The response does not outlive the call. */
        uint8_t *copy = test_malloc(row->client[said].length + 1);
        memcpy(copy, row->client[said].bytes, row->client[said].length);
        sasl_server_step(server, span_of(copy, row->client[said].length), &event);
        memset(copy, 'X', row->client[said].length);
        test_free(copy);
        said++;
    }
    if (event.step == SASL_SERVER_SUCCESS) {
        buffer_append_format(transcript, "is %.*s", SPAN_PRINTF(event.user));
        if (event.authzid.length)
            buffer_append_format(transcript, " for %.*s", SPAN_PRINTF(event.authzid));
        if (event.trace.length)
            buffer_append_format(transcript, " trace %.*s", SPAN_PRINTF(event.trace));
    } else {
        buffer_append_string(transcript, sasl_failure_text(event.failure));
    }
    if (event.has_message)
        buffer_append_format(transcript, " (%.*s)", SPAN_PRINTF(event.message));
}

static const struct row rows[] = {
    /* RFC 4616 section 4 */
    {"PLAIN",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0tim\0tanstaaftanstaaf")},
     "password of tim? is tim"},
    {"PLAIN, the client waits",
     SASL_PLAIN,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("\0tim\0tanstaaftanstaaf")},
     "[] password of tim? is tim"},
    {"PLAIN for another",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("Kurt\0tim\0tanstaaftanstaaf")},
     "password of tim? is tim for Kurt"},
    {"PLAIN, wrong",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0tim\0tanstaaf")},
     "password of tim? wrong credentials"},
    {"PLAIN, nobody",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0tom\0tanstaaf")},
     "password of tom? wrong credentials"},
    {"PLAIN, later",
     SASL_PLAIN,
     DATABASE_DOWN,
     NULL,
     NULL,
     {BYTES("\0tim\0tanstaaf")},
     "password of tim? temporary failure"},
    {"PLAIN, decomposed name",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0ramo\xcc\x81n\0p\xc3\xa4ss")},
     "password of ram\xc3\xb3n? is ram\xc3\xb3n"},
    {"PLAIN, control character",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0t\nim\0tanstaaf")},
     "forbidden characters in a name"},
    {"PLAIN, no UTF-8",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0t\xff\0tanstaaf")},
     "forbidden characters in a name"},
    {"PLAIN, empty", SASL_PLAIN, 0, NULL, NULL, {BYTES("")}, "malformed response"},
    {"PLAIN, two fields",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("tim\0tanstaaf")},
     "malformed response"},
    {"PLAIN, four fields",
     SASL_PLAIN,
     0,
     NULL,
     NULL,
     {BYTES("\0tim\0tans\0taaf")},
     "malformed response"},
    {"PLAIN, no name", SASL_PLAIN, 0, NULL, NULL, {BYTES("\0\0tanstaaf")}, "malformed response"},
    {"PLAIN, no password", SASL_PLAIN, 0, NULL, NULL, {BYTES("\0tim\0")}, "malformed response"},
    {"PLAIN, given up", SASL_PLAIN, NO_INITIAL, NULL, NULL, {NONE}, "[] cancelled by the client"},

    {"LOGIN",
     SASL_LOGIN,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("tim"), BYTES("tanstaaftanstaaf")},
     "[Username:] [Password:] password of tim? is tim"},
    {"LOGIN, name at once",
     SASL_LOGIN,
     0,
     NULL,
     NULL,
     {BYTES("tim"), BYTES("tanstaaftanstaaf")},
     "[Password:] password of tim? is tim"},
    {"LOGIN, wrong",
     SASL_LOGIN,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("tim"), BYTES("pencil")},
     "[Username:] [Password:] password of tim? wrong credentials"},
    {"LOGIN, no name",
     SASL_LOGIN,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("")},
     "[Username:] malformed response"},
    {"LOGIN, no password",
     SASL_LOGIN,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("tim"), BYTES("")},
     "[Username:] [Password:] malformed response"},

    /* RFC 2195 section 2, with a challenge of ours */
    {"CRAM-MD5",
     SASL_CRAM_MD5,
     NO_INITIAL,
     "1896.697170952",
     NULL,
     {BYTES("tim b1a1a12474a28594586978ed89885b7c")},
     "[<1896.697170952@mail.example.net>] plaintext of tim? is tim"},
    {"CRAM-MD5, wrong",
     SASL_CRAM_MD5,
     NO_INITIAL,
     "1896.697170952",
     NULL,
     {BYTES("tim b913a602c7eda7a495b4e6e7334d3891")},
     "[<1896.697170952@mail.example.net>] plaintext of tim? wrong credentials"},
    {"CRAM-MD5, nobody",
     SASL_CRAM_MD5,
     NO_INITIAL,
     "1",
     NULL,
     {BYTES("to m b913a602c7eda7a495b4e6e7334d3890")},
     "[<1@mail.example.net>] plaintext of to m? wrong credentials"},
    {"CRAM-MD5, initial response",
     SASL_CRAM_MD5,
     0,
     "1",
     NULL,
     {BYTES("tim b913a602c7eda7a495b4e6e7334d3890")},
     "malformed response"},
    {"CRAM-MD5, short",
     SASL_CRAM_MD5,
     NO_INITIAL,
     "1",
     NULL,
     {BYTES("tim b913a602c7eda7a495b4e6e")},
     "[<1@mail.example.net>] malformed response"},

    /* RFC 5802 section 5 */
    {"SCRAM-SHA-1",
     SASL_SCRAM_SHA_1,
     0,
     "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="),
      BYTES("")},
     "SHA-1 of user? "
     "[r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096] "
     "[v=rmF9pqV8S7suAoZWja4dJRkFsKQ=] is user"},
    {"SCRAM-SHA-1, the client waits, and gets its last word with success",
     SASL_SCRAM_SHA_1,
     NO_INITIAL | SUCCESS_DATA,
     "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")},
     "[] SHA-1 of user? "
     "[r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096] "
     "is user (v=rmF9pqV8S7suAoZWja4dJRkFsKQ=)"},
    /* RFC 7677 section 3 */
    {"SCRAM-SHA-256",
     SASL_SCRAM_SHA_256,
     0,
     "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "W22ZaJ0SNY7soEsUEjb6gQ==",
     {BYTES("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
      BYTES("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
      BYTES("")},
     "SHA-256 of user? [r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096] "
     "[v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=] is user"},
    {"SCRAM, something said at the end",
     SASL_SCRAM_SHA_256,
     0,
     "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
     "W22ZaJ0SNY7soEsUEjb6gQ==",
     {BYTES("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
      BYTES("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="),
      BYTES("x")},
     "SHA-256 of user? [r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
     "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096] "
     "[v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=] malformed response"},
    {"SCRAM, wrong proof",
     SASL_SCRAM_SHA_1,
     0,
     "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Tt=")},
     "SHA-1 of user? "
     "[r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096] "
     "malformed response"},
    {"SCRAM, wrong proof, well written",
     SASL_SCRAM_SHA_1,
     0,
     "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")},
     "SHA-1 of user? "
     "[r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096] "
     "wrong credentials (e=invalid-proof)"},
    {"SCRAM, another nonce",
     SASL_SCRAM_SHA_1,
     0,
     "3rfcNHYJY1ZVvWVs7j",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
      BYTES("c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7k,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=")},
     "SHA-1 of user? "
     "[r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096] "
     "malformed response (e=other-error)"},
    {"SCRAM, proof of another length",
     SASL_SCRAM_SHA_1,
     0,
     "b",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,,n=user,r=a"), BYTES("c=biws,r=ab,p=AAAA")},
     "SHA-1 of user? [r=ab,s=QSXCR+Q6sek8bf92,i=4096] malformed response (e=other-error)"},
    {"SCRAM, name with escapes, for another",
     SASL_SCRAM_SHA_1,
     0,
     "b",
     "QSXCR+Q6sek8bf92",
     {BYTES("n,a=Kurt,n=a=2Cb=3Dc,r=a"), NONE},
     "SHA-1 of a,b=c? [r=ab,s=QSXCR+Q6sek8bf92,i=4096] cancelled by the client"},
    {"SCRAM, later",
     SASL_SCRAM_SHA_1,
     DATABASE_DOWN,
     "b",
     NULL,
     {BYTES("n,,n=user,r=a")},
     "SHA-1 of user? temporary failure"},
    {"SCRAM, mandatory extension",
     SASL_SCRAM_SHA_1,
     0,
     "b",
     NULL,
     {BYTES("n,,m=x,n=user,r=a")},
     "malformed response"},
    {"SCRAM, control character in name",
     SASL_SCRAM_SHA_1,
     0,
     "b",
     NULL,
     {BYTES("n,,n=us\ner,r=a")},
     "forbidden characters in a name"},

    /* RFC 5802 section 6 */
    {"SCRAM, y and nothing offered",
     SASL_SCRAM_SHA_1,
     0,
     "b",
     "QSXCR+Q6sek8bf92",
     {BYTES("y,,n=user,r=a"), BYTES("c=biws,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")},
     "SHA-1 of user? [r=ab,s=QSXCR+Q6sek8bf92,i=4096] "
     "channel bindings do not match (e=channel-bindings-dont-match)"},
    {"SCRAM, y but -PLUS was offered",
     SASL_SCRAM_SHA_1,
     OFFERS_PLUS,
     "b",
     NULL,
     {BYTES("y,,n=user,r=a")},
     "channel binding was offered and not seen by the client "
     "(e=server-does-support-channel-binding)"},
    {"SCRAM, binding without -PLUS",
     SASL_SCRAM_SHA_1,
     OFFERS_PLUS,
     "b",
     NULL,
     {BYTES("p=tls-exporter,,n=user,r=a")},
     "channel bindings do not match (e=channel-binding-not-supported)"},
    {"SCRAM-PLUS without binding",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     "b",
     NULL,
     {BYTES("n,,n=user,r=a")},
     "channel bindings do not match (e=other-error)"},
    {"SCRAM-PLUS, binding that this connection has not",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     "b",
     NULL,
     {BYTES("p=tls-unique,,n=user,r=a")},
     "channel bindings do not match (e=unsupported-channel-binding-type)"},
    {"SCRAM-PLUS, binding that nobody knows",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     "b",
     NULL,
     {BYTES("p=tls-telepathy,,n=user,r=a")},
     "channel bindings do not match (e=unsupported-channel-binding-type)"},
    {"SCRAM-PLUS, other bytes",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     "b",
     "QSXCR+Q6sek8bf92",
     {BYTES("p=tls-exporter,,n=user,r=a"),
      /* "p=tls-exporter,,exported lies" */
      BYTES("c=cD10bHMtZXhwb3J0ZXIsLGV4cG9ydGVkIGxpZXM=,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")},
     "SHA-1 of user? [r=ab,s=QSXCR+Q6sek8bf92,i=4096] "
     "channel bindings do not match (e=channel-bindings-dont-match)"},
    {"SCRAM-PLUS, right bytes, wrong proof",
     SASL_SCRAM_SHA_1_PLUS,
     OFFERS_PLUS,
     "b",
     "QSXCR+Q6sek8bf92",
     {BYTES("p=tls-exporter,,n=user,r=a"),
      /* "p=tls-exporter,,exported bytes" */
      BYTES("c=cD10bHMtZXhwb3J0ZXIsLGV4cG9ydGVkIGJ5dGVz,r=ab,p=AAAAAAAAAAAAAAAAAAAAAAAAAAA=")},
     "SHA-1 of user? [r=ab,s=QSXCR+Q6sek8bf92,i=4096] wrong credentials (e=invalid-proof)"},

    /* RFC 7628 section 4 */
    {"OAUTHBEARER",
     SASL_OAUTHBEARER,
     0,
     NULL,
     NULL,
     {BYTES("n,a=someuser@example.com,\1host=server.example.com\1port=143\1"
            "auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1")},
     "token of someuser@example.com? is someuser@example.com"},
    {"OAUTHBEARER, the token says who",
     SASL_OAUTHBEARER,
     0,
     NULL,
     NULL,
     {BYTES("n,,\1auth=bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1")},
     "token of ? is someuser@example.com"},
    {"OAUTHBEARER, somebody else's token",
     SASL_OAUTHBEARER,
     0,
     NULL,
     NULL,
     {BYTES("n,a=boss,\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1")},
     "token of boss? is someuser@example.com for boss"},
    {"OAUTHBEARER, bad token",
     SASL_OAUTHBEARER,
     0,
     NULL,
     NULL,
     {BYTES("n,a=someuser@example.com,\1auth=Bearer dead\1\1"), BYTES("\1")},
     "token of someuser@example.com? [{\"status\":\"invalid_token\",\"schemes\":\"bearer\","
     "\"scope\":\"mail\",\"openid-configuration\":"
     "\"https://example.com/.well-known/openid-configuration\"}] wrong credentials"},
    {"OAUTHBEARER, later",
     SASL_OAUTHBEARER,
     DATABASE_DOWN,
     NULL,
     NULL,
     {BYTES("n,a=someuser@example.com,\1auth=Bearer dead\1\1")},
     "token of someuser@example.com? temporary failure"},
    {"OAUTHBEARER, a proof of possession",
     SASL_OAUTHBEARER,
     0,
     NULL,
     NULL,
     {BYTES("n,a=someuser@example.com,\1auth=MAC x\1\1")},
     "malformed response"},
    {"XOAUTH2",
     SASL_XOAUTH2,
     0,
     NULL,
     NULL,
     {BYTES(
         "user=someuser@example.com\1auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\1\1")},
     "token of someuser@example.com? is someuser@example.com"},
    {"XOAUTH2, bad token",
     SASL_XOAUTH2,
     0,
     NULL,
     NULL,
     {BYTES("user=someuser@example.com\1auth=Bearer dead\1\1"), BYTES("")},
     "token of someuser@example.com? [{\"status\":\"401\",\"schemes\":\"bearer\","
     "\"scope\":\"mail\",\"openid-configuration\":"
     "\"https://example.com/.well-known/openid-configuration\"}] wrong credentials"},
    {"XOAUTH2, nobody named",
     SASL_XOAUTH2,
     0,
     NULL,
     NULL,
     {BYTES("auth=Bearer dead\1\1")},
     "malformed response"},

    {"EXTERNAL", SASL_EXTERNAL, 0, NULL, NULL, {BYTES("")}, "is cert@example.com"},
    {"EXTERNAL for another",
     SASL_EXTERNAL,
     NO_INITIAL,
     NULL,
     NULL,
     {BYTES("boss@example.com")},
     "[] is cert@example.com for boss@example.com"},
    {"EXTERNAL, no name",
     SASL_EXTERNAL,
     0,
     NULL,
     NULL,
     {BYTES("a\0b")},
     "forbidden characters in a name"},
    {"ANONYMOUS", SASL_ANONYMOUS, 0, NULL, NULL, {BYTES("sirhc")}, "is anonymous trace sirhc"},
    {"ANONYMOUS, silent", SASL_ANONYMOUS, NO_INITIAL, NULL, NULL, {BYTES("")}, "[] is anonymous"},
    {"ANONYMOUS, a line break",
     SASL_ANONYMOUS,
     0,
     NULL,
     NULL,
     {BYTES("si\nrhc")},
     "malformed response"},
};

static void test_exchanges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct buffer transcript;
        arena_init(&arena, SASL_ARENA_BYTES, ARENA_WIPE);
        buffer_init(&transcript, NULL, 65536);
        play(&rows[i], &arena, &transcript);
        assert_span_is(rows[i].name, buffer_span(&transcript), rows[i].transcript);
        buffer_release(&transcript);
        arena_destroy(&arena);
    }
}

/* An exchange may run out of memory at any byte: that is temporary, never a success. */
static void test_small_arenas(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t room = sizeof(struct sasl_server_config) + 1024; room < 4096; room += 64) {
            const struct sasl_server_config config = config_of(&rows[i]);
            struct sasl_server_event event;
            struct arena arena;
            arena_init(&arena, room, ARENA_WIPE);
            struct sasl_server *server = sasl_server_create(&config, &arena);
            if (server && !(rows[i].options & NO_INITIAL))
                sasl_server_start(server, &rows[i].client[0], &event);
            arena_destroy(&arena);
        }
}

/* Who asks whether a user exists learns nothing: the salt is there, always the same for the name,
 * and another for another name; a password stored as it is has that salt, too. */
static void test_unknown_users(void **state)
{
    (void)state;
    const struct row names[] = {
        {"nobody", SASL_SCRAM_SHA_256, 0, "b", NULL, {BYTES("n,,n=nobody,r=a")}, NULL},
        {"nobody again", SASL_SCRAM_SHA_256, 0, "b", NULL, {BYTES("n,,n=nobody,r=a")}, NULL},
        {"derived", SASL_SCRAM_SHA_256, AS_PLAINTEXT, "b", NULL, {BYTES("n,,n=nobody,r=a")}, NULL},
        {"another", SASL_SCRAM_SHA_256, 0, "b", NULL, {BYTES("n,,n=nobody2,r=a")}, NULL},
        {"another hash", SASL_SCRAM_SHA_1, 0, "b", NULL, {BYTES("n,,n=nobody,r=a")}, NULL},
    };
    struct buffer transcripts[ARRAY_LENGTH(names)];
    struct arena arena;

    arena_init(&arena, 1 << 20, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        buffer_init(&transcripts[i], &arena, 4096);
        play(&names[i], &arena, &transcripts[i]);
        assert_true(
            span_ends_with(buffer_span(&transcripts[i]), SPAN(",i=4096] cancelled by the client")));
    }
    assert_true(span_equals(buffer_span(&transcripts[0]), buffer_span(&transcripts[1])));
    assert_true(span_equals(buffer_span(&transcripts[0]), buffer_span(&transcripts[2])));
    assert_false(span_equals(buffer_span(&transcripts[0]), buffer_span(&transcripts[3])));
    assert_false(span_equals(buffer_span(&transcripts[0]), buffer_span(&transcripts[4])));
    arena_destroy(&arena);
}

/* Whoever goes on before we have answered is refused. */
static void test_out_of_turn(void **state)
{
    (void)state;
    const struct sasl_server_config config = config_of(&rows[0]);
    struct sasl_server_event event;
    struct arena arena;

    arena_init(&arena, SASL_ARENA_BYTES, ARENA_WIPE);
    struct sasl_server *server = sasl_server_create(&config, &arena);
    assert_non_null(server);
    sasl_server_start(server, &rows[0].client[0], &event);
    assert_int_equal(event.step, SASL_SERVER_NEED_PASSWORD_CHECK);
    sasl_server_step(server, rows[0].client[0], &event);
    assert_int_equal(event.step, SASL_SERVER_FAILURE);
    assert_int_equal(event.failure, SASL_FAILURE_MALFORMED);
    sasl_server_start(server, &rows[0].client[0], &event);
    assert_int_equal(event.step, SASL_SERVER_FAILURE);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exchanges),
        cmocka_unit_test(test_small_arenas),
        cmocka_unit_test(test_unknown_users),
        cmocka_unit_test(test_out_of_turn),
    };
    return cmocka_run_group_tests_name("sasl/server", tests, NULL, NULL);
}
