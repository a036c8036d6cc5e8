/* tests/lib/tls - channel bindings are the same on both sides, and another connection's are not;
 * who a client is by its certificate. In memory, without a loop. */
#include "../../test.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "tls/binding.h"
#include "tls/certificate.h"

struct pair {
    SSL_CTX *server_context, *client_context;
    SSL *server, *client;
};

static X509 *certificate;
static EVP_PKEY *key;

static void add_extension(X509 *to, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(to, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *make_certificate(const unsigned char *name, int name_length, const char *alternatives,
                              const EVP_MD *digest)
{
    X509 *made = X509_new();
    X509_NAME *subject = X509_get_subject_name(made);
    assert_int_equal(
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, name, name_length, -1, 0), 1);
    assert_int_equal(X509_set_issuer_name(made, subject), 1);
    assert_int_equal(X509_set_version(made, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(made), -10));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(made), 3600));
    assert_int_equal(X509_set_pubkey(made, key), 1);
    add_extension(made, NID_basic_constraints, "critical,CA:TRUE");
    if (alternatives)
        add_extension(made, NID_subject_alt_name, alternatives);
    assert_true(X509_sign(made, key, digest) > 0);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    assert_non_null(key);
    certificate = make_certificate((const unsigned char *)"mx.here.test", -1, NULL, EVP_sha384());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static void shake_hands(struct pair *pair)
{
    BIO *server_end, *client_end;
    assert_int_equal(BIO_new_bio_pair(&server_end, 0, &client_end, 0), 1);
    pair->server = SSL_new(pair->server_context);
    pair->client = SSL_new(pair->client_context);
    SSL_set_bio(pair->server, server_end, server_end);
    SSL_set_bio(pair->client, client_end, client_end);
    SSL_set_accept_state(pair->server);
    SSL_set_connect_state(pair->client);
}

static void run_handshake(struct pair *pair)
{
    for (int i = 0; i < 10; i++) {
        (void)SSL_do_handshake(pair->client);
        (void)SSL_do_handshake(pair->server);
    }
    assert_true(SSL_is_init_finished(pair->server) && SSL_is_init_finished(pair->client));
}

static void begin(struct pair *pair, int version)
{
    pair->server_context = SSL_CTX_new(TLS_server_method());
    pair->client_context = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate(pair->server_context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(pair->server_context, key), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(pair->client_context, version), 1);
}

static void end(struct pair *pair)
{
    SSL_free(pair->server);
    SSL_free(pair->client);
    SSL_CTX_free(pair->server_context);
    SSL_CTX_free(pair->client_context);
}

/* The length; both sides have to say the same. */
static size_t find_binding(const struct pair *pair, const char *name, uint8_t *bytes)
{
    struct buffer of_server, of_client;
    buffer_init(&of_server, NULL, TLS_BINDING_MAX_BYTES);
    buffer_init(&of_client, NULL, TLS_BINDING_MAX_BYTES);
    const bool is_there = tls_binding_append(pair->server, span_from_string(name), &of_server);
    assert_int_equal(tls_binding_append(pair->client, span_from_string(name), &of_client),
                     is_there);
    assert_true(span_equals(buffer_span(&of_server), buffer_span(&of_client)));
    const size_t length = of_server.length;
    memcpy(bytes, buffer_span(&of_server).bytes, length);
    buffer_release(&of_server);
    buffer_release(&of_client);
    return length;
}

