/* tests/lib/sasl/message - the messages of the mechanisms, whole and cut off at each byte. */
#include "../../test.h"

#include "sasl/oauth_message.h"
#include "sasl/plain_message.h"
#include "sasl/scram_message.h"

#define BYTES(literal) SPAN_LITERAL(literal)
#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN
#define NAME_255 FIFTY FIFTY FIFTY FIFTY FIFTY "01234"

enum kind {
    PLAIN_MESSAGE,
    CRAM_MESSAGE,
    TRACE_MESSAGE,
    CLIENT_FIRST,
    SERVER_FIRST,
    CLIENT_FINAL,
    SERVER_FINAL,
    OAUTHBEARER,
    XOAUTH2
};

/* The message's parts with "|" between them. */
static enum parse_result parse(enum kind kind, struct span message, struct arena *arena,
                               struct buffer *parts)
{
    struct plain_message plain;
    struct scram_client_first client_first;
    struct scram_server_first server_first;
    struct scram_client_final client_final;
    struct scram_server_final server_final;
    struct oauth_message oauth;
    struct span user;
    uint8_t digest[CRAM_MD5_BYTES];
    enum parse_result result = PARSE_MALFORMED;

    switch (kind) {
    case PLAIN_MESSAGE:
        result = plain_message_parse(message, &plain);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%.*s|%.*s|%.*s", SPAN_PRINTF(plain.authzid),
                                 SPAN_PRINTF(plain.user), SPAN_PRINTF(plain.password));
        return result;
    case CRAM_MESSAGE:
        result = cram_message_parse(message, &user, digest);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%.*s|%02x", SPAN_PRINTF(user), digest[15]);
        return result;
    case TRACE_MESSAGE:
        return trace_message_parse(message);
    case CLIENT_FIRST:
        result = scram_client_first_parse(message, arena, &client_first);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%d|%.*s|%.*s|%.*s|%.*s", (int)client_first.header.flag,
                                 SPAN_PRINTF(client_first.header.binding_name),
                                 SPAN_PRINTF(client_first.header.authzid),
                                 SPAN_PRINTF(client_first.user), SPAN_PRINTF(client_first.nonce));
        return result;
    case SERVER_FIRST:
        result = scram_server_first_parse(message, arena, &server_first);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%.*s|%.*s|%u", SPAN_PRINTF(server_first.nonce),
                                 SPAN_PRINTF(server_first.salt), server_first.iterations);
        return result;
    case CLIENT_FINAL:
        result = scram_client_final_parse(message, arena, &client_final);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%.*s|%.*s|%.*s|%.*s", SPAN_PRINTF(client_final.binding),
                                 SPAN_PRINTF(client_final.nonce),
                                 SPAN_PRINTF(client_final.without_proof),
                                 SPAN_PRINTF(client_final.proof));
        return result;
    case SERVER_FINAL:
        result = scram_server_final_parse(message, arena, &server_final);
        if (result == PARSE_OK)
            buffer_append_format(parts, "%.*s|%.*s", SPAN_PRINTF(server_final.error),
                                 SPAN_PRINTF(server_final.signature));
        return result;
    case OAUTHBEARER:
        result = oauthbearer_message_parse(message, arena, &oauth);
        break;
    case XOAUTH2:
        result = xoauth2_message_parse(message, &oauth);
        break;
    }
    if (result == PARSE_OK)
        buffer_append_format(parts, "%.*s|%.*s", SPAN_PRINTF(oauth.user), SPAN_PRINTF(oauth.token));
    return result;
}

