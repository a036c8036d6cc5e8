/* authd/relay_cache - passwords that a server has refused not long ago (smtp_sasl_auth_cache_name):
 * to try them again and again may lock an account. In memory, as long as the process lives.
 * Interface: relay_cache_init(), relay_cache_find(), relay_cache_add(). Pure: the clock is handed
 * in. Callers: authd/relay_server. */
#ifndef AUTHD_RELAY_CACHE_H
#define AUTHD_RELAY_CACHE_H

#include "base/span.h"

enum { RELAY_CACHE_ENTRIES = 128, RELAY_CACHE_TEXT_BYTES = 512, RELAY_CACHE_KEY_BYTES = 32 };

struct relay_cache_entry {
    uint8_t key[RELAY_CACHE_KEY_BYTES];
    int64_t expires_ms; /* 0: unused */
    size_t length;
    uint8_t text[RELAY_CACHE_TEXT_BYTES];
};

struct relay_cache {
    int64_t lifetime_ms; /* 0: nothing is kept */
    struct relay_cache_entry entries[RELAY_CACHE_ENTRIES];
};

struct relay_cache_question {
    struct span host, user, password;
};

void relay_cache_init(struct relay_cache *cache, int64_t lifetime_ms);
/* The server's reply, or false. It lasts until the next call. */
MUST_USE bool relay_cache_find(const struct relay_cache *cache,
                               const struct relay_cache_question *question, int64_t now_ms,
                               struct span *text);
/* In place of the entry that would have gone first. */
void relay_cache_add(struct relay_cache *cache, const struct relay_cache_question *question,
                     struct span text, int64_t now_ms);

#endif
