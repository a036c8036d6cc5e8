/* tests/lib/tls - what main.cf says of TLS, read and made true for OpenSSL. */
#include "../../test.h"

#include "tls/check.h"
#include "tls/options.h"
#include "tls/protocols.h"
#include "tls/settings.h"

enum { SSL3 = 1, V1_0 = 2, V1_1 = 4, V1_2 = 8, V1_3 = 16 };

static void test_protocols(void **state)
{
    static const struct {
        const char *text;
        unsigned protocols; /* 0: refused */
        const char *bad_word;
    } rows[] = {
        {"", SSL3 | V1_0 | V1_1 | V1_2 | V1_3, ""},
        {">=TLSv1.2", V1_2 | V1_3, ""},
        {">=TLSv1", V1_0 | V1_1 | V1_2 | V1_3, ""},
        {">=tlsv1.2, <=tlsv1.2", V1_2, ""},
        {"<=TLSv1", SSL3 | V1_0, ""},
        {">=0303", V1_2 | V1_3, ""},
        {">=0304:<=ffff", V1_3, ""},
        {">=0305", 0, ""},
        {"!SSLv2, !SSLv3", V1_0 | V1_1 | V1_2 | V1_3, ""},
        {"!SSLv2:!SSLv3:!TLSv1:!TLSv1.1", V1_2 | V1_3, ""},
        {"TLSv1.2 TLSv1.3", V1_2 | V1_3, ""},
        {"TLSv1.2, !TLSv1.2", 0, ""},
        {">=TLSv1.1, !TLSv1.2", V1_1 | V1_3, ""},
        {"SSLv2", 0, ""},
        {"TLSv1.4", 0, "TLSv1.4"},
        {">=TLSv2", 0, ">=TLSv2"},
        {">=", 0, ">="},
        {"!", 0, "!"},
        {"TLSv1.2 >TLSv1.1", 0, ">TLSv1.1"},
        {">=10000", 0, ">=10000"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        unsigned protocols = 0;
        struct span bad_word = span_empty();
        const enum parse_result result =
            tls_protocols_parse(span_from_string(rows[i].text), &protocols, &bad_word);
        if ((result == PARSE_OK) != (rows[i].protocols != 0) || protocols != rows[i].protocols)
            fail_msg("%s: got %x, expected %x", rows[i].text, protocols, rows[i].protocols);
        if (result != PARSE_OK)
            assert_span_is(rows[i].text, bad_word, rows[i].bad_word);
    }
}

static void test_options(void **state)
{
    static const struct {
        const char *text;
        enum tls_option_kind kind;
        bool is_good;
        uint64_t bits;
    } rows[] = {
        {"", TLS_OPTION_KIND_OPTION, true, 0},
        {"NO_TICKET, no_renegotiation", TLS_OPTION_KIND_OPTION, true,
         SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION},
        {"0x4000", TLS_OPTION_KIND_OPTION, true, SSL_OP_NO_TICKET},
        /* What other settings decide. */
        {"0xffffffff", TLS_OPTION_KIND_WORKAROUND, true, SSL_OP_ALL},
        {"0x2000000", TLS_OPTION_KIND_OPTION, true, 0},
        {"0x40000", TLS_OPTION_KIND_OPTION, true, 0},
        {"0x", TLS_OPTION_KIND_OPTION, false, 0},
        {"NO_SUCH", TLS_OPTION_KIND_OPTION, false, 0},
        {"NO_TICKET", TLS_OPTION_KIND_WORKAROUND, false, 0},
        {"TLSEXT_PADDING CVE-2010-4180", TLS_OPTION_KIND_WORKAROUND, true, SSL_OP_TLSEXT_PADDING},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t bits = 0;
        struct span bad_word;
        const bool is_good = tls_options_parse(span_from_string(rows[i].text), rows[i].kind, &bits,
                                               &bad_word) == PARSE_OK;
        if (is_good != rows[i].is_good || bits != rows[i].bits)
            fail_msg("%s: got %llx", rows[i].text, (unsigned long long)bits);
    }
}

/* The defaults of main.cf. */
static struct tls_settings make_settings(void)
{
    return (struct tls_settings){
        .name = "smtpd_tls",
        .protocols = SPAN(">=TLSv1.2"),
        .grade = SPAN("medium"),
        .cipher_lists = {[TLS_GRADE_HIGH] = SPAN("aNULL:-aNULL:HIGH:@STRENGTH"),
                         [TLS_GRADE_MEDIUM] = SPAN("aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH"),
                         [TLS_GRADE_LOW] = SPAN("aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH"),
                         [TLS_GRADE_EXPORT] = SPAN("ALL"),
                         [TLS_GRADE_NULL] = SPAN("eNULL:!aNULL")},
        .curves = SPAN("X25519 NEVER-HEARD-OF prime256v1"),
        .groups = SPAN("ffdhe2048"),
    };
}

static bool apply(const struct tls_settings *settings, SSL_CTX **context, struct conf_error *error)
{
    *context = SSL_CTX_new(TLS_server_method());
    assert_non_null(*context);
    return tls_settings_apply(settings, *context, error);
}

static bool has_cipher(SSL_CTX *context, const char *name)
{
    const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(context);
    for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++)
        if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i)), name) == 0)
            return true;
    return false;
}