static const struct {
    const char *name;
    enum kind kind;
    enum parse_result result;
    struct span message;
    const char *parts;
} rows[] = {
    {"plain", PLAIN_MESSAGE, PARSE_OK, BYTES("\0tim\0pass"), "|tim|pass"},
    {"plain, for another", PLAIN_MESSAGE, PARSE_OK, BYTES("Kurt\0tim\0p"), "Kurt|tim|p"},
    {"plain, long", PLAIN_MESSAGE, PARSE_OK, BYTES("\0" NAME_255 "\0p"), "|" NAME_255 "|p"},
    {"plain, too long", PLAIN_MESSAGE, PARSE_TOO_LONG, BYTES("\0" NAME_255 "5\0p"), NULL},
    {"plain, authzid too long", PLAIN_MESSAGE, PARSE_TOO_LONG, BYTES(NAME_255 "5\0u\0p"), NULL},
    {"plain, NUL at the end", PLAIN_MESSAGE, PARSE_MALFORMED, BYTES("\0tim\0pass\0"), NULL},
    {"plain, empty", PLAIN_MESSAGE, PARSE_MALFORMED, BYTES(""), NULL},

    {"cram", CRAM_MESSAGE, PARSE_OK, BYTES("tim b913a602c7eda7a495b4e6e7334d3890"), "tim|90"},
    {"cram, upper case", CRAM_MESSAGE, PARSE_OK, BYTES("tim B913A602C7EDA7A495B4E6E7334D38AF"),
     "tim|af"},
    {"cram, space in the name", CRAM_MESSAGE, PARSE_OK,
     BYTES("t im b913a602c7eda7a495b4e6e7334d3890"), "t im|90"},
    {"cram, no name", CRAM_MESSAGE, PARSE_MALFORMED, BYTES(" b913a602c7eda7a495b4e6e7334d3890"),
     NULL},
    {"cram, no digest", CRAM_MESSAGE, PARSE_MALFORMED, BYTES("tim "), NULL},
    {"cram, no hexadecimal", CRAM_MESSAGE, PARSE_MALFORMED,
     BYTES("tim b913a602c7eda7a495b4e6e7334d389g"), NULL},

    {"trace, empty", TRACE_MESSAGE, PARSE_OK, BYTES(""), ""},
    {"trace, long", TRACE_MESSAGE, PARSE_OK, BYTES(NAME_255), ""},
    {"trace, too long", TRACE_MESSAGE, PARSE_TOO_LONG, BYTES(NAME_255 "5"), NULL},
    {"trace, NUL", TRACE_MESSAGE, PARSE_MALFORMED, BYTES("a\0b"), NULL},

    {"first", CLIENT_FIRST, PARSE_OK, BYTES("n,,n=user,r=abc"), "0|||user|abc"},
    {"first, y", CLIENT_FIRST, PARSE_OK, BYTES("y,,n=user,r=abc"), "1|||user|abc"},
    {"first, p", CLIENT_FIRST, PARSE_OK, BYTES("p=tls-unique,a=b=2Cc,n=us=3Der,r=abc,x=1"),
     "2|tls-unique|b,c|us=er|abc"},
    {"first, long name", CLIENT_FIRST, PARSE_OK, BYTES("n,,n=" NAME_255 ",r=a"),
     "0|||" NAME_255 "|a"},
    {"first, too long a name", CLIENT_FIRST, PARSE_TOO_LONG, BYTES("n,,n=" NAME_255 "5,r=a"), NULL},
    {"first, no flag", CLIENT_FIRST, PARSE_MALFORMED, BYTES(",,n=user,r=abc"), NULL},
    {"first, unknown flag", CLIENT_FIRST, PARSE_MALFORMED, BYTES("z,,n=user,r=abc"), NULL},
    {"first, empty binding", CLIENT_FIRST, PARSE_MALFORMED, BYTES("p=,,n=user,r=abc"), NULL},
    {"first, binding name", CLIENT_FIRST, PARSE_MALFORMED, BYTES("p=a b,,n=user,r=abc"), NULL},
    {"first, no authzid", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,a=,n=user,r=abc"), NULL},
    {"first, authzid", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,b,n=user,r=abc"), NULL},
    {"first, no name", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=,r=abc"), NULL},
    {"first, bad escape", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=a=2cb,r=abc"), NULL},
    {"first, cut escape", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=a=2,r=abc"), NULL},
    {"first, NUL", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=a\0b,r=abc"), NULL},
    {"first, no UTF-8", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=a\xff,r=abc"), NULL},
    {"first, no nonce", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=user,r="), NULL},
    {"first, nonce with a space", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=user,r=a b"), NULL},
    {"first, order", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,r=abc,n=user"), NULL},
    {"first, comma at the end", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=user,r=abc,"), NULL},
    {"first, mandatory extension", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,m=a,n=user,r=abc"),
     NULL},
    {"first, mandatory extension behind", CLIENT_FIRST, PARSE_MALFORMED,
     BYTES("n,,n=user,r=abc,m=a"), NULL},
    {"first, empty extension", CLIENT_FIRST, PARSE_MALFORMED, BYTES("n,,n=user,r=abc,x="), NULL},

    {"server first", SERVER_FIRST, PARSE_OK, BYTES("r=ab,s=c2FsdA==,i=4096"), "ab|salt|4096"},
    {"server first, extension", SERVER_FIRST, PARSE_OK, BYTES("r=ab,s=c2FsdA==,i=1,z=q"),
     "ab|salt|1"},
    {"server first, no iterations", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=c2FsdA==,i=0"),
     NULL},
    {"server first, octal", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=c2FsdA==,i=04096"), NULL},
    {"server first, negative", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=c2FsdA==,i=-1"), NULL},
    {"server first, too many", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=c2FsdA==,i=4294967296"),
     NULL},
    {"server first, no salt", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=,i=4096"), NULL},
    {"server first, base64", SERVER_FIRST, PARSE_MALFORMED, BYTES("r=ab,s=c2FsdA=,i=4096"), NULL},
    {"server first, extension demanded", SERVER_FIRST, PARSE_MALFORMED,
     BYTES("m=x,r=ab,s=c2FsdA==,i=4096"), NULL},

    {"final", CLIENT_FINAL, PARSE_OK, BYTES("c=biws,r=ab,p=cHJvb2Y="), "n,,|ab|c=biws,r=ab|proof"},
    {"final, extension", CLIENT_FINAL, PARSE_OK, BYTES("c=biws,r=ab,t=x,p=cHJvb2Y="),
     "n,,|ab|c=biws,r=ab,t=x|proof"},
    {"final, no proof", CLIENT_FINAL, PARSE_MALFORMED, BYTES("c=biws,r=ab"), NULL},
    {"final, empty proof", CLIENT_FINAL, PARSE_MALFORMED, BYTES("c=biws,r=ab,p="), NULL},
    {"final, proof is not last", CLIENT_FINAL, PARSE_MALFORMED, BYTES("c=biws,p=cHJvb2Y=,r=ab"),
     NULL},
    {"final, no binding", CLIENT_FINAL, PARSE_MALFORMED, BYTES("c=,r=ab,p=cHJvb2Y="), NULL},
    {"final, only a proof", CLIENT_FINAL, PARSE_MALFORMED, BYTES(",p=cHJvb2Y="), NULL},
    {"final, two commas", CLIENT_FINAL, PARSE_MALFORMED, BYTES("c=biws,r=ab,,p=cHJvb2Y="), NULL},

    {"server final", SERVER_FINAL, PARSE_OK, BYTES("v=c2lnbmVk"), "|signed"},
    {"server final, extension", SERVER_FINAL, PARSE_OK, BYTES("v=c2lnbmVk,x=y"), "|signed"},
    {"server final, error", SERVER_FINAL, PARSE_OK, BYTES("e=other-error"), "other-error|"},
    {"server final, empty", SERVER_FINAL, PARSE_MALFORMED, BYTES(""), NULL},
    {"server final, empty error", SERVER_FINAL, PARSE_MALFORMED, BYTES("e="), NULL},
    {"server final, base64", SERVER_FINAL, PARSE_MALFORMED, BYTES("v=c2lnbmV"), NULL},

    {"bearer", OAUTHBEARER, PARSE_OK, BYTES("n,a=u=2Cv,\1host=h\1port=1\1auth=Bearer t.o-k\1\1"),
     "u,v|t.o-k"},
    {"bearer, nobody named", OAUTHBEARER, PARSE_OK, BYTES("n,,\1auth=BEARER  tok==\1\1"), "|tok=="},
    {"bearer, unknown key", OAUTHBEARER, PARSE_OK, BYTES("y,,\1auth=Bearer tok\1mthd=POST\1\1"),
     "|tok"},
    {"bearer, binding", OAUTHBEARER, PARSE_MALFORMED, BYTES("p=tls-unique,,\1auth=Bearer t\1\1"),
     NULL},
    {"bearer, no token", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1auth=Bearer \1\1"), NULL},
    {"bearer, no auth", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1host=h\1\1"), NULL},
    {"bearer, twice", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1auth=Bearer a\1auth=Bearer b\1\1"),
     NULL},
    {"bearer, one separator", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1auth=Bearer a\1"), NULL},
    {"bearer, more behind", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1auth=Bearer a\1\1x"), NULL},
    {"bearer, no separator", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,auth=Bearer a\1\1"), NULL},
    {"bearer, a dummy", OAUTHBEARER, PARSE_MALFORMED, BYTES("\1"), NULL},
    {"bearer, key", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1a1=x\1auth=Bearer a\1\1"), NULL},
    {"bearer, quote in the token", OAUTHBEARER, PARSE_MALFORMED, BYTES("n,,\1auth=Bearer a\"b\1\1"),
     NULL},

    {"xoauth2", XOAUTH2, PARSE_OK, BYTES("user=u@example.com\1auth=Bearer tok\1\1"),
     "u@example.com|tok"},
    {"xoauth2, user twice", XOAUTH2, PARSE_MALFORMED, BYTES("user=u\1user=v\1auth=Bearer t\1\1"),
     NULL},
    {"xoauth2, nobody", XOAUTH2, PARSE_MALFORMED, BYTES("user=\1auth=Bearer t\1\1"), NULL},
    {"xoauth2, NUL", XOAUTH2, PARSE_MALFORMED, BYTES("user=a\0b\1auth=Bearer t\1\1"), NULL},
};

static void test_messages(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct buffer parts;
        arena_init(&arena, SASL_ARENA_BYTES, 0);
        buffer_init(&parts, &arena, 4096);
        const enum parse_result result = parse(rows[i].kind, rows[i].message, &arena, &parts);
        if (result != rows[i].result)
            fail_msg("%s: result %d", rows[i].name, (int)result);
        if (result == PARSE_OK)
            assert_span_is(rows[i].name, buffer_span(&parts), rows[i].parts);
        arena_destroy(&arena);
    }
}

/* A message comes whole: one that is cut off is either wrong or another message, never one to wait
 * for. Each beginning lies in memory of its own size, so that a sanitizer sees a step too far. */
static void test_cut_off(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        for (size_t length = 0; length < rows[i].message.length; length++) {
            struct arena arena;
            struct buffer parts;
            uint8_t *copy = test_malloc(length + !length);
            memcpy(copy, rows[i].message.bytes, length);
            arena_init(&arena, SASL_ARENA_BYTES, 0);
            buffer_init(&parts, &arena, 4096);
            const enum parse_result result =
                parse(rows[i].kind, span_of(copy, length), &arena, &parts);
            if (result == PARSE_NEED_MORE)
                fail_msg("%s: wants more behind byte %zu", rows[i].name, length);
            arena_destroy(&arena);
            test_free(copy);
        }
}

static void test_limits(void **state)
{
    (void)state;
    static uint8_t long_message[SASL_MESSAGE_MAX_BYTES + 1];
    struct arena arena;
    struct buffer parts;

    arena_init(&arena, SASL_ARENA_BYTES, 0);
    buffer_init(&parts, &arena, 4096);
    memset(long_message, 'a', sizeof(long_message));
    memcpy(long_message, "n,,n=a,r=a,x=", 13);
    const struct span whole = span_of(long_message, sizeof(long_message));
    assert_int_equal(parse(CLIENT_FIRST, whole, &arena, &parts), PARSE_TOO_LONG);
    assert_int_equal(parse(CLIENT_FIRST, span_first(whole, SASL_MESSAGE_MAX_BYTES), &arena, &parts),
                     PARSE_OK);
    assert_int_equal(parse(SERVER_FIRST, whole, &arena, &parts), PARSE_TOO_LONG);
    assert_int_equal(parse(CLIENT_FINAL, whole, &arena, &parts), PARSE_TOO_LONG);
    assert_int_equal(parse(SERVER_FINAL, whole, &arena, &parts), PARSE_TOO_LONG);
    assert_int_equal(parse(OAUTHBEARER, whole, &arena, &parts), PARSE_TOO_LONG);
    assert_int_equal(parse(XOAUTH2, whole, &arena, &parts), PARSE_TOO_LONG);
    arena_destroy(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests_name("sasl/message", tests, NULL, NULL);
}
