/* tests/verify/cache - how long a result counts, what survives a restart, and that the cache keeps
 * its bounds. */
#include "../test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "../../verify/store.h"
#include "system/file.h"

static const struct cache_times times = {.positive_expire_s = 100,
                                         .positive_refresh_s = 50,
                                         .negative_expire_s = 40,
                                         .negative_refresh_s = 20,
                                         .has_negative_cache = true};
static const uint8_t seed[16] = {1};

static struct outcome good(void)
{
    return outcome_make(OUTCOME_OK, 250, 1, 5, SPAN("250 2.1.5 Ok"));
}

static struct outcome bad(void)
{
    return outcome_permanent(550, 1, 1, "no such user");
}

static void test_times(void **state)
{
    (void)state;
    struct cache cache;
    const struct outcome yes = good(), no = bad();
    cache_init(&cache, &times, seed);
    struct cache_entry *entry = cache_get(&cache, SPAN("A@Example.ORG"));
    assert_false(cache_is_known(&cache, entry, 10000));
    assert_true(cache_needs_probe(&cache, entry, 10000));
    entry->is_probing = true;
    assert_false(cache_needs_probe(&cache, entry, 10000));
    entry->is_probing = false;
    entry->probed_s = 10000;

    assert_true(cache_update(&cache, entry, &no, 10000));
    assert_true(cache_is_known(&cache, entry, 10039));
    assert_false(cache_is_known(&cache, entry, 10040));
    entry->probed_s = 1;
    assert_false(cache_needs_probe(&cache, entry, 10019));
    assert_true(cache_needs_probe(&cache, entry, 10020));
    entry->probed_s = 10019; /* refreshed in vain a moment ago */
    assert_false(cache_needs_probe(&cache, entry, 10020));

    assert_true(cache_update(&cache, entry, &yes, 11000));
    assert_false(cache_update(&cache, entry, &no, 11099)); /* still known to be good */
    assert_true(cache_is_known(&cache, entry, 11099));
    assert_int_equal(entry->outcome.kind, OUTCOME_OK);
    assert_false(cache_is_known(&cache, entry, 11100));
    assert_true(cache_update(&cache, entry, &no, 11100));
    assert_true(cache_is_known(&cache, entry, 11090)); /* a clock that went back */
    assert_false(cache_is_known(&cache, entry, 5));    /* from far ahead */
    assert_true(cache_needs_probe(&cache, entry, 5));
    assert_ptr_equal(cache_get(&cache, SPAN("a@example.org")), entry);

    cache.times.has_negative_cache = false;
    entry = cache_get(&cache, SPAN("b@example.org"));
    assert_false(cache_update(&cache, entry, &no, 12000));
    assert_false(cache_is_known(&cache, entry, 12000));
    cache_expire(&cache, 20000);
    assert_int_equal(cache.entries.count, 0);
    assert_int_equal(cache.size_bytes, 0);
    cache_destroy(&cache);
}

static void test_bounds(void **state)
{
    (void)state;
    struct cache cache;
    const struct outcome yes = good();
    cache_init(&cache, &times, seed);
    cache.entries_max = 10;
    struct cache_entry *kept = cache_get(&cache, SPAN("kept@example.org"));
    kept->is_probing = true;
    for (unsigned i = 0; i < 1000; i++) {
        char address[64];
        (void)snprintf(address, sizeof(address), "a%u@example.org", i);
        (void)cache_update(&cache, cache_get(&cache, span_from_string(address)), &yes, 100);
        assert_true(cache.entries.count <= 10);
    }
    assert_ptr_equal(cache_get(&cache, SPAN("kept@example.org")), kept);
    cache_destroy(&cache);
}

