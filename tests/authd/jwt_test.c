/* tests/authd/jwt - tokens: the examples of RFC 7515 and RFC 8037, forgeries, and what is asked of
 * claims. */
#include "../../authd/jwt.h"
#include "../test.h"
#include "jwt_vectors.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "base/json_read.h"

static void load(struct jwt_keys *keys, struct arena *arena)
{
    struct buffer reason;
    buffer_init(&reason, arena, 1024);
    *keys = (struct jwt_keys){.count = 0};
    arena_init(arena, 1 << 20, 0);
    assert_true(jwt_keys_add(keys, SPAN(JWT_KEYS), arena, &reason));
    assert_int_equal(keys->count, 3);
}

static void test_examples(void **state)
{
    (void)state;
    static const struct {
        const char *name, *token, *claims; /* how they begin; NULL: refused */
    } rows[] = {
        {"HS256", HS256_TOKEN, "{\"iss\":\"joe\",\r\n \"exp\":1300819380"},
        {"ES256", ES256_TOKEN, "{\"iss\":\"joe\""},
        {"EdDSA", EDDSA_TOKEN, "Example of Ed25519 signing"},
        {"no signature (alg none)", "eyJhbGciOiJub25lIn0." PAYLOAD_OF_RFC7515 ".", NULL},
        {"another payload",
         "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ."
         "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
         NULL},
        {"another algorithm's header",
         "eyJhbGciOiJIUzI1NiJ9." PAYLOAD_OF_RFC7515
         ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
         NULL},
        {"a short signature", "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_OF_RFC7515 ".DtEhU3lj", NULL},
        {"padding", HS256_TOKEN "=", NULL},
        {"two parts", "eyJhbGciOiJFUzI1NiJ9." PAYLOAD_OF_RFC7515, NULL},
        {"nothing", "..", NULL},
        {"a header that is no JSON", "AAAA." PAYLOAD_OF_RFC7515 ".AAAA", NULL},
    };
    struct jwt_keys keys;
    struct arena arena;
    load(&keys, &arena);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct span claims;
        const char *reason;
        const bool is_good =
            jwt_verify(&keys, span_from_string(rows[i].token), &arena, &claims, &reason);
        if (is_good != (rows[i].claims != NULL))
            fail_msg("%s: %s", rows[i].name, is_good ? "taken" : reason);
        if (is_good && !span_starts_with(claims, span_from_string(rows[i].claims)))
            fail_msg("%s: %.*s", rows[i].name, SPAN_PRINTF(claims));
    }
    assert_true(jwt_is_one(SPAN(HS256_TOKEN)));
    assert_false(jwt_is_one(SPAN("opaque")));
    assert_false(jwt_is_one(SPAN("a.b")));
    assert_false(jwt_is_one(SPAN("a.b.c.d")));
    jwt_keys_release(&keys);
    arena_destroy(&arena);
}

static void append_base64url(struct buffer *out, struct span bytes)
{
    struct buffer standard;
    buffer_init(&standard, NULL, 4096);
    base64_encode(bytes, &standard);
    for (size_t i = 0; i < standard.length && standard.bytes[i] != '='; i++)
        buffer_append_byte(out, standard.bytes[i] == '+'   ? '-'
                                : standard.bytes[i] == '/' ? '_'
                                                           : standard.bytes[i]);
    buffer_release(&standard);
}

/* A key made here, given as PEM. */
static void test_rsa(void **state)
{
    (void)state;
    struct jwt_keys keys = {.count = 0};
    struct arena arena;
    struct buffer reason, token;
    uint8_t signature[512];
    size_t signature_length = sizeof(signature);
    arena_init(&arena, 1 << 20, 0);
    buffer_init(&reason, &arena, 1024);
    buffer_init(&token, &arena, 8192);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *pem = BIO_new(BIO_s_mem());
    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PUBKEY(pem, key), 1);
    char *text;
    const long length = BIO_get_mem_data(pem, &text);
    assert_true(jwt_keys_add(&keys, span_of(text, (size_t)length), &arena, &reason));
    append_base64url(&token, SPAN("{\"alg\":\"RS256\",\"kid\":\"any\"}"));
    buffer_append_byte(&token, '.');
    append_base64url(&token, SPAN("{\"sub\":\"ann\"}"));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(
        EVP_DigestSign(context, signature, &signature_length, token.bytes, token.length), 1);
    buffer_append_byte(&token, '.');
    append_base64url(&token, span_of(signature, signature_length));
    struct span claims;
    const char *why;
    assert_true(jwt_verify(&keys, buffer_span(&token), &arena, &claims, &why));
    assert_span_is("claims", claims, "{\"sub\":\"ann\"}");
    token.bytes[token.length - 10] ^= 1;
    assert_false(jwt_verify(&keys, buffer_span(&token), &arena, &claims, &why));
    assert_false(jwt_keys_add(&keys, SPAN("nothing"), &arena, &reason));
    assert_false(jwt_keys_add(&keys, SPAN("{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}"),
                              &arena, &reason));
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    BIO_free(pem);
    jwt_keys_release(&keys);
    arena_destroy(&arena);
}

