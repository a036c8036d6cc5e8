/* tests/lib/tls/chain - keys and certificates from PEM: what is used, and what is said of the rest.
 */
#include "../../test.h"

#include <openssl/pem.h>
#include <stdlib.h>

#include "../../keyd/certificates.h"
#include "base/buffer.h"
#include "tls/chain.h"

enum { TEXT_MAX_BYTES = 65536, COMPLAINTS_MAX_BYTES = 4096 };

static char directory[64];
static char complaints[COMPLAINTS_MAX_BYTES];
static EVP_PKEY *rsa, *ec, *other, *ed448;
static X509 *rsa_certificate, *ec_certificate, *other_certificate, *expired, *issuer;

static void take_complaint(void *context, const char *text)
{
    assert_ptr_equal(context, complaints);
    (void)snprintf(complaints + strlen(complaints), sizeof(complaints) - strlen(complaints), "%s\n",
                   text);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/posthouse-chain-test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    rsa = make_key("RSA");
    ec = make_key("P-256");
    other = make_key("P-256");
    ed448 = EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
    assert_non_null(ed448);
    rsa_certificate = make_certificate(rsa, "rsa", 3600);
    ec_certificate = make_certificate(ec, "ec", 3600);
    other_certificate = make_certificate(other, "other", 3600);
    issuer = make_certificate(other, "issuer", -60);
    expired = make_certificate(ec, "expired", -60);
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    EVP_PKEY *const keys[] = {rsa, ec, other, ed448};
    X509 *const certificates[] = {rsa_certificate, ec_certificate, other_certificate, expired,
                                  issuer};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        EVP_PKEY_free(keys[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(certificates); i++)
        X509_free(certificates[i]);
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

/* r, e, o, 4: a key; R, E, O: its certificate; I: an issuer's; X: of e, expired; P: e, encrypted;
 * T: something else in PEM; D: a damaged certificate; K: a damaged key; -: no PEM at all. */
static struct span make_text(const char *parts)
{
    static uint8_t text[TEXT_MAX_BYTES];
    char path[100];
    (void)snprintf(path, sizeof(path), "%s/text", directory);
    (void)remove(path);
    for (const char *part = parts; *part; part++) {
        FILE *file;
        switch (*part) {
        case 'r':
            write_key(path, rsa, NULL);
            break;
        case 'e':
            write_key(path, ec, NULL);
            break;
        case 'o':
            write_key(path, other, NULL);
            break;
        case '4':
            write_key(path, ed448, NULL);
            break;
        case 'P':
            write_key(path, ec, "sesame");
            break;
        case 'R':
            write_certificate(path, rsa_certificate);
            break;
        case 'E':
            write_certificate(path, ec_certificate);
            break;
        case 'O':
            write_certificate(path, other_certificate);
            break;
        case 'I':
            write_certificate(path, issuer);
            break;
        case 'X':
            write_certificate(path, expired);
            break;
        default:
            file = fopen(path, "a");
            assert_non_null(file);
            (void)fputs(*part == 'T'   ? "-----BEGIN X-----\nAAAA\n-----END X-----\n"
                        : *part == 'D' ? "-----BEGIN CERTIFICATE-----\nAAAA\n"
                                         "-----END CERTIFICATE-----\n"
                        : *part == 'K' ? "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                                         "-----END PRIVATE KEY-----\n"
                                       : "just words\n",
                        file);
            assert_int_equal(fclose(file), 0);
            break;
        }
    }
    FILE *file = fopen(path, "r");
    const size_t length = file ? fread(text, 1, sizeof(text), file) : 0;
    if (file)
        assert_int_equal(fclose(file), 0);
    return span_of(text, length);
}

/* The keys in order, each with the number of its certificates: "r1 e2". */
static void describe(const struct tls_chains *chains, char text[100])
{
    text[0] = '\0';
    for (size_t i = 0; i < chains->count; i++) {
        const EVP_PKEY *key = chains->items[i].key;
        (void)snprintf(text + strlen(text), 100 - strlen(text), "%s%c%d", i ? " " : "",
                       EVP_PKEY_eq(key, rsa) == 1  ? 'r'
                       : EVP_PKEY_eq(key, ec) == 1 ? 'e'
                                                   : 'o',
                       sk_X509_num(chains->items[i].certificates));
    }
}

static void check(const char *name, struct tls_chains *chains, const char *found,
                  const char *complaint)
{
    char text[100];
    tls_chains_finish(chains);
    describe(chains, text);
    if (strcmp(text, found) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", name, text, found);
    if (complaint ? !strstr(complaints, complaint) : complaints[0] != '\0')
        fail_msg("%s: complaints: %s", name, complaints);
    assert_int_equal(chains->complaint_count > 0, complaint != NULL);
    assert_true(!complaint || strstr(complaints, "; then run posthouse reload\n"));
    assert_null(strstr(complaints, "sesame"));
    tls_chains_clear(chains);
}

static void begin(struct tls_chains *chains)
{
    complaints[0] = '\0';
    tls_chains_init(chains, "smtpd_tls_chain_files", time(NULL), take_complaint, complaints);
}

static void test_chains(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *texts[3];
        const char *found;
        const char *complaint;
    } rows[] = {
        {"one", {"rR"}, "r1", NULL},
        {"with its issuer", {"rRI"}, "r2", NULL},
        {"two in a text", {"rRIeE"}, "r2 e1", NULL},
        {"two texts", {"rR", "eEI"}, "r1 e2", NULL},
        {"key and certificate in texts of their own", {"r", "R", "eE"}, "r1 e1", NULL},
        {"the issuer in a text of its own", {"rR", "I"}, "r2", NULL},
        {"something else between", {"TrTRT"}, "r1", NULL},
        {"nothing", {""}, "", "has no PEM in it"},
        {"words", {"-"}, "", "has no PEM in it"},
        {"only a key", {"r"}, "", "no certificate follows the private key"},
        {"only a key, then all", {"reE"}, "e1", "no certificate follows the private key"},
        {"only a certificate", {"R"}, "", "comes before its private key"},
        {"the certificate first", {"Rr"}, "", "comes before its private key"},
        {"another's certificate", {"rE"}, "", "does not belong to the certificate \"ec\""},
        {"another's, and one that is good", {"rEeE"}, "e1", "does not belong"},
        {"expired", {"eX"}, "", "the certificate \"expired\" in text 0 expired on "},
        {"expired, and one that is not", {"eXIrRI"}, "r2", "expired on"},
        {"encrypted", {"PE"}, "", "is encrypted"},
        {"encrypted, and one that is not", {"PErR"}, "r1", "is encrypted"},
        {"of another kind", {"4"}, "", "of another kind than RSA, ECDSA or Ed25519"},
        {"a damaged key", {"KR"}, "", "the private key in text 0 is damaged"},
        {"a damaged certificate", {"rD"}, "", "a certificate in text 0 is damaged"},
        {"too many keys", {"rReErReErReErReE"}, "r1 e1 r1 e1 r1 e1", "more than 6 private keys"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_chains chains;
        begin(&chains);
        for (size_t n = 0; n < 3 && rows[i].texts[n]; n++) {
            char source[20];
            (void)snprintf(source, sizeof(source), "text %zu", n);
            tls_chains_read(&chains, make_text(rows[i].texts[n]), source);
        }
        check(rows[i].name, &chains, rows[i].found, rows[i].complaint);
    }
}

static void test_pairs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *certificates;
        const char *key;
        const char *found;
        const char *complaint;
    } rows[] = {
        {"two files", "RI", "r", "r2", NULL},
        {"one file, key first", "rRI", "rRI", "r2", NULL},
        {"one file, key last", "RIr", "RIr", "r2", NULL},
        {"no key", "R", "R", "", "there is no private key in key"},
        {"no certificate", "r", "r", "", "there is no certificate in certificates"},
        {"another's key", "E", "r", "", "does not belong"},
        {"encrypted", "E", "P", "", "is encrypted"},
        {"expired", "XI", "e", "", "expired on"},
        {"damaged", "DR", "r", "", "is damaged"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_chains chains;
        static uint8_t copy[TEXT_MAX_BYTES];
        begin(&chains);
        const struct span certificates = make_text(rows[i].certificates);
        memcpy(copy, certificates.bytes, certificates.length);
        tls_chains_read_pair(&chains, span_of(copy, certificates.length), "certificates",
                             make_text(rows[i].key), "key");
        check(rows[i].name, &chains, rows[i].found, rows[i].complaint);
    }
}

/* Cut short anywhere, a text has at most what it had, and nothing breaks. */
static void test_every_length(void **state)
{
    (void)state;
    static uint8_t text[TEXT_MAX_BYTES];
    const struct span whole = make_text("eEIoO");
    memcpy(text, whole.bytes, whole.length);
    size_t most = 0;
    for (size_t length = 0; length <= whole.length; length++) {
        struct tls_chains chains;
        begin(&chains);
        tls_chains_read(&chains, span_of(text, length), "text");
        tls_chains_finish(&chains);
        assert_true(chains.count <= 2 && chains.count >= most);
        most = chains.count;
        tls_chains_clear(&chains);
    }
    assert_int_equal(most, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pairs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_every_length, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