static void test_records(void **state)
{
    (void)state;
    static const char *const malformed[] = {
        "",
        "2",
        "3\t250\t1\t5\t1\t2\ta@b\tok",
        "2\t1000\t1\t5\t1\t2\ta@b\tok",
        "2\t250\t1\t5\t1\t2\t\tok",
        "2\t250\t1\t5\t-1\t2\ta@b\tok",
        "2\t250\t1\t5\t1\ta@b\tok",
        "2\t250\t1\t5\t1\t2\ta@b",
        "2\t250\t1\t5\t1\t2\ta\001@b\tok",
        "2\t250\t1\t5\t1\t2\ta@b\tok\ttoo",
    };
    const struct verify_record written = {SPAN("\"a b\"@example.org"), bad(), 17, 4000000000};
    struct verify_record record;
    struct buffer line;
    buffer_init(&line, NULL, 4096);
    verify_record_append(&written, &line);
    const struct span text = span_first(buffer_span(&line), line.length - 1);
    assert_int_equal(verify_record_parse(text, &record), PARSE_OK);
    assert_span_is("address", record.address, "\"a b\"@example.org");
    assert_span_is("reason", record.outcome.reason, "no such user");
    assert_int_equal(record.outcome.kind, OUTCOME_PERMANENT);
    assert_int_equal(record.outcome.reply_code, 550);
    assert_int_equal(record.outcome.status.detail, 1);
    assert_int_equal(record.probed_s, 17);
    assert_int_equal(record.updated_s, 4000000000);
    for (size_t length = 0; length < text.length - 12; length++) {
        uint8_t *cut = malloc(length + 1);
        assert_non_null(cut);
        memcpy(cut, text.bytes, length);
        assert_int_equal(verify_record_parse(span_of(cut, length), &record), PARSE_MALFORMED);
        free(cut);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(malformed); i++)
        if (verify_record_parse(span_from_string(malformed[i]), &record) != PARSE_MALFORMED)
            fail_msg("row %zu was taken", i);
    buffer_release(&line);
}

static int open_directory(char path[64])
{
    (void)snprintf(path, 64, "/tmp/ph-verify-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    const int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    return directory;
}

static void close_store(struct store *store)
{
    (void)close(store->journal.descriptors[0]);
    (void)close(store->journal.descriptors[1]);
}

static void test_store(void **state)
{
    (void)state;
    char path[64];
    const int directory = open_directory(path);
    struct cache cache;
    struct store store;
    const struct outcome yes = good();
    cache_init(&cache, &times, seed);
    assert_int_equal(store_open(&store, directory), 0);
    store_load(&store, &cache);
    assert_int_equal(cache.entries.count, 0);
    for (unsigned round = 0; round < 40; round++)
        for (unsigned i = 0; i < 1000; i++) {
            char address[64];
            (void)snprintf(address, sizeof(address), "a%u@example.org", i);
            struct cache_entry *entry = cache_get(&cache, span_from_string(address));
            (void)cache_update(&cache, entry, &yes, 100 + round);
            assert_int_equal(store_append(&store, &cache, entry), 0);
        }
    assert_true(store.journal.length_bytes < 2 * cache.size_bytes + (2 << 20)); /* not 40 times */
    /* A torn line, as a crash leaves it. */
    assert_int_equal(file_pwrite_all(store.journal.descriptors[store.journal.active], "5\t550\t1",
                                     7, store.journal.length_bytes),
                     0);
    close_store(&store);
    cache_destroy(&cache);

    for (unsigned again = 0; again < 3; again++) {
        cache_init(&cache, &times, seed);
        assert_int_equal(store_open(&store, directory), 0);
        store_load(&store, &cache);
        assert_int_equal(cache.entries.count, 1000);
        assert_int_equal(cache_get(&cache, SPAN("a17@example.org"))->updated_s, 139);
        /* The one that was being written when the machine went down. */
        if (again == 1)
            assert_int_equal(ftruncate(store.journal.descriptors[store.journal.active], 300), 0);
        close_store(&store);
        cache_destroy(&cache);
    }
    (void)unlinkat(directory, "cache.0", 0);
    (void)unlinkat(directory, "cache.1", 0);
    (void)close(directory);
    (void)rmdir(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