static void test_bindings(void **state)
{
    static const struct {
        const char *name;
        int version;
        size_t length; /* 0: there is none */
        bool is_same;  /* on every connection */
    } rows[] = {
        {"tls-exporter", TLS1_3_VERSION, 32, false},
        {"tls-exporter", TLS1_2_VERSION, 32, false},
        {"tls-unique", TLS1_3_VERSION, 0, false},
        {"tls-unique", TLS1_2_VERSION, 12, false},
        {"tls-server-end-point", TLS1_3_VERSION, 48, true},
        {"tls-server-end-point", TLS1_2_VERSION, 48, true},
        {"tls-other", TLS1_3_VERSION, 0, false},
        {"", TLS1_3_VERSION, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint8_t first[TLS_BINDING_MAX_BYTES], second[TLS_BINDING_MAX_BYTES];
        struct pair pair;
        begin(&pair, rows[i].version);
        shake_hands(&pair);
        run_handshake(&pair);
        assert_int_equal(find_binding(&pair, rows[i].name, first), rows[i].length);
        SSL_free(pair.server);
        SSL_free(pair.client);
        shake_hands(&pair);
        run_handshake(&pair);
        assert_int_equal(find_binding(&pair, rows[i].name, second), rows[i].length);
        if (rows[i].length)
            assert_int_equal(memcmp(first, second, rows[i].length) == 0, rows[i].is_same);
        end(&pair);
    }
}

/* RFC 5929 section 3.1: where a session is resumed the server's Finished comes first. */
static void test_resumed(void **state)
{
    uint8_t first[TLS_BINDING_MAX_BYTES], second[TLS_BINDING_MAX_BYTES];
    struct pair pair;
    (void)state;
    begin(&pair, TLS1_2_VERSION);
    shake_hands(&pair);
    run_handshake(&pair);
    assert_int_equal(find_binding(&pair, "tls-unique", first), 12);
    SSL_SESSION *session = SSL_get1_session(pair.client);
    SSL_set_shutdown(pair.client, SSL_SENT_SHUTDOWN); /* or it could not be resumed */
    SSL_free(pair.server);
    SSL_free(pair.client);
    shake_hands(&pair);
    assert_int_equal(SSL_set_session(pair.client, session), 1);
    run_handshake(&pair);
    assert_true(SSL_session_reused(pair.server));
    assert_int_equal(find_binding(&pair, "tls-unique", second), 12);
    assert_true(memcmp(first, second, 12) != 0);
    SSL_SESSION_free(session);
    end(&pair);
}

/* A master secret that does not depend on the whole handshake binds to nothing: RFC 7627. */
static void test_weak_secret(void **state)
{
    uint8_t bytes[TLS_BINDING_MAX_BYTES];
    struct pair pair;
    (void)state;
    begin(&pair, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(pair.client_context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    shake_hands(&pair);
    run_handshake(&pair);
    assert_int_equal(find_binding(&pair, "tls-unique", bytes), 0);
    assert_int_equal(find_binding(&pair, "tls-exporter", bytes), 0);
    assert_int_equal(find_binding(&pair, "tls-server-end-point", bytes), 48);
    end(&pair);
}

/* ---- certificates of clients ---- */

static int take_any(int is_good, X509_STORE_CTX *store)
{
    (void)is_good;
    (void)store;
    return 1;
}

static void test_identity(void **state)
{
    static const struct {
        struct span name;
        const char *alternatives;
        bool is_trusted;
        const char *subject;
        const char *identity;
    } rows[] = {
        {SPAN_LITERAL("bob"), NULL, true, "bob", "bob"},
        {SPAN_LITERAL("bob"), NULL, false, "bob", ""},
        {SPAN_LITERAL("bob"), "DNS:b.example,email:bob@client.example,email:b2@client.example",
         true, "bob", "bob@client.example"},
        /* Whoever reads up to the NUL reads another name. */
        {SPAN_LITERAL("bob\0.evil.example"), NULL, true, "", ""},
        {SPAN_LITERAL("bob\r\nX-Evil: 1"), NULL, true, "", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_certificate facts;
        struct buffer identity;
        struct pair pair;
        X509 *shown = make_certificate(rows[i].name.bytes, (int)rows[i].name.length,
                                       rows[i].alternatives, EVP_sha256());
        begin(&pair, TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_use_certificate(pair.client_context, shown), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(pair.client_context, key), 1);
        SSL_CTX_set_verify(pair.server_context, SSL_VERIFY_PEER, take_any);
        if (rows[i].is_trusted)
            assert_int_equal(
                X509_STORE_add_cert(SSL_CTX_get_cert_store(pair.server_context), shown), 1);
        shake_hands(&pair);
        run_handshake(&pair);
        assert_true(tls_certificate_read(pair.server, EVP_sha256(), &facts));
        assert_int_equal(facts.is_trusted, rows[i].is_trusted);
        assert_string_equal(facts.subject, rows[i].subject);
        assert_string_equal(facts.issuer, rows[i].subject);
        assert_int_equal(strlen(facts.fingerprint), 32 * 3 - 1);
        assert_int_equal(strlen(facts.key_fingerprint), 32 * 3 - 1);
        buffer_init(&identity, NULL, 1024);
        tls_certificate_append_identity(pair.server, &identity);
        assert_span_is(rows[i].subject, buffer_span(&identity), rows[i].identity);
        buffer_release(&identity);
        X509_free(shown);
        end(&pair);
    }
}

/* The callback lets the handshake go on whatever is wrong: that must not be forgotten. */
static void test_distrust(void **state)
{
    static const struct {
        const char *name;
        bool is_forged, is_over;
        int error;
    } rows[] = {
        {"good", false, false, X509_V_OK},
        {"signed by somebody else", true, false, X509_V_ERR_CERT_SIGNATURE_FAILURE},
        {"of yesterday", false, true, X509_V_ERR_CERT_HAS_EXPIRED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_certificate facts;
        struct pair pair;
        EVP_PKEY *issuer_key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
        X509 *issuer = make_certificate((const unsigned char *)"CA", -1, NULL, EVP_sha256());
        X509 *shown = make_certificate((const unsigned char *)"bob", -1, NULL, EVP_sha256());
        assert_int_equal(X509_set_pubkey(issuer, issuer_key), 1);
        assert_true(X509_sign(issuer, issuer_key, EVP_sha256()) > 0);
        assert_int_equal(X509_set_issuer_name(shown, X509_get_subject_name(issuer)), 1);
        if (rows[i].is_over)
            assert_non_null(X509_gmtime_adj(X509_getm_notAfter(shown), -5));
        assert_true(X509_sign(shown, rows[i].is_forged ? key : issuer_key, EVP_sha256()) > 0);
        begin(&pair, TLS1_3_VERSION);
        assert_int_equal(SSL_CTX_use_certificate(pair.client_context, shown), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(pair.client_context, key), 1);
        SSL_CTX_set_verify(pair.server_context, SSL_VERIFY_PEER, take_any);
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(pair.server_context), issuer),
                         1);
        shake_hands(&pair);
        run_handshake(&pair);
        assert_true(tls_certificate_read(pair.server, EVP_sha256(), &facts));
        if (facts.error != rows[i].error || facts.is_trusted != (rows[i].error == X509_V_OK))
            fail_msg("%s: error %d", rows[i].name, facts.error);
        X509_free(issuer);
        X509_free(shown);
        EVP_PKEY_free(issuer_key);
        end(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bindings, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_resumed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_weak_secret, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_identity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_distrust, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