static void test_apply(void **state)
{
    struct tls_settings settings = make_settings();
    struct conf_error error;
    SSL_CTX *context;
    (void)state;
    assert_true(apply(&settings, &context, &error));
    const uint64_t options = SSL_CTX_get_options(context);
    assert_true(options & SSL_OP_NO_COMPRESSION);
    assert_true(options & SSL_OP_NO_RENEGOTIATION);
    assert_true(options & SSL_OP_NO_TLSv1_1);
    assert_false(options & SSL_OP_NO_TLSv1_2);
    assert_int_equal(SSL_CTX_get_min_proto_version(context), TLS1_2_VERSION);
    assert_true(has_cipher(context, "AES128-SHA"));
    SSL_CTX_free(context);

    settings.excluded_ciphers = SPAN("kRSA, SHA1");
    settings.also_excluded = SPAN("AES128");
    assert_true(apply(&settings, &context, &error));
    assert_false(has_cipher(context, "AES128-SHA"));
    assert_false(has_cipher(context, "ECDHE-RSA-AES128-GCM-SHA256"));
    assert_true(has_cipher(context, "ECDHE-RSA-AES256-GCM-SHA384"));
    SSL_CTX_free(context);
}

static void test_complaints(void **state)
{
    struct conf_error error;
    SSL_CTX *context;
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        struct tls_settings settings = make_settings();
        const char *expected = NULL;
        switch (i) {
        case 0:
            settings.protocols = SPAN("TLSv9");
            expected = "smtpd_tls_protocols: \"TLSv9\" is no protocol";
            break;
        case 6:
            settings.protocols = SPAN("TLSv1, TLSv1.1");
            settings.unspoken = ~(unsigned)TLS_PROTOCOLS_SIGNED;
            expected = "smtpd_tls_protocols: nothing is left";
            break;
        case 1:
            settings.grade = SPAN("strong");
            expected = "smtpd_tls_ciphers: \"strong\"";
            break;
        case 2:
            settings.excluded_ciphers = SPAN("!RC4");
            expected = "smtpd_tls_exclude_ciphers: \"!RC4\"";
            break;
        case 3:
            settings.cipher_lists[TLS_GRADE_MEDIUM] = SPAN("NOTHING");
            expected = "smtpd_tls_ciphers: OpenSSL has no cipher in \"NOTHING\"";
            break;
        case 4:
            settings.curves = settings.groups = SPAN("none");
            expected = "tls_eecdh_auto_curves";
            break;
        default:
            settings.options = SPAN("YES_PLEASE");
            expected = "tls_ssl_options: \"YES_PLEASE\"";
            break;
        }
        if (apply(&settings, &context, &error))
            fail_msg("taken, and not: %s", expected);
        if (!strstr(error.text, expected))
            fail_msg("%s: %s", expected, error.text);
        SSL_CTX_free(context);
    }
}

/* Before the start, in the words of main.cf. */
static void test_check(void **state)
{
    static const struct {
        const char *name;
        const char *value;
        const char *complaint; /* NULL: none */
    } rows[] = {
        {"smtpd_tls_protocols", ">=TLSv1.2", NULL},
        {"smtpd_tls_mandatory_protocols", ">=TLS1.2", "unknown word \">=TLS1.2\""},
        {"smtp_tls_protocols", "TLSv1.3, !TLSv1.3", "nothing is left"},
        {"smtp_tls_protocols", ">=TLSv1", NULL},
        {"smtpd_tls_protocols", ">=TLSv1", "TLS 1.2 is the oldest"},
        {"smtpd_tls_exclude_ciphers", "aNULL, RC4", NULL},
        {"smtpd_tls_mandatory_exclude_ciphers", "-RC4", "unknown word \"-RC4\""},
        {"tls_medium_cipherlist", "aNULL:-aNULL:HIGH:+RC4:@STRENGTH", NULL},
        {"tls_high_cipherlist", "HIGH;LOW", "unknown word \"HIGH;LOW\""},
        {"tls_ssl_options", "NO_TICKET", NULL},
        {"tls_ssl_options", "NO_TICKETS", "unknown word \"NO_TICKETS\""},
        {"tls_disable_workarounds", "NO_TICKET", "unknown word \"NO_TICKET\""},
        {"tls_eecdh_auto_curves", "X25519 X448", NULL},
        {"tls_eecdh_auto_curves", "X25519/X448", "unknown word \"X25519/X448\""},
        {"smtpd_tls_CAfile", "/etc/passwd", NULL},
        {"smtpd_tls_CAfile", "/no/such/file", "No such file or directory; nobody is trusted by it"},
        {"smtp_tls_CApath", "/no/such/place", "No such file or directory: correct the name"},
        {"lmtp_tls_CAfile", "/no/such/file", "No such file or directory: correct the name"},
        {"smtp_tls_CAfile", "/etc/passwd", "no certificate is in it"},
        {"smtp_tls_CApath", "", NULL},
        {"myhostname", "?", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct arena arena;
        struct conf_notices notices;
        arena_init(&arena, 65536, 0);
        conf_notices_init(&notices, &arena);
        tls_check_setting(span_from_string(rows[i].name), span_from_string(rows[i].value),
                          SPAN("main.cf, line 1:"), &notices);
        assert_int_equal(notices.error_count + notices.warning_count, rows[i].complaint ? 1 : 0);
        if (rows[i].complaint && !strstr(notices.first->text, rows[i].complaint))
            fail_msg("%s: %s", rows[i].value, notices.first->text);
        arena_destroy(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_protocols), cmocka_unit_test(test_options),
        cmocka_unit_test(test_apply),     cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
