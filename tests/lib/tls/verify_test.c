/* tests/lib/tls/verify - names and fingerprints of certificates, and TLSA records that say
 * anything. */
#include "../../smtp/certificates.h"
#include "../../test.h"

#include "tls/dane.h"
#include "tls/verify.h"

enum { PEER_TEXT_BYTES = 400 };

static X509 *certificate_of(const char *word)
{
    SSL *ssl = certificates_server(word);
    X509 *certificate = SSL_get_certificate(ssl);
    assert_int_equal(X509_up_ref(certificate), 1);
    SSL_free(ssl);
    return certificate;
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *certificate, *name;
        bool is_one_label, is_many, is_dns_name;
    } rows[] = {
        {"mx.example.com", "mx.example.com", true, true, true},
        {"mx.example.com", "MX.Example.COM", true, true, true},
        {"mx.example.com", "mx2.example.com", false, false, false},
        {"mx.example.com", "example.com", false, false, false},
        {"mx.example.com", ".example.com", true, true, true},
        {"a.mx.example.com", ".example.com", true, true, true},
        {"example.com", ".example.com", false, false, false},
        {"*.example.com", "mx.example.com", true, true, true},
        {"*.example.com", "a.mx.example.com", false, true, false},
        {"*.example.com", "example.com", false, false, false},
        {"m*.example.com", "mx.example.com", false, false, false},
        {"cn:mx.example.com", "mx.example.com", true, true, false},
        {"cn:*.example.com", "mx.example.com", true, true, false},
        {"mx.example.com", ".", false, false, false},
        {"mx.example.com", "", false, false, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        X509 *certificate = certificate_of(rows[i].certificate);
        const struct span name = span_from_string(rows[i].name);
        if (tls_verify_has_name(certificate, name, 0) != rows[i].is_one_label ||
            tls_verify_has_name(certificate, name, TLS_NAME_WILDCARD_IS_MANY) != rows[i].is_many ||
            tls_verify_has_name(certificate, name, TLS_NAME_NEVER_COMMON) != rows[i].is_dns_name)
            fail_msg("%s in %s", rows[i].name, rows[i].certificate);
        X509_free(certificate);
    }
}

static void test_fingerprints(void **state)
{
    (void)state;
    assert_true(tls_fingerprint_equals(SPAN("AB:CD"), SPAN("abcd")));
    assert_true(tls_fingerprint_equals(SPAN("AB:CD:"), SPAN("ab:cd")));
    assert_false(tls_fingerprint_equals(SPAN("AB:CD"), SPAN("AB:CE")));
    assert_false(tls_fingerprint_equals(SPAN("AB:CD"), SPAN("AB")));
    assert_false(tls_fingerprint_equals(SPAN(""), SPAN("")));
    assert_false(tls_fingerprint_equals(SPAN(":"), SPAN("")));
    assert_int_equal(strlen(certificates_fingerprint()), 32 * 3 - 1);
    assert_false(tls_fingerprint_equals(span_from_string(certificates_fingerprint()),
                                        span_from_string(certificates_key_fingerprint())));
}

static void test_explanations(void **state)
{
    (void)state;
    static const struct {
        int error, depth;
        bool is_of_client;
        const char *text;
    } rows[] = {
        {X509_V_ERR_CERT_UNTRUSTED, 0, false,
         "certificate verification failed for x[y]:25: not trusted by local or TLSA policy"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, 0, false,
         "certificate verification failed for x[y]:25: self-signed certificate"},
        {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, 1, false,
         "certificate verification failed for x[y]:25: untrusted issuer <unknown>"},
        {X509_V_ERR_CERT_HAS_EXPIRED, 0, false,
         "server certificate verification failed for x[y]:25: certificate has expired"},
        {X509_V_ERR_CERT_HAS_EXPIRED, 1, true,
         "CA certificate verification failed for x[y]:25: certificate has expired"},
        {X509_V_ERR_CERT_NOT_YET_VALID, 0, true,
         "client certificate verification failed for x[y]:25: certificate not yet valid"},
        {X509_V_ERR_INVALID_PURPOSE, 0, true,
         "certificate verification failed for x[y]:25: not designated for use as a client "
         "certificate"},
        {X509_V_ERR_CERT_CHAIN_TOO_LONG, 10, false,
         "certificate verification failed for x[y]:25: certificate chain longer than limit(9)"},
        {X509_V_ERR_HOSTNAME_MISMATCH, 0, false,
         "server certificate verification failed for x[y]:25: num=62:hostname mismatch"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct tls_verify_problem problem = {
            .error = rows[i].error, .depth = rows[i].depth, .is_of_client = rows[i].is_of_client};
        struct buffer text;
        buffer_init(&text, NULL, PEER_TEXT_BYTES);
        tls_verify_explain(&problem, SPAN("x[y]:25"), &text);
        assert_true(buffer_ok(&text));
        assert_span_is("explanation", buffer_span(&text), rows[i].text);
        buffer_release(&text);
    }
}

static void test_digests(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        const char *bad_word; /* NULL: good */
    } rows[] = {
        {"sha512 sha256", NULL},        {"", NULL},
        {"sha256=1, sha384=200", NULL}, {"sha384", "sha384"},
        {"sha256=2", "sha256=2"},       {"nonsense", "nonsense"},
        {"sha384=2", "sha384=2"},       {"sha384=255", "sha384=255"},
        {"sha256 sha256", "sha256"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_dane_digests digests;
        struct span bad_word = span_empty();
        const bool is_good = tls_dane_digests_parse(span_from_string(rows[i].words), &digests,
                                                    &bad_word) == PARSE_OK;
        if (is_good != !rows[i].bad_word)
            fail_msg("%s", rows[i].words);
        if (!is_good)
            assert_span_is(rows[i].words, bad_word, rows[i].bad_word);
    }
}

static void test_usable(void **state)
{
    (void)state;
    static uint8_t bytes[4096];
    struct tls_dane_digests digests;
    struct span bad_word;
    assert_int_equal(tls_dane_digests_parse(SPAN("sha512 sha256"), &digests, &bad_word), PARSE_OK);
    for (unsigned usage = 0; usage < 5; usage++)
        for (unsigned selector = 0; selector < 3; selector++)
            for (unsigned type = 0; type < 4; type++) {
                const size_t length =
                    certificates_tlsa(usage, selector, type, bytes, sizeof(bytes));
                struct tls_dane_record record = {(uint8_t)usage, (uint8_t)selector, (uint8_t)type,
                                                 span_of(bytes + 3, length - 3)};
                const bool is_good = (usage == 2 || usage == 3) && selector < 2 && type < 3;
                assert_int_equal(tls_dane_is_usable(&record, &digests), is_good);
                record.data.length--;
                assert_false(tls_dane_is_usable(&record, &digests));
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_fingerprints),
        cmocka_unit_test(test_explanations), cmocka_unit_test(test_digests),
        cmocka_unit_test(test_usable),
    };
    return cmocka_run_group_tests_name("tls/verify", tests, certificates_set_up,
                                       certificates_tear_down);
}
