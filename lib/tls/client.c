/* tls/client - see client.h. */
#include "tls/client.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

#include "system/clock.h"
#include "system/random.h"
#include "tls/protocols.h"

enum {
    SERVER_NAME_MAX_BYTES = 256,
    KEYS_PATIENCE_MS = 2000 /* how long the first connections wait for keyd's first answer */
};

/* ---- what holds for all ---- */

/* The first thing that is wrong with the chain. With SSL_VERIFY_NONE libssl goes on. */
static int on_certificate(int is_good, X509_STORE_CTX *context)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_peer *peer = SSL_get_app_data(ssl);
    if (is_good || !peer || peer->problem.error != X509_V_OK)
        return is_good;
    X509 *certificate = X509_STORE_CTX_get_current_cert(context);
    peer->problem.error = X509_STORE_CTX_get_error(context);
    peer->problem.depth = X509_STORE_CTX_get_error_depth(context);
    if (certificate && X509_up_ref(certificate) == 1)
        peer->problem.certificate = peer->problem_certificate = certificate;
    return is_good;
}

/* The ticket as it is; certificates are kept as bytes and as what was read from them. */
static size_t session_bytes(SSL *ssl, const SSL_SESSION *session)
{
    const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
    const int written = i2d_SSL_SESSION(session, NULL);
    size_t bytes = written > 0 ? (size_t)written : 0;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        const int length = i2d_X509(sk_X509_value(chain, i), NULL);
        bytes += length > 0 ? 2 * (size_t)length : 0;
    }
    return bytes;
}

/* libssl has a session that may be resumed: in TLS 1.3 some time after the handshake. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_peer *peer = SSL_get_app_data(ssl);
    if (!peer)
        return 0;
    tls_sessions_put(&peer->client->sessions, peer->session_key, session,
                     session_bytes(ssl, session), clock_monotonic_ms());
    return 1; /* it is ours */
}

static bool set_up(SSL_CTX *context, uint32_t verify_depth, const struct tls_dane_digests *digests)
{
    (void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT |
                                                      SSL_SESS_CACHE_NO_INTERNAL_STORE |
                                                      SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_sess_set_new_cb(context, on_session);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, on_certificate);
    SSL_CTX_set_verify_depth(context, verify_depth < INT16_MAX ? (int)verify_depth : INT16_MAX);
    return tls_dane_enable(context, digests);
}

/* What libssl would read later, in the sandbox, is read now. */
static bool gather(struct tls_client *client, const struct tls_client_rules *rules,
                   char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    struct tls_authorities authorities = rules->authorities;
    client->own_gathered = tls_gathered_read(&authorities, problem);
    if (!client->own_gathered || !rules->needs_web)
        return client->own_gathered != NULL;
    authorities.has_defaults = true;
    client->web_gathered = tls_gathered_read(&authorities, problem);
    return client->web_gathered != NULL;
}

bool tls_client_has_web(const struct tls_client *client)
{
    return client->web ? sk_X509_OBJECT_num(X509_STORE_get0_objects(client->web)) > 0
                       : client->web_gathered && tls_gathered_count(client->web_gathered) > 0;
}

/* A certificate of a server will be looked at: now they are needed. */
static void use_own(struct tls_client *client)
{
    if (client->own_gathered)
        tls_gathered_add_to(client->own_gathered, SSL_CTX_get_cert_store(client->context));
    tls_gathered_destroy(&client->own_gathered);
}

/* False when memory is out. */
static bool use_web(struct tls_client *client, SSL *ssl)
{
    if (!client->web && client->web_gathered) {
        client->web = X509_STORE_new();
        if (!client->web)
            return false;
        tls_gathered_add_to(client->web_gathered, client->web);
        tls_gathered_destroy(&client->web_gathered);
    }
    return !client->web || SSL_set1_verify_cert_store(ssl, client->web) == 1;
}

