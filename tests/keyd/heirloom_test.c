/* tests/keyd/heirloom - keys that go from one keyd to the next, and which of them count. */
#include "../test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../keyd/heirloom.h"
#include "certificates.h"
#include "ipc/message.h"

enum { FILE_BYTES = 65536 };

static void ignore(void *context, const char *text)
{
    (void)context;
    (void)text;
}

/* A set of keys of these kinds; "broken": something that is none. */
static void fill(struct key_set *set, const char *kinds)
{
    static char pem[FILE_BYTES];
    char path[] = "/tmp/posthouse-heirloom-XXXXXX", kind[16];
    struct tls_chains chains;
    const int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    while (sscanf(kinds, "%15s", kind) == 1) {
        kinds += strlen(kind) + (kinds[strlen(kind)] == ' ');
        if (strcmp(kind, "broken") != 0) {
            write_chain(path, kind, kind);
            continue;
        }
        EVP_PKEY *key = make_key("P-256"); /* without a certificate */
        write_key(path, key, NULL);
        EVP_PKEY_free(key);
    }
    const ssize_t length = pread(descriptor, pem, sizeof(pem), 0);
    assert_true(length >= 0);
    tls_chains_init(&chains, "test", 0, ignore, NULL);
    tls_chains_read(&chains, span_of(pem, (size_t)length), "text");
    tls_chains_finish(&chains);
    key_set_fill(set, &chains, chains.count > 0 ? TLS_KEY_STATUS_FOUND : TLS_KEY_STATUS_BROKEN);
    (void)close(descriptor);
    (void)unlink(path);
}

static void hand_over(const struct key_set *set, struct tls_chains *chains)
{
    struct buffer records;
    buffer_init(&records, NULL, FILE_BYTES);
    heirlooms_append(set, &records);
    assert_true(buffer_ok(&records));
    tls_chains_init(chains, "test", 0, NULL, NULL);
    heirlooms_read(buffer_span(&records), chains);
    buffer_release(&records);
}

static void test_the_way(void **state)
{
    static const char *const kinds[] = {"RSA", "P-256", "P-521", "ED25519", "RSA P-256", ""};
    struct key_set set;
    struct tls_chains chains;
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        fill(&set, kinds[i]);
        hand_over(&set, &chains);
        assert_int_equal(chains.count, set.chains.count);
        for (size_t j = 0; j < chains.count; j++) {
            assert_memory_equal(chains.items[j].digest, set.chains.items[j].digest,
                                TLS_KEY_DIGEST_BYTES);
            assert_int_equal(EVP_PKEY_eq(chains.items[j].key, set.chains.items[j].key), 1);
        }
        tls_chains_clear(&chains);
        key_set_release(&set);
    }
}

/* Cut anywhere, and with any byte another one: nothing worse than fewer keys. */
static void test_damage(void **state)
{
    struct key_set set;
    struct tls_chains chains;
    struct buffer records;
    (void)state;
    fill(&set, "P-256 ED25519");
    buffer_init(&records, NULL, FILE_BYTES);
    heirlooms_append(&set, &records);
    for (size_t length = 0; length <= records.length; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, records.bytes, length);
        tls_chains_init(&chains, "test", 0, NULL, NULL);
        heirlooms_read(span_of(copy, length), &chains);
        assert_true(chains.count <= 2 && (length < records.length || chains.count == 2));
        tls_chains_clear(&chains);
        free(copy);
    }
    for (size_t i = 0; i < records.length; i++) {
        records.bytes[i] ^= 0x55;
        tls_chains_init(&chains, "test", 0, NULL, NULL);
        heirlooms_read(buffer_span(&records), &chains);
        assert_true(chains.count <= 2);
        tls_chains_clear(&chains);
        records.bytes[i] ^= 0x55;
    }
    buffer_release(&records);
    key_set_release(&set);
}

static void test_which_counts(void **state)
{
    static const struct {
        const char *name, *own, *elders[2];
        uint32_t numbers[2];
        size_t count;
        bool is_inherited;
    } rows[] = {
        {"good ones", "P-256", {"RSA", NULL}, {1, 0}, 1, false},
        {"good ones, and there were more", "P-256", {"RSA ED25519", NULL}, {1, 0}, 1, false},
        {"broken", "broken", {"RSA ED25519", NULL}, {1, 0}, 2, true},
        {"nobody has any", "broken", {"broken", NULL}, {1, 0}, 0, false},
        {"one of two is broken", "P-256 broken", {"P-256 RSA", NULL}, {1, 0}, 2, true},
        {"one of two is broken, there was one", "P-256 broken", {"RSA", NULL}, {1, 0}, 1, false},
        {"the younger counts", "broken", {"RSA", "P-256 ED25519"}, {1, 2}, 2, true},
        {"the younger came first", "broken", {"RSA", "P-256 ED25519"}, {2, 1}, 1, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct key_set own, elder;
        fill(&own, rows[i].own);
        for (size_t j = 0; j < 2 && rows[i].elders[j]; j++) {
            struct tls_chains chains;
            fill(&elder, rows[i].elders[j]);
            hand_over(&elder, &chains);
            (void)!key_set_inherit(&own, &chains, rows[i].numbers[j]);
            tls_chains_clear(&chains);
            /* With what it showed handshakes may have begun. */
            for (size_t k = 0; k < elder.chains.count && rows[i].numbers[j] >= own.elder; k++)
                assert_non_null(key_set_find(
                    &own, span_of(elder.chains.items[k].digest, TLS_KEY_DIGEST_BYTES)));
            key_set_release(&elder);
        }
        if (own.chains.count != rows[i].count || own.is_inherited != rows[i].is_inherited ||
            (own.status == TLS_KEY_STATUS_FOUND) != (rows[i].count > 0))
            fail_msg("%s", rows[i].name);
        key_set_release(&own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_way),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_which_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
