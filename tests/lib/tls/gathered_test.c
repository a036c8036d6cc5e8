/* tests/lib/tls/gathered - certificates of authorities: which files are read, each certificate
 * once, and that none is needed any more when they are. */
#include "../../test.h"

#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../keyd/certificates.h"
#include "tls/gathered.h"

static char directory[64];
static X509 *certificates[3];

static const char *path_of(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    return path;
}

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "a");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_trusted(const char *name, X509 *certificate)
{
    FILE *file = fopen(path_of(name), "a");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509_AUX(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/posthouse-gathered-test.XXXXXX");
    assert_non_null(mkdtemp(directory));
    assert_int_equal(mkdir(path_of("all"), 0700), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(certificates); i++) {
        EVP_PKEY *key = make_key("P-256");
        char name[] = "authority 0";
        name[10] = (char)('0' + i);
        certificates[i] = make_certificate(key, name, 3600);
        EVP_PKEY_free(key);
    }
    /* Two in a file, with words and a repetition; one more in the directory, beside one of these,
     * damaged ones and what has another name. */
    write_text("file", "what stands before\n");
    write_certificate(path_of("file"), certificates[0]);
    write_certificate(path_of("file"), certificates[1]);
    write_certificate(path_of("file"), certificates[0]);
    write_certificate(path_of("all/0123abcd.0"), certificates[1]);
    write_trusted("all/0123abcd.1", certificates[2]);
    write_text("all/0123abcd.2", "no certificate\n");
    write_certificate(path_of("all/other.pem"), certificates[0]);
    write_text("empty", "nothing\n");
    write_text("damaged", "-----BEGIN CERTIFICATE-----\nMIIB!!\n-----END CERTIFICATE-----\n");
    write_text("nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    write_certificate(path_of("nonsense"), certificates[2]);
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(certificates); i++)
        X509_free(certificates[i]);
    (void)snprintf(command, sizeof(command), "rm -rf %s", directory);
    return system(command);
}

static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *file, *directory;
        size_t count; /* 0 with a problem: none at all */
        const char *problem;
    } rows[] = {
        {NULL, NULL, 0, NULL},
        {"file", NULL, 2, NULL},
        {NULL, "all", 2, NULL},
        {"file", "all", 3, NULL},
        {"missing", NULL, 0, "missing: No such file or directory"},
        {NULL, "missing", 0, "cannot open directory "},
        {"empty", NULL, 0, "empty: no certificate is in it"},
        {"damaged", NULL, 0, "damaged: it is not PEM"},
        {"nonsense", NULL, 2, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct tls_authorities authorities = {.file = span_empty(), .directory = span_empty()};
        char file[128] = "", place[128] = "", problem[TLS_AUTHORITIES_PROBLEM_BYTES] = "";
        if (rows[i].file)
            (void)snprintf(file, sizeof(file), "%s", path_of(rows[i].file));
        if (rows[i].directory)
            (void)snprintf(place, sizeof(place), "%s", path_of(rows[i].directory));
        authorities.file = span_from_string(file);
        authorities.directory = span_from_string(place);
        struct tls_gathered *gathered = tls_gathered_read(&authorities, problem);
        if (rows[i].problem) {
            assert_null(gathered);
            assert_non_null(strstr(problem, rows[i].problem));
            continue;
        }
        assert_non_null(gathered);
        assert_int_equal(tls_gathered_count(gathered), rows[i].count);
        tls_gathered_destroy(&gathered);
        assert_null(gathered);
    }
}

static bool trusts(X509_STORE *store, X509 *certificate)
{
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_non_null(context);
    assert_int_equal(X509_STORE_CTX_init(context, store, certificate, NULL), 1);
    const bool is_trusted = X509_verify_cert(context) == 1;
    X509_STORE_CTX_free(context);
    return is_trusted;
}

/* When they are needed the files may be gone; what cannot be understood is passed over. */
static void test_needed_later(void **state)
{
    (void)state;
    char file[128], place[128], problem[TLS_AUTHORITIES_PROBLEM_BYTES];
    (void)snprintf(file, sizeof(file), "%s", path_of("nonsense"));
    (void)snprintf(place, sizeof(place), "%s", path_of("all"));
    const struct tls_authorities authorities = {.file = span_from_string(file),
                                                .directory = span_from_string(place)};
    struct tls_gathered *gathered = tls_gathered_read(&authorities, problem);
    X509_STORE *store = X509_STORE_new();
    assert_non_null(gathered);
    assert_non_null(store);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rename(place, path_of("gone")), 0);
    tls_gathered_add_to(gathered, store);
    tls_gathered_destroy(&gathered);
    assert_false(trusts(store, certificates[0]));
    assert_true(trusts(store, certificates[1]));
    assert_true(trusts(store, certificates[2]));
    X509_STORE_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_needed_later),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
