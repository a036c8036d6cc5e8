/* tls/sessions - see sessions.h. */
#include "tls/sessions.h"

#include <stdlib.h>

struct entry {
    struct map_node node;
    struct list_link link;
    int64_t expires_ms;
    SSL_SESSION *session;
    size_t size_bytes;
    uint8_t key[TLS_SESSIONS_KEY_BYTES];
};

void tls_sessions_init(struct tls_sessions *sessions, const uint8_t seed[16], int64_t lifetime_ms)
{
    map_init(&sessions->by_key, seed);
    list_init(&sessions->by_use);
    sessions->bytes = 0;
    sessions->lifetime_ms = lifetime_ms;
}

static void drop(struct tls_sessions *sessions, struct entry *entry)
{
    map_remove(&sessions->by_key, &entry->node);
    list_remove(&sessions->by_use, &entry->link);
    sessions->bytes -= entry->size_bytes;
    SSL_SESSION_free(entry->session);
    free(entry);
}

static struct entry *longest_unused(const struct tls_sessions *sessions)
{
    return LIST_ITEM(list_first(&sessions->by_use), struct entry, link);
}

void tls_sessions_destroy(struct tls_sessions *sessions)
{
    while (!list_is_empty(&sessions->by_use))
        drop(sessions, longest_unused(sessions));
    map_destroy(&sessions->by_key);
}

static struct entry *find(const struct tls_sessions *sessions,
                          const uint8_t key[TLS_SESSIONS_KEY_BYTES])
{
    struct map_node *node = map_find(&sessions->by_key, span_of(key, TLS_SESSIONS_KEY_BYTES));
    return node ? CONTAINER_OF(node, struct entry, node) : NULL;
}

void tls_sessions_forget(struct tls_sessions *sessions, const uint8_t key[TLS_SESSIONS_KEY_BYTES])
{
    struct entry *entry = find(sessions, key);
    if (entry)
        drop(sessions, entry);
}

void tls_sessions_put(struct tls_sessions *sessions, const uint8_t key[TLS_SESSIONS_KEY_BYTES],
                      SSL_SESSION *session, size_t size_bytes, int64_t now_ms)
{
    tls_sessions_forget(sessions, key);
    const bool is_kept = sessions->lifetime_ms > 0 && size_bytes <= TLS_SESSION_MAX_BYTES;
    struct entry *entry = is_kept ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry) {
        SSL_SESSION_free(session);
        return;
    }
    while (sessions->by_use.count >= TLS_SESSIONS_MAX ||
           sessions->bytes + size_bytes > TLS_SESSIONS_MAX_BYTES)
        drop(sessions, longest_unused(sessions));
    memcpy(entry->key, key, TLS_SESSIONS_KEY_BYTES);
    entry->node.key = span_of(entry->key, TLS_SESSIONS_KEY_BYTES);
    entry->expires_ms = now_ms + sessions->lifetime_ms;
    entry->session = session;
    entry->size_bytes = size_bytes;
    if (!map_insert(&sessions->by_key, &entry->node)) {
        SSL_SESSION_free(session);
        free(entry);
        return;
    }
    list_append(&sessions->by_use, &entry->link);
    sessions->bytes += size_bytes;
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions,
                               const uint8_t key[TLS_SESSIONS_KEY_BYTES], int64_t now_ms)
{
    struct entry *entry = find(sessions, key);
    if (!entry)
        return NULL;
    if (entry->expires_ms <= now_ms || SSL_SESSION_is_resumable(entry->session) != 1) {
        drop(sessions, entry);
        return NULL;
    }
    SSL_SESSION *session = entry->session;
    if (SSL_SESSION_up_ref(session) != 1)
        return NULL;
    list_remove(&sessions->by_use, &entry->link);
    list_append(&sessions->by_use, &entry->link);
    return session;
}