struct tls_client *tls_client_create(const struct tls_client_rules *rules,
                                     char problem[TLS_AUTHORITIES_PROBLEM_BYTES])
{
    uint8_t seed[16];
    struct span bad_word;
    struct conf_error error;
    struct tls_client *client = calloc(1, sizeof(*client));
    if (!client) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "out of memory");
        return NULL;
    }
    client->settings = rules->settings;
    random_bytes(seed, sizeof(seed));
    tls_sessions_init(&client->sessions, seed, rules->session_lifetime_ms);
    if (tls_dane_digests_parse(rules->dane_digests, &client->dane_digests, &bad_word) != PARSE_OK) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES,
                       "tls_dane_digests: \"%.*s\" is no digest, or no number for it",
                       SPAN_PRINTF(span_first(bad_word, TLS_AUTHORITIES_PROBLEM_BYTES / 2)));
        goto failed;
    }
    client->context = SSL_CTX_new(TLS_client_method());
    if (!client->context || !set_up(client->context, rules->verify_depth, &client->dane_digests)) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "libssl cannot be set up");
        goto failed;
    }
    if (!tls_settings_apply(&rules->settings, client->context, &error)) {
        (void)snprintf(problem, TLS_AUTHORITIES_PROBLEM_BYTES, "%.*s",
                       TLS_AUTHORITIES_PROBLEM_BYTES - 1, error.text);
        goto failed;
    }
    if (gather(client, rules, problem))
        return client;
failed:
    tls_client_destroy(&client);
    return NULL;
}

void tls_client_destroy(struct tls_client **client_pointer)
{
    struct tls_client *client = *client_pointer;
    *client_pointer = NULL;
    if (!client)
        return;
    tls_sessions_destroy(&client->sessions);
    tls_gathered_destroy(&client->own_gathered);
    tls_gathered_destroy(&client->web_gathered);
    X509_STORE_free(client->web);
    SSL_CTX_free(client->context);
    free(client);
}

bool tls_client_use_keys(struct tls_client *client, struct tls_keys *keys)
{
    client->keys = keys;
    return tls_keys_serve(keys, client->context, false);
}

/* ---- digests of wishes ---- */

static void add_bytes(EVP_MD_CTX *digest, struct span bytes)
{
    const uint64_t length = bytes.bytes ? bytes.length : UINT64_MAX;
    (void)EVP_DigestUpdate(digest, &length, sizeof(length));
    if (bytes.bytes)
        (void)EVP_DigestUpdate(digest, bytes.bytes, bytes.length);
}

static void digest_all(const struct tls_wish *wish, struct span place,
                       uint8_t result[TLS_WISH_DIGEST_BYTES])
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    unsigned length = 0;
    ASSERT(digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1);
    const uint64_t numbers[] = {(uint64_t)wish->level, wish->name_count, wish->record_count,
                                wish->name_rules, wish->trusts_web};
    (void)EVP_DigestUpdate(digest, numbers, sizeof(numbers));
    add_bytes(digest, place);
    add_bytes(digest, wish->protocols);
    add_bytes(digest, wish->ciphers);
    add_bytes(digest, wish->exclusions);
    add_bytes(digest, wish->server_name);
    add_bytes(digest, wish->fingerprints);
    add_bytes(digest,
              span_from_string(wish->fingerprint_digest ? EVP_MD_get0_name(wish->fingerprint_digest)
                                                        : ""));
    for (size_t i = 0; i < wish->name_count; i++)
        add_bytes(digest, wish->names[i]);
    for (size_t i = 0; i < wish->record_count; i++) {
        const struct tls_dane_record *record = &wish->records[i];
        const uint8_t head[] = {record->usage, record->selector, record->matching_type};
        (void)EVP_DigestUpdate(digest, head, sizeof(head));
        add_bytes(digest, record->data);
    }
    ASSERT(EVP_DigestFinal_ex(digest, result, &length) == 1 && length == TLS_WISH_DIGEST_BYTES);
    EVP_MD_CTX_free(digest);
}

void tls_wish_digest(const struct tls_wish *wish, uint8_t digest[TLS_WISH_DIGEST_BYTES])
{
    digest_all(wish, span_empty(), digest);
}

/* ---- a connection ---- */

