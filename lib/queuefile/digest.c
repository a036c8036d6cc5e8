/* queuefile/digest - see digest.h. */
#include "queuefile/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

bool digest_init(struct digest *digest)
{
    *digest = (struct digest){.context = EVP_MD_CTX_new()};
    EVP_MD *algorithm = EVP_MD_fetch(NULL, "SHA2-256", NULL);
    /* The context keeps its own reference, and every later start finds it set up. */
    const bool is_ready =
        digest->context && algorithm && EVP_DigestInit_ex2(digest->context, algorithm, NULL) == 1;
    EVP_MD_free(algorithm);
    if (!is_ready)
        digest_destroy(digest);
    return is_ready;
}

void digest_destroy(struct digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

void digest_start(struct digest *digest)
{
    digest->has_failed = EVP_DigestInit_ex2(digest->context, NULL, NULL) != 1;
}

void digest_update(struct digest *digest, struct span bytes)
{
    if (EVP_DigestUpdate(digest->context, bytes.bytes, bytes.length) != 1)
        digest->has_failed = true;
}

bool digest_finish(struct digest *digest, uint8_t out[DIGEST_BYTES])
{
    if (EVP_DigestFinal_ex(digest->context, out, NULL) != 1)
        digest->has_failed = true;
    return !digest->has_failed;
}

static bool make_key_id(const uint8_t bytes[QUEUE_KEY_BYTES], uint8_t id[QUEUE_KEY_ID_BYTES])
{
    struct digest digest;
    uint8_t whole[DIGEST_BYTES];
    if (!digest_init(&digest))
        return false;
    digest_start(&digest);
    digest_update(&digest, SPAN("posthouse queue key id"));
    digest_update(&digest, span_of(bytes, QUEUE_KEY_BYTES));
    const bool is_good = digest_finish(&digest, whole);
    digest_destroy(&digest);
    if (is_good)
        memcpy(id, whole, QUEUE_KEY_ID_BYTES);
    return is_good;
}

bool queue_key_init(struct queue_key *key, const uint8_t bytes[QUEUE_KEY_BYTES])
{
    *key = (struct queue_key){.context = NULL};
    char digest_name[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC *algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (algorithm)
        key->context = EVP_MAC_CTX_new(algorithm);
    EVP_MAC_free(algorithm);
    if (key->context && EVP_MAC_init(key->context, bytes, QUEUE_KEY_BYTES, parameters) == 1 &&
        make_key_id(bytes, key->id))
        return true;
    queue_key_destroy(key);
    return false;
}

void queue_key_destroy(struct queue_key *key)
{
    EVP_MAC_CTX_free(key->context);
    key->context = NULL;
}

bool queue_key_mac(struct queue_key *key, const struct span *parts, size_t part_count,
                   uint8_t out[DIGEST_BYTES])
{
    /* Without a key the context starts again with the one it has. */
    if (EVP_MAC_init(key->context, NULL, 0, NULL) != 1)
        return false;
    for (size_t i = 0; i < part_count; i++)
        if (EVP_MAC_update(key->context, parts[i].bytes, parts[i].length) != 1)
            return false;
    size_t length = 0;
    return EVP_MAC_final(key->context, out, &length, DIGEST_BYTES) == 1 && length == DIGEST_BYTES;
}
