/* tls/tickets - see tickets.h. */
#include "tls/tickets.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

bool tls_tickets_init(struct tls_tickets *tickets)
{
    *tickets = (struct tls_tickets){.count = 1};
    tickets->keys[0].expires_ms = INT64_MAX;
    return RAND_bytes(tickets->keys[0].bytes, TLS_TICKET_KEY_BYTES) == 1;
}

void tls_tickets_wipe(struct tls_tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof(*tickets));
}

static struct tls_ticket_key *find(struct tls_tickets *tickets, const uint8_t *name)
{
    for (size_t i = 0; i < tickets->count; i++)
        if (memcmp(tickets->keys[i].bytes, name, TLS_TICKET_NAME_BYTES) == 0)
            return &tickets->keys[i];
    return NULL;
}

static void remove_key(struct tls_tickets *tickets, size_t index)
{
    struct tls_ticket_key *last = &tickets->keys[--tickets->count];
    if (&tickets->keys[index] != last)
        tickets->keys[index] = *last;
    OPENSSL_cleanse(last, sizeof(*last));
}

/* Those that have expired go; in a full table the one that would be next. The process's own, at
 * index 0, stays. */
static void make_room(struct tls_tickets *tickets, int64_t now_ms)
{
    size_t next = 1;
    for (size_t i = tickets->count; i-- > 1;)
        if (tickets->keys[i].expires_ms <= now_ms)
            remove_key(tickets, i);
    if (tickets->count < TLS_TICKET_KEYS_MAX)
        return;
    for (size_t i = 2; i < tickets->count; i++)
        if (tickets->keys[i].expires_ms < tickets->keys[next].expires_ms)
            next = i;
    remove_key(tickets, next);
}

static void put(struct tls_tickets *tickets, uint32_t source, struct span bytes, bool is_current,
                int64_t expires_ms, int64_t now_ms)
{
    if (bytes.length != TLS_TICKET_KEY_BYTES)
        return;
    struct tls_ticket_key *key = find(tickets, bytes.bytes);
    if (!key) {
        make_room(tickets, now_ms);
        key = &tickets->keys[tickets->count++];
    }
    memcpy(key->bytes, bytes.bytes, TLS_TICKET_KEY_BYTES);
    key->source = source;
    key->is_current = is_current;
    key->expires_ms = expires_ms;
}

void tls_tickets_part(struct tls_tickets *tickets, uint32_t source)
{
    for (size_t i = 1; i < tickets->count; i++)
        if (tickets->keys[i].source == source)
            tickets->keys[i].is_current = false;
}

void tls_tickets_take(struct tls_tickets *tickets, uint32_t source, struct span current,
                      struct span previous, int64_t lifetime_ms, int64_t now_ms)
{
    tls_tickets_part(tickets, source);
    put(tickets, source, previous, false, now_ms + lifetime_ms, now_ms);
    put(tickets, source, current, true, now_ms + 2 * lifetime_ms, now_ms);
}

/* The process's own where there is no keyd. */
static const struct tls_ticket_key *sealing_key(const struct tls_tickets *tickets)
{
    const struct tls_ticket_key *chosen = NULL;
    for (size_t i = 1; i < tickets->count; i++)
        if (tickets->keys[i].is_current && (!chosen || tickets->keys[i].source < chosen->source))
            chosen = &tickets->keys[i];
    return chosen ? chosen : &tickets->keys[0];
}

static bool set_mac(const struct tls_ticket_key *key, EVP_MAC_CTX *mac)
{
    uint8_t secret[TLS_TICKET_SECRET_BYTES];
    char hash[] = "SHA256";
    memcpy(secret, key->bytes + TLS_TICKET_NAME_BYTES + TLS_TICKET_SECRET_BYTES, sizeof(secret));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret, sizeof(secret)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
        OSSL_PARAM_construct_end()};
    const bool is_ok = EVP_MAC_CTX_set_params(mac, params) == 1;
    OPENSSL_cleanse(secret, sizeof(secret));
    return is_ok;
}

int tls_tickets_seal(const struct tls_tickets *tickets, uint8_t *name, uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac)
{
    const struct tls_ticket_key *key = sealing_key(tickets);
    const EVP_CIPHER *kind = EVP_aes_256_cbc();
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(kind)) != 1 ||
        EVP_EncryptInit_ex2(cipher, kind, key->bytes + TLS_TICKET_NAME_BYTES, iv, NULL) != 1 ||
        !set_mac(key, mac))
        return -1;
    memcpy(name, key->bytes, TLS_TICKET_NAME_BYTES);
    return 1;
}

int tls_tickets_open(const struct tls_tickets *tickets, const uint8_t *name, const uint8_t *iv,
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int64_t now_ms)
{
    for (size_t i = 0; i < tickets->count; i++) {
        const struct tls_ticket_key *key = &tickets->keys[i];
        if (memcmp(key->bytes, name, TLS_TICKET_NAME_BYTES) != 0 || key->expires_ms <= now_ms)
            continue;
        if (EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(), key->bytes + TLS_TICKET_NAME_BYTES, iv,
                                NULL) != 1 ||
            !set_mac(key, mac))
            return -1;
        return key == sealing_key(tickets) ? 1 : 2;
    }
    return 0;
}