static bool set_server_name(SSL *ssl, struct span name)
{
    char text[SERVER_NAME_MAX_BYTES];
    if (span_is_empty(name))
        return true;
    return name.length < sizeof(text) &&
           snprintf(text, sizeof(text), "%.*s", SPAN_PRINTF(name)) > 0 &&
           SSL_set_tlsext_host_name(ssl, text) == 1;
}

static bool set_protocols(SSL *ssl, struct span words)
{
    unsigned protocols;
    struct span bad_word;
    if (tls_protocols_parse(words, &protocols, &bad_word) != PARSE_OK)
        return false;
    (void)SSL_clear_options(ssl, tls_settings_protocol_options(0));
    (void)SSL_set_options(ssl, tls_settings_protocol_options(protocols));
    if (protocols & ((1U << TLS_PROTOCOL_1_2) - 1))
        SSL_set_security_level(ssl, 0); /* see tls_settings_apply() */
    return SSL_set_min_proto_version(ssl, 0) == 1;
}

static bool set_ciphers(SSL *ssl, const struct tls_client *client, const struct tls_wish *wish)
{
    struct tls_settings settings = client->settings;
    struct conf_error error;
    struct buffer list;
    if (wish->ciphers.bytes)
        settings.grade = wish->ciphers;
    if (wish->exclusions.bytes)
        settings.excluded_ciphers = wish->exclusions;
    settings.also_excluded = tls_level_must_match(wish->level) ? SPAN("aNULL") : span_empty();
    buffer_init(&list, NULL, TLS_CIPHER_LIST_MAX_BYTES);
    const bool is_set = tls_settings_cipher_list(&settings, &list, &error) &&
                        SSL_set_cipher_list(ssl, (const char *)list.bytes) == 1;
    buffer_release(&list);
    return is_set;
}

bool tls_wish_check(const struct tls_wish *wish, struct span *bad_word)
{
    unsigned protocols;
    enum tls_grade grade;
    if (wish->protocols.bytes &&
        tls_protocols_parse(wish->protocols, &protocols, bad_word) != PARSE_OK)
        return false;
    if (wish->exclusions.bytes && !tls_cipher_words_check(wish->exclusions, true, bad_word))
        return false;
    *bad_word = wish->ciphers;
    return !wish->ciphers.bytes || tls_grade_find(wish->ciphers, &grade);
}

static bool apply(SSL *ssl, struct tls_client *client, const struct tls_wish *wish)
{
    if ((wish->protocols.bytes && !set_protocols(ssl, wish->protocols)) ||
        !set_ciphers(ssl, client, wish))
        return false;
    if (wish->trusts_web && !use_web(client, ssl))
        return false;
    if (tls_level_is_dane(wish->level))
        return tls_dane_apply(ssl, wish->records, wish->record_count, wish->names,
                              wish->name_count);
    if (wish->record_count > 0 && !tls_dane_apply(ssl, wish->records, wish->record_count, NULL, 0))
        return false;
    return set_server_name(ssl, wish->server_name);
}

static bool has_fingerprint(const struct tls_peer *peer, struct span wanted)
{
    struct span word;
    while (span_next_word(&wanted, ", \t\r\n", &word))
        if (tls_fingerprint_equals(word, span_from_string(peer->certificate_fingerprint)) ||
            tls_fingerprint_equals(word, span_from_string(peer->key_fingerprint)))
            return true;
    return false;
}

static bool has_name(X509 *certificate, const struct tls_wish *wish)
{
    for (size_t i = 0; i < wish->name_count; i++)
        if (tls_verify_has_name(certificate, wish->names[i], wish->name_rules))
            return true;
    return false;
}

static bool is_matched(const struct tls_peer *peer, const struct tls_wish *wish, bool is_trusted)
{
    switch (wish->level) {
    case TLS_LEVEL_FINGERPRINT:
        return has_fingerprint(peer, wish->fingerprints);
    case TLS_LEVEL_HALF_DANE:
    case TLS_LEVEL_DANE:
    case TLS_LEVEL_DANE_ONLY:
        return is_trusted; /* libssl has compared the names where they count */
    case TLS_LEVEL_VERIFY:
    case TLS_LEVEL_SECURE:
        return peer->is_proven;
    case TLS_LEVEL_NONE:
    case TLS_LEVEL_MAY:
    case TLS_LEVEL_ENCRYPT:
        break;
    }
    return false;
}