static void test_claims(void **state)
{
    (void)state;
    static const struct claim_rules loose = {.username_claims = SPAN_LITERAL("email sub"),
                                             .leeway_s = 60};
    static const struct claim_rules strict = {.issuers = SPAN_LITERAL("https://a, https://b"),
                                              .audiences = SPAN_LITERAL("mail"),
                                              .scopes = SPAN_LITERAL("smtp imap"),
                                              .username_claims = SPAN_LITERAL("email")};
    static const struct claim_rules asked = {.issuers = SPAN_LITERAL("https://a"),
                                             .scopes = SPAN_LITERAL("smtp"),
                                             .username_claims = SPAN_LITERAL("username"),
                                             .is_introspection = true};
    static const struct {
        const struct claim_rules *rules;
        const char *claims, *user, *reason; /* user NULL: refused for that reason */
    } rows[] = {
        {&loose, "{\"exp\":1000,\"email\":\"ann@example.org\",\"sub\":\"1\"}", "ann@example.org",
         NULL},
        {&loose, "{\"exp\":1000,\"sub\":\"a\\u00e4\\ud83d\\ude00\"}", "a\xc3\xa4\xf0\x9f\x98\x80",
         NULL},
        {&loose, "{\"exp\":941,\"sub\":\"ann\"}", "ann", NULL},
        {&loose, "{\"exp\":940,\"sub\":\"ann\"}", NULL, "the token has expired"},
        {&loose, "{\"exp\":1000.5,\"sub\":\"ann\"}", "ann", NULL},
        {&loose, "{\"exp\":\"1000\",\"sub\":\"ann\"}", NULL,
         "the token does not say how long it is good"},
        {&loose, "{\"exp\":1e9,\"sub\":\"ann\"}", NULL,
         "the token does not say how long it is good"},
        {&loose, "{\"sub\":\"ann\"}", NULL, "the token does not say how long it is good"},
        {&loose, "{\"exp\":1000,\"exp\":2000,\"sub\":\"ann\"}", NULL,
         "the token does not say how long it is good"},
        {&loose, "{\"exp\":2000,\"nbf\":1060,\"sub\":\"ann\"}", "ann", NULL},
        {&loose, "{\"exp\":2000,\"nbf\":1061,\"sub\":\"ann\"}", NULL, "the token is not good yet"},
        {&loose, "{\"exp\":2000,\"sub\":7}", NULL, "the token does not say who the user is"},
        {&loose, "{\"exp\":2000,\"sub\":\"\"}", NULL, "the token does not say who the user is"},
        {&loose, "[1]", NULL, "the token's claims are malformed"},
        {&loose, "Example", NULL, "the token's claims are malformed"},
        {&strict,
         "{\"exp\":2000,\"iss\":\"https://b\",\"aud\":[\"x\",\"mail\"],\"scope\":\"imap "
         "smtp\",\"email\":\"a\"}",
         "a", NULL},
        {&strict,
         "{\"exp\":2000,\"iss\":\"https://"
         "b\",\"aud\":\"mail\",\"scp\":[\"imap\",\"smtp\"],\"email\":\"a\"}",
         "a", NULL},
        {&strict,
         "{\"exp\":2000,\"iss\":\"https://c\",\"aud\":\"mail\",\"scope\":\"imap "
         "smtp\",\"email\":\"a\"}",
         NULL, "the token is of another issuer"},
        {&strict, "{\"exp\":2000,\"aud\":\"mail\",\"scope\":\"imap smtp\",\"email\":\"a\"}", NULL,
         "the token is of another issuer"},
        {&strict,
         "{\"exp\":2000,\"iss\":\"https://b\",\"aud\":\"web\",\"scope\":\"imap "
         "smtp\",\"email\":\"a\"}",
         NULL, "the token is for somebody else"},
        {&strict,
         "{\"exp\":2000,\"iss\":\"https://b\",\"aud\":\"mail\",\"scope\":\"imap\",\"email\":\"a\"}",
         NULL, "the token has not the scope"},
        {&asked, "{\"active\":true,\"scope\":\"smtp\",\"username\":\"a\"}", "a", NULL},
        {&asked, "{\"active\":true,\"iss\":\"https://x\",\"scope\":\"smtp\",\"username\":\"a\"}",
         NULL, "the token is of another issuer"},
        {&asked, "{\"active\":false}", NULL, "the token is not active"},
        {&asked, "{\"active\":\"true\",\"scope\":\"smtp\",\"username\":\"a\"}", NULL,
         "the token is not active"},
        {&asked, "{\"active\":true,\"exp\":5,\"scope\":\"smtp\",\"username\":\"a\"}", NULL,
         "the token has expired"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct span user;
        bool is_expired;
        const char *reason;
        arena_init(&arena, 1 << 16, 0);
        const bool is_good = claims_check(span_from_string(rows[i].claims), rows[i].rules, 1000,
                                          &arena, &user, &is_expired, &reason);
        if (is_good && !rows[i].user)
            fail_msg("taken: %s", rows[i].claims);
        else if (is_good)
            assert_span_is(rows[i].claims, user, rows[i].user);
        else if (rows[i].user || strcmp(reason, rows[i].reason) != 0)
            fail_msg("%s: %s", rows[i].claims, reason);
        arena_destroy(&arena);
    }
}

static void test_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum parse_result result;
    } rows[] = {
        {"{}", PARSE_OK},
        {" [ ] ", PARSE_OK},
        {"{\"a\":[1,-0.5e+3,true,false,null,{\"b\":\"\\\"\"}]}", PARSE_OK},
        {"\"\\u12aF\"", PARSE_OK},
        {"", PARSE_MALFORMED},
        {"{", PARSE_MALFORMED},
        {"{\"a\"}", PARSE_MALFORMED},
        {"{\"a\":}", PARSE_MALFORMED},
        {"{\"a\":1,}", PARSE_MALFORMED},
        {"{a:1}", PARSE_MALFORMED},
        {"[1,]", PARSE_MALFORMED},
        {"[1 2]", PARSE_MALFORMED},
        {"[1}", PARSE_MALFORMED},
        {"01", PARSE_MALFORMED},
        {"1.", PARSE_MALFORMED},
        {"-", PARSE_MALFORMED},
        {"1e", PARSE_MALFORMED},
        {"tru", PARSE_MALFORMED},
        {"\"\\x\"", PARSE_MALFORMED},
        {"\"\\u12\"", PARSE_MALFORMED},
        {"\"\n\"", PARSE_MALFORMED},
        {"{} {}", PARSE_MALFORMED},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", PARSE_OK},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", PARSE_TOO_LONG},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct json_value value;
        const struct span text = span_from_string(rows[i].text);
        if (json_parse(text, &value) != rows[i].result)
            fail_msg("%s", rows[i].text);
        for (size_t length = 0; rows[i].result == PARSE_OK && length + 1 < text.length; length++)
            if (json_parse(span_first(text, length), &value) == PARSE_OK)
                fail_msg("%s: %zu bytes are enough", rows[i].text, length);
    }
    struct json_value value, member;
    struct arena arena;
    arena_init(&arena, 4096, 0);
    assert_int_equal(
        json_parse(SPAN("{\"x\":{\"a\":1},\"a\":\"\\\\\\n\\u00e9\",\"n\":-5}"), &value), PARSE_OK);
    assert_true(json_object_find(&value, "a", &member));
    assert_span_is("escapes", json_string(&member, &arena), "\\\n\xc3\xa9");
    int64_t number = 0;
    assert_true(json_object_find(&value, "n", &member) && json_integer(&member, &number));
    assert_int_equal(number, -5);
    assert_false(json_object_find(&value, "b", &member));
    assert_int_equal(json_parse(SPAN("\"\\ud800x\""), &value), PARSE_OK);
    assert_null(json_string(&value, &arena).bytes);
    arena_destroy(&arena);
}

static void test_introspection(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_answer;
    } rows[] = {
        {"{\"active\":true,\"username\":\"ann\"}", true},
        {"{\"active\":false}", true},
        {"{\"active\":\"true\"}", false},
        {"{\"active\":true,\"active\":false}", false},
        {"{\"error\":\"x\"}", false},
        {"[true]", false},
        {"{\"active\":true", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (claims_are_introspection(span_from_string(rows[i].text)) != rows[i].is_answer)
            fail_msg("%s", rows[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples), cmocka_unit_test(test_rsa),
        cmocka_unit_test(test_claims),   cmocka_unit_test(test_introspection),
        cmocka_unit_test(test_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
