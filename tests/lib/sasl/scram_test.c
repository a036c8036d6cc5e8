/* tests/lib/sasl/scram - stored verifiers, SASLprep, the names of mechanisms. */
#include "../../test.h"

#include "base/base64.h"
#include "sasl/mechanism.h"
#include "sasl/prep.h"
#include "sasl/scram.h"

#define BYTES(literal) SPAN_LITERAL(literal)

/* Keys of RFC 5802 section 5 and RFC 7677 section 3. */
static const struct {
    enum sasl_hash hash;
    const char *password, *salt, *text;
} verifiers[] = {
    {SASL_HASH_SHA_1, "pencil", "QSXCR+Q6sek8bf92",
     "{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
     "D+CSWLOshSulAsxiupA+qs2/fTE="},
    {SASL_HASH_SHA_256, "pencil", "W22ZaJ0SNY7soEsUEjb6gQ==",
     "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,"
     "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="},
};

static void test_derive_and_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(verifiers); i++) {
        struct scram_verifier verifier, parsed;
        struct buffer salt, text;
        bool matches = false;
        buffer_init(&salt, NULL, 128);
        buffer_init(&text, NULL, SCRAM_VERIFIER_TEXT_MAX_BYTES);
        assert_int_equal(base64_decode(span_from_string(verifiers[i].salt), &salt), PARSE_OK);
        assert_true(scram_verifier_derive(verifiers[i].hash,
                                          span_from_string(verifiers[i].password),
                                          buffer_span(&salt), 4096, &verifier));
        scram_verifier_print(&verifier, &text);
        assert_span_is("text", buffer_span(&text), verifiers[i].text);
        assert_int_equal(scram_verifier_parse(buffer_span(&text), &parsed), PARSE_OK);
        assert_memory_equal(&parsed, &verifier, sizeof(parsed));
        assert_true(scram_verifier_check(&parsed, SPAN("pencil"), &matches) && matches);
        assert_true(scram_verifier_check(&parsed, SPAN("pencils"), &matches) && !matches);
        assert_true(scram_verifier_check(&parsed, SPAN(""), &matches) && !matches);
        buffer_release(&salt);
        buffer_release(&text);
    }
}

