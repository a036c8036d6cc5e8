/* authd/relay_cache - see relay_cache.h. */
#include "relay_cache.h"

#include "base/arena.h"
#include "base/buffer.h"
#include "sasl/scram.h"

enum { QUESTION_MAX_BYTES = 8192 };

/* A digest: passwords are not kept for this. */
static bool make_key(const struct relay_cache_question *question,
                     uint8_t key[RELAY_CACHE_KEY_BYTES])
{
    uint8_t digest[SASL_HASH_MAX_BYTES];
    struct arena arena;
    struct buffer text;

    arena_init(&arena, 4 * QUESTION_MAX_BYTES, ARENA_WIPE);
    buffer_init(&text, &arena, QUESTION_MAX_BYTES);
    buffer_append_span(&text, question->host);
    buffer_append_byte(&text, 0);
    buffer_append_span(&text, question->user);
    buffer_append_byte(&text, 0);
    buffer_append_span(&text, question->password);
    const bool is_good =
        buffer_ok(&text) && scram_hash(SASL_HASH_SHA_256, buffer_span(&text), digest);
    if (is_good)
        memcpy(key, digest, RELAY_CACHE_KEY_BYTES);
    arena_destroy(&arena);
    return is_good;
}

void relay_cache_init(struct relay_cache *cache, int64_t lifetime_ms)
{
    *cache = (struct relay_cache){.lifetime_ms = lifetime_ms};
}

bool relay_cache_find(const struct relay_cache *cache, const struct relay_cache_question *question,
                      int64_t now_ms, struct span *text)
{
    uint8_t key[RELAY_CACHE_KEY_BYTES];

    if (cache->lifetime_ms == 0 || !make_key(question, key))
        return false;
    for (size_t i = 0; i < RELAY_CACHE_ENTRIES; i++) {
        const struct relay_cache_entry *entry = &cache->entries[i];
        if (entry->expires_ms > now_ms && memcmp(entry->key, key, sizeof(key)) == 0) {
            *text = span_of(entry->text, entry->length);
            return true;
        }
    }
    return false;
}

void relay_cache_add(struct relay_cache *cache, const struct relay_cache_question *question,
                     struct span text, int64_t now_ms)
{
    struct relay_cache_entry *entry = &cache->entries[0];
    uint8_t key[RELAY_CACHE_KEY_BYTES];

    if (cache->lifetime_ms == 0 || !make_key(question, key))
        return;
    for (size_t i = 1; i < RELAY_CACHE_ENTRIES; i++)
        if (cache->entries[i].expires_ms < entry->expires_ms)
            entry = &cache->entries[i];
    text = span_first(text, RELAY_CACHE_TEXT_BYTES);
    memcpy(entry->key, key, sizeof(key));
    memcpy(entry->text, text.bytes, text.length);
    entry->length = text.length;
    entry->expires_ms = now_ms + cache->lifetime_ms;
}
