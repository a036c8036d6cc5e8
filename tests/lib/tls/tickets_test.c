/* tests/lib/tls/tickets - which key seals, which keys open, and for how long. */
#include "../../test.h"

#include "tls/tickets.h"

enum { LIFETIME_MS = 3600000 };

static uint8_t key_bytes[40][TLS_TICKET_KEY_BYTES];

static struct span key(size_t number)
{
    memset(key_bytes[number], (int)number + 1, TLS_TICKET_KEY_BYTES);
    return span_of(key_bytes[number], TLS_TICKET_KEY_BYTES);
}

/* The first byte of the name that tickets get: a number as above; of the process's own key
 * anything. */
static int seal(const struct tls_tickets *tickets, uint8_t name[TLS_TICKET_NAME_BYTES])
{
    uint8_t iv[EVP_MAX_IV_LENGTH];
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    assert_int_equal(tls_tickets_seal(tickets, name, iv, cipher, mac), 1);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return name[0] - 1;
}

static int open_at(const struct tls_tickets *tickets, const uint8_t *name, int64_t now_ms)
{
    const uint8_t iv[EVP_MAX_IV_LENGTH] = {0};
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    const int result = tls_tickets_open(tickets, name, iv, cipher, mac, now_ms);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    EVP_MAC_free(hmac);
    return result;
}

static void test_life(void **state)
{
    struct tls_tickets tickets;
    uint8_t name[TLS_TICKET_NAME_BYTES], own[TLS_TICKET_NAME_BYTES];
    (void)state;
    assert_true(tls_tickets_init(&tickets));
    (void)seal(&tickets, own);
    tls_tickets_take(&tickets, 7, key(1), span_empty(), LIFETIME_MS, 0);
    assert_int_equal(seal(&tickets, name), 1);
    assert_int_equal(open_at(&tickets, name, 1), 1);
    assert_int_equal(open_at(&tickets, own, 1), 2);
    tls_tickets_take(&tickets, 7, key(2), key(1), LIFETIME_MS, LIFETIME_MS);
    assert_int_equal(open_at(&tickets, name, LIFETIME_MS), 2);
    assert_int_equal(seal(&tickets, name), 2);
    assert_int_equal(open_at(&tickets, key(1).bytes, 2 * LIFETIME_MS - 1), 2);
    assert_int_equal(open_at(&tickets, key(1).bytes, 2 * LIFETIME_MS), 0);
    assert_int_equal(open_at(&tickets, key(3).bytes, 0), 0);
    tls_tickets_part(&tickets, 7); /* its keyd has gone: the process's own again */
    (void)seal(&tickets, name);
    assert_memory_equal(name, own, sizeof(own));
    assert_int_equal(open_at(&tickets, key(2).bytes, LIFETIME_MS), 2);
    tls_tickets_wipe(&tickets);
}

static void test_several_keyds(void **state)
{
    struct tls_tickets tickets;
    uint8_t name[TLS_TICKET_NAME_BYTES];
    (void)state;
    assert_true(tls_tickets_init(&tickets));
    tls_tickets_take(&tickets, 9, key(9), span_empty(), LIFETIME_MS, 0);
    tls_tickets_take(&tickets, 8, key(8), span_empty(), LIFETIME_MS, 0);
    assert_int_equal(seal(&tickets, name), 8);
    assert_int_equal(open_at(&tickets, key(9).bytes, 0), 2);
    tls_tickets_part(&tickets, 8);
    assert_int_equal(seal(&tickets, name), 9);
    /* More than there is room for: the newest are there, and so is what a keyd seals with. */
    for (size_t i = 10; i < 40; i++)
        tls_tickets_take(&tickets, 9, key(i), key(i - 1), LIFETIME_MS, (int64_t)i);
    assert_int_equal(seal(&tickets, name), 39);
    assert_int_equal(open_at(&tickets, key(38).bytes, 40), 2);
    assert_int_equal(open_at(&tickets, key(10).bytes, 40), 0);
    tls_tickets_take(&tickets, 9, SPAN("short"), key(39), LIFETIME_MS, 40);
    assert_true(tickets.count <= TLS_TICKET_KEYS_MAX);
    tls_tickets_wipe(&tickets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_several_keyds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
