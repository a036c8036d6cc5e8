/* dnsd/lookup - see lookup.h. */
#include "lookup.h"

#include <stdlib.h>

#include "dns/records.h"
#include "system/clock.h"

struct lookup {
    struct map_node node;
    struct lookups *lookups;
    struct dns_question question;
    struct list waiters;
    uint8_t key[DNS_CACHE_KEY_MAX_BYTES];
};

void lookups_init(struct lookups *lookups, const uint8_t seed[16], struct dns_cache_limits limits,
                  struct lookup_source source)
{
    *lookups = (struct lookups){.source = source};
    dns_cache_init(&lookups->cache, seed, limits);
    map_init(&lookups->in_flight, seed);
}

static bool forget(struct map_node *node, void *context)
{
    struct lookups *lookups = context;
    struct lookup *lookup = CONTAINER_OF(node, struct lookup, node);
    map_remove(&lookups->in_flight, node);
    while (!list_is_empty(&lookup->waiters))
        (void)list_pop(&lookup->waiters);
    free(lookup);
    return true;
}

void lookups_destroy(struct lookups *lookups)
{
    map_for_each(&lookups->in_flight, forget, lookups);
    map_destroy(&lookups->in_flight);
    dns_cache_destroy(&lookups->cache);
}

static void refuse(struct lookup_waiter *waiter)
{
    const struct lookup_result result = {.status = DNS_TEMPORARY,
                                         .failure = DNS_FAILURE_RESOURCES,
                                         .canonical_name = span_empty(),
                                         .records = span_empty()};
    waiter->done(waiter, &result);
}

static void on_answer(void *context, const struct dns_answer *given)
{
    struct lookup *lookup = context;
    struct lookups *lookups = lookup->lookups;
    struct dns_answer answer = *given;
    struct buffer records;

    buffer_init(&records, NULL, 2 * DNS_RECORDS_MAX_BYTES);
    if (!dns_records_pack(&answer, &records)) {
        answer = dns_answer_failed(DNS_FAILURE_TOO_MUCH);
        buffer_reset(&records);
    }
    dns_cache_store(&lookups->cache, &lookup->question, &answer, buffer_span(&records),
                    clock_monotonic_ms());
    /* A waiter's callback may ask again, even the same: out of the table first. */
    map_remove(&lookups->in_flight, &lookup->node);
    const struct lookup_result result = {.status = answer.status,
                                         .failure = answer.failure,
                                         .is_authenticated = answer.is_authenticated,
                                         .ttl_s = answer.ttl_s,
                                         .canonical_name = answer.canonical_name,
                                         .records = buffer_span(&records)};
    for (;;) {
        struct lookup_waiter *waiter =
            LIST_ITEM(list_pop(&lookup->waiters), struct lookup_waiter, link);
        if (!waiter)
            break;
        lookups->waiter_count--;
        waiter->done(waiter, &result);
    }
    buffer_release(&records);
    free(lookup);
}

static struct lookup *start(struct lookups *lookups, const struct dns_question *question)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    if (!lookup)
        return NULL;
    lookup->lookups = lookups;
    lookup->question = *question;
    list_init(&lookup->waiters);
    lookup->node.key = span_of(lookup->key, dns_cache_key(question, lookup->key));
    if (!map_insert(&lookups->in_flight, &lookup->node)) {
        free(lookup);
        return NULL;
    }
    if (!lookups->source.ask(lookups->source.context, question, on_answer, lookup)) {
        map_remove(&lookups->in_flight, &lookup->node);
        free(lookup);
        return NULL;
    }
    lookups->counters.sent++;
    return lookup;
}

void lookups_ask(struct lookups *lookups, const struct dns_question *question, int64_t now_ms,
                 struct lookup_waiter *waiter)
{
    waiter->lookups = lookups;
    lookups->counters.asked++;
    const struct dns_cache_entry *entry = dns_cache_find(&lookups->cache, question, now_ms);
    if (entry) {
        const struct lookup_result result = {.status = entry->status,
                                             .failure = entry->failure,
                                             .is_authenticated = entry->is_authenticated,
                                             .ttl_s = dns_cache_ttl_s(entry, now_ms),
                                             .canonical_name = entry->canonical_name,
                                             .records = entry->records};
        lookups->counters.from_cache++;
        waiter->done(waiter, &result);
        return;
    }
    if (lookups->waiter_count >= LOOKUP_WAITERS_MAX) {
        refuse(waiter);
        return;
    }
    uint8_t key[DNS_CACHE_KEY_MAX_BYTES];
    struct map_node *node =
        map_find(&lookups->in_flight, span_of(key, dns_cache_key(question, key)));
    struct lookup *lookup;
    if (node) {
        lookup = CONTAINER_OF(node, struct lookup, node);
        lookups->counters.joined++;
    } else {
        lookup = start(lookups, question);
        if (!lookup) {
            refuse(waiter);
            return;
        }
    }
    waiter->companions = &lookup->waiters;
    list_append(&lookup->waiters, &waiter->link);
    lookups->waiter_count++;
}

void lookups_cancel(struct lookup_waiter *waiter)
{
    if (!list_is_linked(&waiter->link))
        return;
    list_remove(waiter->companions, &waiter->link);
    waiter->lookups->waiter_count--;
}
