/* tests/lib/tls/scheme - the schemes by number, and by what libcrypto is told. */
#include "../../test.h"

#include "tls/scheme.h"

static void test_schemes(void **state)
{
    (void)state;
    static const struct {
        enum tls_scheme_kind kind;
        const char *hash;
        uint16_t number; /* 0: none */
    } rows[] = {
        {TLS_SCHEME_RSA_PKCS1, "SHA256", 0x0401},
        {TLS_SCHEME_RSA_PKCS1, "SHA2-256", 0x0401},
        {TLS_SCHEME_RSA_PSS, "sha2-384", 0x0805},
        {TLS_SCHEME_RSA_PSS, "SHA512", 0x0806},
        {TLS_SCHEME_ECDSA, "SHA2-512", 0x0603},
        {TLS_SCHEME_ECDSA, "SHA224", 0x0303},
        {TLS_SCHEME_ED25519, NULL, 0x0807},
        {TLS_SCHEME_ED25519, "SHA256", 0},
        {TLS_SCHEME_ECDSA, NULL, 0},
        {TLS_SCHEME_ECDSA, "SHA1", 0},
        {TLS_SCHEME_RSA_PKCS1, "MD5-SHA1", 0},
        {TLS_SCHEME_RSA_PKCS1, "SHA3-256", 0},
        {TLS_SCHEME_RSA_PKCS1, "SHA2-256/192", 0},
        {TLS_SCHEME_RSA_PSS, "", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct tls_scheme *scheme = tls_scheme_for(rows[i].kind, rows[i].hash);
        if ((scheme ? scheme->number : 0) != rows[i].number)
            fail_msg("%d %s: %x", (int)rows[i].kind, rows[i].hash ? rows[i].hash : "",
                     scheme ? scheme->number : 0);
        if (scheme)
            assert_ptr_equal(tls_scheme_find(rows[i].number), scheme);
    }
    assert_null(tls_scheme_find(0x0201)); /* SHA-1 */
    assert_null(tls_scheme_find(0x10403));
    assert_null(tls_scheme_find(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_schemes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