static void test_verifier_texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum parse_result result;
    } rows[] = {
        {"{scram-sha-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
         "D+CSWLOshSulAsxiupA+qs2/fTE=",
         PARSE_OK},
        {"{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=", PARSE_MALFORMED},
        {"{SCRAM-SHA-1}0,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
         "D+CSWLOshSulAsxiupA+qs2/fTE=",
         PARSE_MALFORMED},
        {"{SCRAM-SHA-1}9999999,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
         "D+CSWLOshSulAsxiupA+qs2/fTE=",
         PARSE_MALFORMED},
        {"{SCRAM-SHA-1}4096,,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,D+CSWLOshSulAsxiupA+qs2/fTE=",
         PARSE_MALFORMED},
        {"{SCRAM-SHA-256}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
         "D+CSWLOshSulAsxiupA+qs2/fTE=",
         PARSE_MALFORMED},
        {"{SCRAM-SHA-1}4096,QSXCR+Q6sek8bf92,6dlGYMOdZcOPutkcNY8U2g7vK9Y=,"
         "D+CSWLOshSulAsxiupA+qs2/fTE=,",
         PARSE_MALFORMED},
        {"{SCRAM-MD5}4096,a,b,c", PARSE_MALFORMED},
        {"{SCRAM-SHA-1", PARSE_MALFORMED},
        {"", PARSE_MALFORMED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct span text = span_from_string(rows[i].text);
        struct scram_verifier verifier;
        if (scram_verifier_parse(text, &verifier) != rows[i].result)
            fail_msg("%s", rows[i].text);
        for (size_t length = 0; rows[i].result == PARSE_OK && length < text.length; length++)
            assert_int_equal(scram_verifier_parse(span_first(text, length), &verifier),
                             PARSE_MALFORMED);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    static const uint8_t many[SASL_PASSWORD_MAX_BYTES + 1] = {'x'};
    struct scram_verifier verifier;
    const struct span salt = SPAN("salt");
    const enum sasl_hash hash = SASL_HASH_SHA_256;

    assert_false(scram_verifier_derive(hash, SPAN(""), salt, 4096, &verifier));
    assert_false(scram_verifier_derive(hash, SPAN("p"), SPAN(""), 4096, &verifier));
    assert_false(scram_verifier_derive(hash, SPAN("p"), salt, 0, &verifier));
    assert_false(scram_verifier_derive(hash, SPAN("p"), salt, 4000000000U, &verifier));
    assert_false(scram_verifier_derive(hash, SPAN("p"), span_of(many, SCRAM_SALT_MAX_BYTES + 1),
                                       4096, &verifier));
    assert_false(scram_verifier_derive(hash, span_of(many, sizeof(many)), salt, 4096, &verifier));
}

static void test_prep(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct span text;
        enum parse_result name_result;
        const char *as_name;
        enum parse_result password_result;
        const char *as_password;
    } rows[] = {
        /* RFC 4013 section 3 */
        {"soft hyphen", BYTES("I\xc2\xadX"), PARSE_OK, "IX", PARSE_OK, "IX"},
        {"case stays", BYTES("USER"), PARSE_OK, "USER", PARSE_OK, "USER"},
        {"compatibility", BYTES("\xc2\xaa"), PARSE_OK, "a", PARSE_OK, "a"},
        {"roman nine", BYTES("\xe2\x85\xa8"), PARSE_OK, "IX", PARSE_OK, "IX"},
        {"control", BYTES("\x07"), PARSE_MALFORMED, NULL, PARSE_OK, "\x07"},
        {"both directions",
         BYTES("\xd8\xa7"
               "1"),
         PARSE_MALFORMED, NULL, PARSE_OK,
         "\xd8\xa7"
         "1"},
        {"space of another kind",
         BYTES("a\xc2\xa0"
               "b"),
         PARSE_OK, "a b", PARSE_OK, "a b"},
        {"nothing left", BYTES("\xc2\xad"), PARSE_MALFORMED, NULL, PARSE_MALFORMED, NULL},
        {"empty", BYTES(""), PARSE_MALFORMED, NULL, PARSE_MALFORMED, NULL},
        {"Latin-1", BYTES("p\xe4ss"), PARSE_MALFORMED, NULL, PARSE_OK, "p\xe4ss"},
        {"younger than Unicode 3.2", BYTES("\xf0\x9f\x94\x91"), PARSE_OK, "\xf0\x9f\x94\x91",
         PARSE_OK, "\xf0\x9f\x94\x91"},
        {"grows", BYTES("\xef\xb7\xba"), PARSE_OK,
         "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 \xd8\xb9\xd9\x84\xd9\x8a\xd9"
         "\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85",
         PARSE_OK,
         "\xd8\xb5\xd9\x84\xd9\x89 \xd8\xa7\xd9\x84\xd9\x84\xd9\x87 \xd8\xb9\xd9\x84\xd9\x8a\xd9"
         "\x87 \xd9\x88\xd8\xb3\xd9\x84\xd9\x85"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct span prepared;
        arena_init(&arena, 65536, ARENA_WIPE);
        if (sasl_prep_name(rows[i].text, &arena, &prepared) != rows[i].name_result)
            fail_msg("name: %s", rows[i].name);
        if (rows[i].as_name)
            assert_span_is(rows[i].name, prepared, rows[i].as_name);
        if (sasl_prep_password(rows[i].text, &arena, &prepared) != rows[i].password_result)
            fail_msg("password: %s", rows[i].name);
        if (rows[i].as_password)
            assert_span_is(rows[i].name, prepared, rows[i].as_password);
        arena_destroy(&arena);
    }
}

static void test_mechanisms(void **state)
{
    (void)state;
    enum sasl_mechanism mechanism;
    enum sasl_binding binding;

    for (size_t i = 0; i < SASL_MECHANISM_COUNT; i++) {
        const char *name = sasl_mechanism_name((enum sasl_mechanism)i);
        assert_true(sasl_mechanism_from_name(span_from_string(name), &mechanism));
        assert_int_equal(mechanism, i);
    }
    assert_true(sasl_mechanism_from_name(SPAN("scram-sha-256-plus"), &mechanism));
    assert_int_equal(mechanism, SASL_SCRAM_SHA_256_PLUS);
    assert_false(sasl_mechanism_from_name(SPAN("SCRAM-SHA-256-"), &mechanism));
    assert_false(sasl_mechanism_from_name(SPAN(""), &mechanism));
    for (size_t i = 0; i < SASL_BINDING_COUNT; i++) {
        const char *name = sasl_binding_name((enum sasl_binding)i);
        assert_true(sasl_binding_from_name(span_from_string(name), &binding));
        assert_int_equal(binding, i);
    }
    assert_false(sasl_binding_from_name(SPAN("TLS-UNIQUE"), &binding));

    /* What a client takes of what a server has. */
    const uint32_t passwords = SASL_BIT(SASL_PLAIN) | SASL_BIT(SASL_LOGIN) | SASL_BIT(SASL_XOAUTH2);
    assert_true(sasl_mechanism_choose(passwords, &mechanism));
    assert_int_equal(mechanism, SASL_PLAIN);
    assert_true(sasl_mechanism_choose(
        passwords | SASL_BIT(SASL_SCRAM_SHA_256) | SASL_BIT(SASL_SCRAM_SHA_1_PLUS), &mechanism));
    assert_int_equal(mechanism, SASL_SCRAM_SHA_256);
    assert_false(sasl_mechanism_choose(0, &mechanism));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derive_and_print), cmocka_unit_test(test_verifier_texts),
        cmocka_unit_test(test_bounds),           cmocka_unit_test(test_prep),
        cmocka_unit_test(test_mechanisms),
    };
    return cmocka_run_group_tests_name("sasl/scram", tests, NULL, NULL);
}