static void judge(SSL *ssl, const struct tls_wish *wish, struct tls_peer *peer)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    const EVP_MD *digest = wish->fingerprint_digest ? wish->fingerprint_digest : EVP_sha256();
    tls_facts_read(ssl, &peer->facts);
    peer->trust = LOG_TLS_ANONYMOUS;
    if (!certificate)
        return;
    if (!tls_fingerprint_certificate(certificate, digest, peer->certificate_fingerprint) ||
        !tls_fingerprint_key(certificate, digest, peer->key_fingerprint))
        peer->certificate_fingerprint[0] = peer->key_fingerprint[0] = '\0';
    const bool is_trusted = SSL_get_verify_result(ssl) == X509_V_OK;
    peer->is_proven = is_trusted && has_name(certificate, wish);
    peer->is_matched = is_matched(peer, wish, is_trusted);
    /* An insecure MX record may have named any host: which one it is says nothing. */
    if (peer->is_matched && wish->level != TLS_LEVEL_HALF_DANE)
        peer->trust = LOG_TLS_VERIFIED;
    else
        peer->trust = is_trusted ? LOG_TLS_TRUSTED : LOG_TLS_UNTRUSTED;
    if (is_trusted && !peer->is_proven && !tls_level_is_dane(wish->level) && wish->name_count > 0)
        peer->problem = (struct tls_verify_problem){.error = X509_V_ERR_HOSTNAME_MISMATCH};
}

static void resume(struct tls_client *client, SSL *ssl, const struct tls_peer *peer)
{
    SSL_SESSION *session =
        tls_sessions_take(&client->sessions, peer->session_key, clock_monotonic_ms());
    if (session)
        (void)SSL_set_session(ssl, session); /* or there is a full handshake */
    SSL_SESSION_free(session);
}

/* keyd is needed only where there is a certificate to show; a server that asks for none never sees
 * it. */
static enum stream_result shake_hands(struct tls_client *client, struct stream *stream,
                                      struct tls_handshake *handshake)
{
    struct tls_keys_handshake signer;
    if (client->keys_patience_end_ms == 0)
        client->keys_patience_end_ms = clock_deadline_after(KEYS_PATIENCE_MS);
    if (!client->keys ||
        tls_keys_await_status(client->keys, client->keys_patience_end_ms) != TLS_KEY_STATUS_FOUND)
        return tls_stream_handshake(stream, handshake);
    tls_keys_handshake_begin(&signer, client->keys, handshake->ssl);
    handshake->waiter = &signer.waiter;
    const enum stream_result result = tls_stream_handshake(stream, handshake);
    tls_keys_handshake_end(&signer);
    return result;
}

enum stream_result tls_client_handshake(struct tls_client *client, struct stream *stream,
                                        const struct tls_wish *wish, struct span place,
                                        int64_t deadline_ms, struct tls_peer *peer)
{
    SSL *ssl = SSL_new(client->context);
    *peer = (struct tls_peer){.client = client};
    use_own(client);
    ERR_clear_error();
    if (!ssl || !apply(ssl, client, wish)) {
        tls_take_error(peer->reason);
        SSL_free(ssl);
        stream->error = ENOMEM;
        return STREAM_FAILED;
    }
    digest_all(wish, place, peer->session_key);
    SSL_set_app_data(ssl, peer);
    resume(client, ssl, peer);
    SSL_set_connect_state(ssl);
    struct tls_handshake handshake = {.ssl = ssl, .deadline_ms = deadline_ms};
    const enum stream_result result = shake_hands(client, stream, &handshake);
    if (result == STREAM_OK) {
        judge(tls_stream_ssl(stream), wish, peer);
    } else {
        tls_sessions_forget(&client->sessions, peer->session_key);
        memcpy(peer->reason, handshake.reason, sizeof(peer->reason));
    }
    return result;
}

void tls_peer_release(struct tls_peer *peer)
{
    X509_free(peer->problem_certificate);
    peer->problem_certificate = NULL;
    peer->problem.certificate = NULL;
}
