/* tests/lib/password/scheme - stored passwords of every scheme, most of them made by others. */
#include "config.h"

#include "../../test.h"

#include "password/scheme.h"

static const struct {
    const char *stored;
    const char *password;
    enum password_result result;
} rows[] = {
    {"{PLAIN}secret", "secret", PASSWORD_MATCHES},
    {"{plain}secret", "secret", PASSWORD_MATCHES},
    {"{CLEARTEXT}secret", "Secret", PASSWORD_DIFFERS},
    {"{PLAIN}", "", PASSWORD_DIFFERS},
    {"{NOSUCH}secret", "secret", PASSWORD_UNUSABLE},
    /* crypt(5): glibc's and libxcrypt's own test values. */
    {"$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "U*U*U*U*", PASSWORD_MATCHES},
    {"{MD5}$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "U*U*U*U*", PASSWORD_MATCHES},
    {"{MD5-CRYPT}$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "U*U*U*U", PASSWORD_DIFFERS},
    {"{SHA256-CRYPT}$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!",
     PASSWORD_MATCHES},
    {"{SHA512-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
     "O817G3uBnIFNjnQJuesI68u4OTLiBF"
     "dcbYEdFCoEOfaS35inz1",
     "Hello world!", PASSWORD_MATCHES},
    {"{CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/"
     "O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdF"
     "CoEOfaS35inz1",
     "Hello world", PASSWORD_DIFFERS},
    {"{SHA256-CRYPT}$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3", "Hello world!",
     PASSWORD_UNUSABLE},
    {"{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U",
     PASSWORD_MATCHES},
    {"{BLF-CRYPT}$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U*",
     PASSWORD_DIFFERS},
    {"!", "x", PASSWORD_DIFFERS},
    {"*", "*", PASSWORD_DIFFERS},
    {"!$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1", "U*U*U*U*", PASSWORD_DIFFERS},
    {"{CRYPT}", "", PASSWORD_DIFFERS},
    {"{CRYPT}$9$unknown", "x", PASSWORD_UNUSABLE},
    /* Digests, by openssl and coreutils. */
    {"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", PASSWORD_MATCHES},
    {"{SHA1}5en6G6MezRroT3XKqkdPOmY/BfQ=", "Secret", PASSWORD_DIFFERS},
    {"{SHA}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "secret", PASSWORD_MATCHES},
    {"{SHA.HEX}E5E9FA1BA31ECD1AE84F75CAAA474F3A663F05F4", "secret", PASSWORD_MATCHES},
    {"{SHA.B64}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", PASSWORD_MATCHES},
    {"{SHA}5en6G6MezRroT3XKqkdPOmY", "secret", PASSWORD_UNUSABLE},
    {"{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", "secret", PASSWORD_MATCHES},
    {"{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret", PASSWORD_MATCHES},
    {"{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret", PASSWORD_MATCHES},
    {"{MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret", PASSWORD_MATCHES},
    {"{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret", PASSWORD_MATCHES},
    {"{SSHA}c2hvcnQ=", "secret", PASSWORD_UNUSABLE},
    /* hashlib.pbkdf2_hmac("sha1", b"secret", b"salt", 1000, 20). */
    {"{PBKDF2}$1$salt$1000$fa7bab9eff3a06a5271ccfb9b6d8728d0c7a334d", "secret", PASSWORD_MATCHES},
    {"{PBKDF2}$1$salt$0$1db9bc2cc2c0a1ed2d3a7d6ac5c0c7ef8ad4da4d", "secret", PASSWORD_UNUSABLE},
    {"{PBKDF2}$2$salt$1000$1db9", "secret", PASSWORD_UNUSABLE},
    /* RFC 7677 section 3: "pencil". */
    {"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
     "pencil", PASSWORD_MATCHES},
    {"{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
     "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
     "pencils", PASSWORD_DIFFERS},
    {"{SCRAM-SHA-256}4096,,", "pencil", PASSWORD_UNUSABLE},
    {"{CRAM-MD5}nothex", "secret", PASSWORD_UNUSABLE},
#ifdef HAVE_ARGON2
    {"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
     "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
     "password", PASSWORD_MATCHES},
    {"{ARGON2I}$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
     "wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA",
     "password", PASSWORD_MATCHES},
    {"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
     "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
     "Password", PASSWORD_DIFFERS},
    {"{ARGON2ID}$argon2id$nonsense", "password", PASSWORD_UNUSABLE},
#endif
};

static void test_verify(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const enum password_result result =
            password_verify(span_from_string(rows[i].stored), SPAN("CRYPT"), SPAN("ann"),
                            span_from_string(rows[i].password));
        if (result != rows[i].result)
            fail_msg("%s with %s: %d", rows[i].stored, rows[i].password, (int)result);
    }
    uint8_t longest[PASSWORD_MAX_BYTES + 1];
    memset(longest, 'x', sizeof(longest));
    assert_int_equal(password_verify(SPAN("{PLAIN}x"), SPAN("CRYPT"), SPAN(""),
                                     span_of(longest, sizeof(longest))),
                     PASSWORD_DIFFERS);
    /* What stands behind a NUL counts, or the password is refused. */
    assert_int_equal(password_verify(SPAN("$1$dXc3I7Rw$ctlgjDdWJLMT.qwHsWhXR1"), SPAN("CRYPT"),
                                     SPAN(""), span_of("U*U*U*U*\0x", 10)),
                     PASSWORD_DIFFERS);
}

/* What is made is taken, and by nothing but the password. */
static void test_make(void **state)
{
    (void)state;
    uint8_t random[PASSWORD_RANDOM_BYTES];
    for (size_t i = 0; i < sizeof(random); i++)
        random[i] = (uint8_t)(i * 37 + 5);
    size_t count = 0;
    for (const char *name; (name = password_scheme_name(count)) != NULL; count++) {
        struct buffer stored;
        buffer_init(&stored, NULL, PASSWORD_STORED_MAX_BYTES);
        if (!password_make(span_from_string(name), 0, SPAN("Gr\xc3\xbc\xc3\x9f dich"), random,
                           &stored)) {
            if (strncmp(name, "ARGON2", 6) != 0)
                fail_msg("%s cannot be made", name);
            buffer_release(&stored);
            continue;
        }
        assert_true(buffer_ok(&stored));
        if (password_verify(buffer_span(&stored), SPAN("X"), SPAN(""),
                            SPAN("Gr\xc3\xbc\xc3\x9f dich")) != PASSWORD_MATCHES ||
            password_verify(buffer_span(&stored), SPAN("X"), SPAN(""), SPAN("Gruess dich")) !=
                PASSWORD_DIFFERS)
            fail_msg("%s: %.*s", name, SPAN_PRINTF(buffer_span(&stored)));
        buffer_release(&stored);
    }
    assert_true(count > 10);
    struct buffer stored;
    buffer_init(&stored, NULL, PASSWORD_STORED_MAX_BYTES);
    assert_false(password_make(SPAN("CRYPT"), 0, SPAN("x"), random, &stored));
    assert_false(password_make(SPAN("NOSUCH"), 0, SPAN("x"), random, &stored));
    assert_false(password_make(SPAN("PLAIN"), 5, SPAN("x"), random, &stored));
    assert_false(password_make(SPAN("PLAIN"), 0, SPAN(""), random, &stored));
    assert_false(password_make(SPAN("BLF-CRYPT"), 1, SPAN("x"), random, &stored));
    buffer_reset(&stored);
    assert_true(password_make(SPAN("CRAM-MD5"), 0, SPAN("test"), random, &stored));
    assert_span_is("as Dovecot has it", buffer_span(&stored),
                   "{CRAM-MD5}e02d374fde0dc75a17a557039a3a5338c7743304777dccd376f332bee68d2cf6");
    buffer_release(&stored);
}

static void test_serves(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 4096, 0);
    assert_true(password_serves(SPAN("{CLEAR}x"), SPAN("CRYPT"), SPAN("SCRAM-SHA-256")));
    assert_true(password_serves(SPAN("x"), SPAN("PLAIN"), SPAN("SCRAM-SHA-256")));
    assert_true(password_serves(SPAN("{SCRAM-SHA-256}x"), SPAN("CRYPT"), SPAN("SCRAM-SHA-256")));
    assert_false(password_serves(SPAN("{SCRAM-SHA-1}x"), SPAN("CRYPT"), SPAN("SCRAM-SHA-256")));
    assert_false(password_serves(SPAN("{SCRAM-SHA-256}x"), SPAN("CRYPT"), SPAN("PLAIN")));
    assert_false(password_serves(SPAN("$6$x$y"), SPAN("CRYPT"), SPAN("PLAIN")));
    assert_span_is("a name for all", password_with_scheme(SPAN("{CLEAR}x"), SPAN("CRYPT"), &arena),
                   "{PLAIN}x");
    assert_span_is("the default", password_with_scheme(SPAN("x{y}"), SPAN("PLAIN"), &arena),
                   "{PLAIN}x{y}");
    arena_destroy(&arena);
}

static void test_weaker(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *scheme;
        uint32_t cost;
        bool is_weaker;
    } weak[] = {
        {"{PLAIN}x", "SHA512-CRYPT", 0, true},
        {"$1$a$b", "BLF-CRYPT", 0, true},
        {"$6$a$b", "SHA512-CRYPT", 0, false},
        {"{CRYPT}$6$a$b", "SHA256-CRYPT", 0, false},
        {"$6$a$b", "SHA512-CRYPT", 100000, true},
        {"$6$a$b", "SHA512-CRYPT", 5000, false},
        {"$6$rounds=200000$a$b", "SHA512-CRYPT", 100000, false},
        {"{BLF-CRYPT}$2y$05$x", "BLF-CRYPT", 10, true},
        {"{BLF-CRYPT}$2y$12$x", "BLF-CRYPT", 10, false},
        {"{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$x$y", "ARGON2ID", 3, true},
        {"{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$x$y", "ARGON2ID", 3, false},
        {"{SCRAM-SHA-256}4096,a,b,c", "SCRAM-SHA-256", 10000, true},
        {"{SCRAM-SHA-256}4096,a,b,c", "SCRAM-SHA-256", 0, false},
        {"{PBKDF2}$1$x$5000$y", "PBKDF2", 6000, true},
        {"{ARGON2ID}x", "BLF-CRYPT", 0, false},
        {"{NOSUCH}x", "BLF-CRYPT", 0, false},
        {"{PLAIN}x", "NOSUCH", 0, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(weak); i++)
        if (password_is_weaker(span_from_string(weak[i].stored), SPAN("CRYPT"),
                               span_from_string(weak[i].scheme), weak[i].cost) != weak[i].is_weaker)
            fail_msg("%s beside %s", weak[i].stored, weak[i].scheme);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify),
        cmocka_unit_test(test_make),
        cmocka_unit_test(test_serves),
        cmocka_unit_test(test_weaker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
