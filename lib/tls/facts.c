/* tls/facts - see facts.h. */
#include "tls/facts.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>

enum { GROUP_MAX_BYTES = 40 };

#define WORD LOG_TLS_WORD_MAX_BYTES

/* "P-256" for "prime256v1": the names that people know. */
static void put_curve(const EVP_PKEY *key, const char *algorithm, char word[WORD])
{
    char group[GROUP_MAX_BYTES];
    size_t length = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof(group), &length) != 1) {
        (void)snprintf(word, WORD, "%s", algorithm);
        return;
    }
    const char *known = EC_curve_nid2nist(OBJ_txt2nid(group));
    (void)snprintf(word, WORD, "%s (%s)", algorithm, known ? known : group);
}

static void put_key(const EVP_PKEY *key, bool is_exchange, int signature_type, char word[WORD])
{
    const int type = EVP_PKEY_get_base_id(key);
    switch (type) {
    case EVP_PKEY_EC:
        put_curve(key, is_exchange ? "ECDHE" : "ECDSA", word);
        break;
    case EVP_PKEY_DH:
        (void)snprintf(word, WORD, "DHE (%d bits)", EVP_PKEY_get_bits(key));
        break;
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        (void)snprintf(word, WORD, "%s (%d bits)",
                       signature_type == EVP_PKEY_RSA ? "RSA" : "RSA-PSS", EVP_PKEY_get_bits(key));
        break;
    default: { /* X25519, Ed25519: the name says it all */
        const char *name = EVP_PKEY_get0_type_name(key);
        (void)snprintf(word, WORD, "%s", name ? name : "unknown");
        break;
    }
    }
}

static void put_digest(int digest, char word[WORD])
{
    const char *name = digest == NID_undef ? NULL : OBJ_nid2sn(digest);
    if (name)
        (void)snprintf(word, WORD, "%s", name);
}

static EVP_PKEY *key_of(const X509 *certificate)
{
    return certificate ? X509_get0_pubkey(certificate) : NULL;
}

/* The names of TLS 1.2's ciphers hold all this; those of TLS 1.3 nothing of it. In a resumed
 * session nobody signed anything. */
static void read_signatures(SSL *ssl, struct log_tls *facts)
{
    const bool is_server = SSL_is_server(ssl) == 1;
    EVP_PKEY *own_key = key_of(SSL_get_certificate(ssl));
    EVP_PKEY *peer_key = key_of(SSL_get0_peer_certificate(ssl));
    int type = NID_undef, digest = NID_undef;
    if (own_key && SSL_get_signature_type_nid(ssl, &type) == 1) {
        put_key(own_key, false, type,
                is_server ? facts->server_signature : facts->client_signature);
        if (SSL_get_signature_nid(ssl, &digest) == 1)
            put_digest(digest, is_server ? facts->server_digest : facts->client_digest);
    }
    if (peer_key && SSL_get_peer_signature_type_nid(ssl, &type) == 1) {
        put_key(peer_key, false, type,
                is_server ? facts->client_signature : facts->server_signature);
        if (SSL_get_peer_signature_nid(ssl, &digest) == 1)
            put_digest(digest, is_server ? facts->client_digest : facts->server_digest);
    }
}

static void read_key_exchange(SSL *ssl, struct log_tls *facts)
{
    EVP_PKEY *key = NULL;
    if (SSL_get_peer_tmp_key(ssl, &key) != 1)
        return;
    put_key(key, true, NID_undef, facts->key_exchange);
    EVP_PKEY_free(key);
}

void tls_facts_read(SSL *ssl, struct log_tls *facts)
{
    const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);
    *facts = (struct log_tls){.is_resumed = SSL_session_reused(ssl) == 1};
    (void)snprintf(facts->protocol, WORD, "%s", SSL_get_version(ssl));
    (void)snprintf(facts->cipher, WORD, "%s", SSL_CIPHER_get_name(cipher));
    facts->used_bits = SSL_CIPHER_get_bits(cipher, &facts->algorithm_bits);
    if (SSL_version(ssl) < TLS1_3_VERSION)
        return;
    read_key_exchange(ssl, facts);
    if (!facts->is_resumed)
        read_signatures(ssl, facts);
}
