/* tests/dnsd/lookup - one question to the source for many askers, and none while the cache knows.
 */
#include "../test.h"

#include "../../dnsd/lookup.h"
#include "dns/records.h"

static const uint8_t seed[16] = "lookup test seed";

/* A source that collects questions and answers when told to. */
struct fake_source {
    struct {
        struct dns_question question;
        void (*done)(void *lookup, const struct dns_answer *answer);
        void *lookup;
    } asked[8];
    size_t count;
    size_t capacity;
};

static bool fake_ask(void *context, const struct dns_question *question,
                     void (*done)(void *lookup, const struct dns_answer *answer), void *lookup)
{
    struct fake_source *source = context;
    if (source->count == source->capacity)
        return false;
    source->asked[source->count].question = *question;
    source->asked[source->count].done = done;
    source->asked[source->count].lookup = lookup;
    source->count++;
    return true;
}

struct asker {
    struct lookup_waiter waiter;
    int answer_count;
    enum dns_status status;
    enum dns_failure failure;
    size_t record_count;
    struct lookups *asks_again; /* from within the callback */
    struct asker *next;
};

static void on_result(struct lookup_waiter *waiter, const struct lookup_result *result);

static void ask(struct lookups *lookups, const char *name, struct asker *asker)
{
    struct dns_question question = {.type = DNS_TYPE_TXT};
    assert_int_equal(dns_name_from_text(span_from_string(name), &question.name), PARSE_OK);
    asker->waiter.done = on_result;
    lookups_ask(lookups, &question, 0, &asker->waiter);
}

static void on_result(struct lookup_waiter *waiter, const struct lookup_result *result)
{
    struct asker *asker = CONTAINER_OF(waiter, struct asker, waiter);
    struct arena arena;
    struct dns_answer answer;
    arena_init(&arena, 65536, 0);
    assert_int_equal(dns_records_unpack(result->records, &arena, &answer), PARSE_OK);
    asker->answer_count++;
    asker->status = result->status;
    asker->failure = result->failure;
    asker->record_count = answer.record_count;
    arena_destroy(&arena);
    if (asker->asks_again)
        ask(asker->asks_again, "a.example", asker->next);
}

static void answer_found(struct fake_source *source, size_t index, uint32_t ttl_s)
{
    struct dns_record record = {.type = DNS_TYPE_TXT, .target = span_empty(), .data = SPAN("x")};
    const struct dns_answer answer = {.status = DNS_FOUND,
                                      .ttl_s = ttl_s,
                                      .canonical_name = SPAN("a.example"),
                                      .records = &record,
                                      .record_count = 1};
    source->asked[index].done(source->asked[index].lookup, &answer);
}

static void start(struct lookups *lookups, struct fake_source *source)
{
    *source = (struct fake_source){.capacity = ARRAY_LENGTH(source->asked)};
    lookups_init(lookups, seed, (struct dns_cache_limits){100000, 3600, 3600},
                 (struct lookup_source){fake_ask, source});
}

static void test_many_askers_one_question(void **state)
{
    (void)state;
    struct lookups lookups;
    struct fake_source source;
    struct asker askers[5] = {0};
    start(&lookups, &source);
    for (size_t i = 0; i < 4; i++)
        ask(&lookups, i % 2 ? "a.example" : "A.Example.", &askers[i]);
    assert_int_equal(source.count, 1);
    lookups_cancel(&askers[2].waiter);
    lookups_cancel(&askers[2].waiter);
    assert_int_equal(lookups.waiter_count, 3);
    answer_found(&source, 0, 3600);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(askers[i].answer_count, i == 2 ? 0 : 1);
        assert_int_equal(askers[i].record_count, i == 2 ? 0 : 1);
    }
    assert_int_equal(lookups.waiter_count, 0);
    ask(&lookups, "a.example", &askers[4]);
    assert_int_equal(askers[4].answer_count, 1);
    assert_int_equal(askers[4].record_count, 1);
    assert_int_equal(source.count, 1);
    assert_int_equal(lookups.counters.from_cache, 1);
    assert_int_equal(lookups.counters.joined, 3);
    lookups_destroy(&lookups);
}

/* An answer that may not be kept is still given to all who wait, and asked for again later. */
static void test_no_memory_of_ttl_zero(void **state)
{
    (void)state;
    struct lookups lookups;
    struct fake_source source;
    struct asker askers[3] = {0};
    start(&lookups, &source);
    askers[0].asks_again = &lookups;
    askers[0].next = &askers[2];
    ask(&lookups, "a.example", &askers[0]);
    ask(&lookups, "a.example", &askers[1]);
    answer_found(&source, 0, 0);
    assert_int_equal(askers[0].answer_count, 1);
    assert_int_equal(askers[1].answer_count, 1);
    assert_int_equal(askers[2].answer_count, 0);
    assert_int_equal(source.count, 2);
    answer_found(&source, 1, 0);
    assert_int_equal(askers[2].answer_count, 1);
    lookups_destroy(&lookups);
}

static void test_failures(void **state)
{
    (void)state;
    struct lookups lookups;
    struct fake_source source;
    struct asker askers[4] = {0};
    start(&lookups, &source);
    source.capacity = 1;
    ask(&lookups, "a.example", &askers[0]);
    ask(&lookups, "b.example", &askers[1]); /* the source is full */
    assert_int_equal(askers[1].status, DNS_TEMPORARY);
    assert_int_equal(askers[1].failure, DNS_FAILURE_RESOURCES);
    const struct dns_answer failed = dns_answer_failed(DNS_FAILURE_TIMEOUT);
    source.asked[0].done(source.asked[0].lookup, &failed);
    assert_int_equal(askers[0].failure, DNS_FAILURE_TIMEOUT);
    /* Temporary failures are remembered for a moment: no second question yet. */
    ask(&lookups, "a.example", &askers[2]);
    assert_int_equal(askers[2].answer_count, 1);
    assert_int_equal(askers[2].failure, DNS_FAILURE_TIMEOUT);
    /* One who still waits at the end is forgotten. */
    source.count = 0;
    ask(&lookups, "c.example", &askers[3]);
    lookups_destroy(&lookups);
    assert_int_equal(askers[3].answer_count, 0);
}

/* An answer too large for a channel is a failure, not half an answer. */
static void test_too_much(void **state)
{
    (void)state;
    static uint8_t text[8000];
    struct lookups lookups;
    struct fake_source source;
    struct asker asker = {0};
    struct dns_record records[8];
    start(&lookups, &source);
    ask(&lookups, "a.example", &asker);
    for (size_t i = 0; i < ARRAY_LENGTH(records); i++)
        records[i] = (struct dns_record){
            .type = DNS_TYPE_TXT, .target = span_empty(), .data = span_of(text, sizeof(text))};
    const struct dns_answer answer = {.status = DNS_FOUND,
                                      .ttl_s = 10,
                                      .canonical_name = SPAN("a.example"),
                                      .records = records,
                                      .record_count = ARRAY_LENGTH(records)};
    source.asked[0].done(source.asked[0].lookup, &answer);
    assert_int_equal(asker.status, DNS_TEMPORARY);
    assert_int_equal(asker.failure, DNS_FAILURE_TOO_MUCH);
    assert_int_equal(asker.record_count, 0);
    lookups_destroy(&lookups);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_askers_one_question),
        cmocka_unit_test(test_no_memory_of_ttl_zero),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
