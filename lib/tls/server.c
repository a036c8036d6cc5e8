/* tls/server - see server.h. */
#include "tls/server.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICKETS_PER_HANDSHAKE = 1,
    SHOWN_MAX_BYTES = 100,
    PATH_MAX_BYTES = 1024,
    KEYS_PATIENCE_MS = 2000 /* how long a session waits for keyd's first answer */
};

struct tls_server {
    char problem[TLS_AUTHORITIES_PROBLEM_BYTES]; /* with the authorities; may be empty */
    SSL_CTX *context;
    const EVP_MD *digest;  /* of fingerprints */
    struct tls_keys *keys; /* NULL: the context has all */
};

/* ---- the context ---- */

/* Whatever is wrong with a client's certificate: it is told apart later, by who wants one. Mail
 * servers have certificates of all kinds, and to refuse one would only make them send without. */
static int take_any_certificate(int is_good, X509_STORE_CTX *store)
{
    (void)is_good;
    (void)store;
    return 1;
}

/* The name is acknowledged whether or not there is a certificate for it (RFC 6066 section 3 leaves
 * it to the server): a client that minds sees which one it gets. */
static int take_any_name(SSL *ssl, int *alert, void *argument)
{
    (void)ssl;
    (void)alert;
    (void)argument;
    return SSL_TLSEXT_ERR_OK;
}

/* A session is resumed as what it was, and so where the same authorities were trusted: what
 * somebody no longer vouches for ends with the next reload. */
static bool set_context_name(const struct tls_server_settings *settings, SSL_CTX *context)
{
    const struct span name = settings->context_name;
    const STACK_OF(X509_OBJECT) *trusted = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context));
    uint8_t id[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool is_made = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                   EVP_DigestUpdate(digest, name.bytes, name.length) == 1;
    for (int i = 0; is_made && i < sk_X509_OBJECT_num(trusted); i++) {
        const X509 *certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(trusted, i));
        is_made = !certificate || (X509_digest(certificate, EVP_sha256(), id, &length) == 1 &&
                                   EVP_DigestUpdate(digest, id, length) == 1);
    }
    is_made = is_made && EVP_DigestFinal_ex(digest, id, &length) == 1 &&
              SSL_CTX_set_session_id_context(context, id, length) == 1;
    EVP_MD_CTX_free(digest);
    return is_made;
}

static void set_sessions(const struct tls_server_settings *settings, SSL_CTX *context)
{
    const int64_t lifetime_s = settings->session_lifetime_ms / 1000;
    /* Tickets hold all: the server keeps nothing, and every process can resume a session of any
     * other. */
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (lifetime_s <= 0)
        (void)SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    else
        (void)SSL_CTX_set_timeout(context, (long)lifetime_s);
    (void)SSL_CTX_set_num_tickets(context, lifetime_s <= 0 ? 0 : TICKETS_PER_HANDSHAKE);
}

/* Whoever cannot be read is not trusted, and mail comes in all the same. */
static void set_authorities(const struct tls_server_settings *settings, struct tls_server *server)
{
    char path[PATH_MAX_BYTES];
    SSL_CTX *context = server->context;
    const struct tls_authorities *authorities = &settings->authorities;
    if (tls_authorities_load(SSL_CTX_get_cert_store(context), authorities, server->problem))
        server->problem[0] = '\0';
    SSL_CTX_set_verify_depth(context, (int)settings->verify_depth);
    if (!settings->asks_certificate)
        return;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, take_any_certificate);
    /* The client is told whose certificates we know; it may choose by that. */
    if (!span_is_empty(authorities->file) &&
        snprintf(path, sizeof(path), "%.*s", SPAN_PRINTF(authorities->file)) < (int)sizeof(path))
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(path));
}

static bool set_digest(const struct tls_server_settings *settings, struct tls_server *server,
                       struct conf_error *error)
{
    char name[SHOWN_MAX_BYTES];
    (void)snprintf(name, sizeof(name), "%.*s", SPAN_PRINTF(settings->fingerprint_digest));
    server->digest = EVP_get_digestbyname(name);
    if (!server->digest)
        conf_error_set(error, "%s_fingerprint_digest: OpenSSL has no digest \"%s\"",
                       settings->common.name, name);
    return server->digest != NULL;
}

static bool set_up(const struct tls_server_settings *settings, struct tls_server *server,
                   struct conf_error *error)
{
    SSL_CTX *context = server->context;
    if (!tls_settings_apply(&settings->common, context, error) ||
        !set_digest(settings, server, error))
        return false;
    set_authorities(settings, server);
    set_sessions(settings, context);
    if (!set_context_name(settings, context)) {
        conf_error_set(error, "no memory for TLS");
        return false;
    }
    /* An idle session holds no buffers; what is to be written may move between two attempts. */
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read for a record instead of two; 11 of 126 calls of a message (measured). */
    (void)SSL_CTX_set_read_ahead(context, 1);
    (void)SSL_CTX_set_dh_auto(context, 1);
    (void)SSL_CTX_set_tlsext_servername_callback(context, take_any_name);
    if (settings->prefers_own_ciphers)
        (void)SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
    return true;
}

struct tls_server *tls_server_create(const struct tls_server_settings *settings,
                                     struct conf_error *error)
{
    struct tls_server *server = calloc(1, sizeof(*server));
    if (server)
        server->context = SSL_CTX_new(TLS_server_method());
    if (!server || !server->context)
        conf_error_set(error, "no memory for TLS");
    else if (set_up(settings, server, error)) {
        ERR_clear_error();
        return server;
    }
    ERR_clear_error();
    tls_server_destroy(&server);
    return NULL;
}

void tls_server_destroy(struct tls_server **server)
{
    if (!*server)
        return;
    SSL_CTX_free((*server)->context);
    free(*server);
    *server = NULL;
}

const char *tls_server_problem(const struct tls_server *server)
{
    return server->problem[0] ? server->problem : NULL;
}

SSL_CTX *tls_server_context(struct tls_server *server)
{
    return server->context;
}

/* ---- a handshake ---- */

bool tls_server_use_keys(struct tls_server *server, struct tls_keys *keys)
{
    server->keys = keys;
    return tls_keys_serve(keys, server->context, true);
}

/* keyd may be just starting: whoever comes in this moment is not to be served without TLS. */
static int key_status(struct tls_server *server)
{
    if (!server->keys)
        return SSL_CTX_get0_certificate(server->context) ? TLS_KEY_STATUS_FOUND
                                                         : TLS_KEY_STATUS_ABSENT;
    return tls_keys_await_status(server->keys, clock_deadline_after(KEYS_PATIENCE_MS));
}

bool tls_server_is_offered(struct tls_server *server)
{
    return key_status(server) != TLS_KEY_STATUS_ABSENT;
}

bool tls_server_is_ready(struct tls_server *server)
{
    const int status = key_status(server);
    return status == TLS_KEY_STATUS_FOUND || status == TLS_KEY_STATUS_REFUSED;
}

static enum stream_result shake_hands(struct tls_server *server, struct stream *stream,
                                      struct tls_handshake *handshake, bool *has_own_name)
{
    struct tls_keys_handshake signer;
    *has_own_name = false;
    if (!server->keys)
        return tls_stream_handshake(stream, handshake);
    tls_keys_handshake_begin(&signer, server->keys, handshake->ssl);
    handshake->waiter = &signer.waiter;
    const enum stream_result result = tls_stream_handshake(stream, handshake);
    *has_own_name = signer.chosen != NULL;
    tls_keys_handshake_end(&signer);
    return result;
}

/* ---- what there is to be known afterwards ---- */

/* As IANA's registry of supported groups has them; OpenSSL's names are others. */
static void read_group(SSL *ssl, struct tls_session *session)
{
    static const struct {
        int nid;
        const char *name;
    } names[] = {
        {NID_X9_62_prime256v1, "secp256r1"},
        {NID_secp384r1, "secp384r1"},
        {NID_secp521r1, "secp521r1"},
        {NID_X25519, "x25519"},
        {NID_X448, "x448"},
        {NID_ffdhe2048, "ffdhe2048"},
        {NID_ffdhe3072, "ffdhe3072"},
        {NID_ffdhe4096, "ffdhe4096"},
        {NID_ffdhe6144, "ffdhe6144"},
        {NID_ffdhe8192, "ffdhe8192"},
    };
    const int nid = (int)SSL_get_negotiated_group(ssl);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (names[i].nid == nid)
            (void)snprintf(session->group_name, sizeof(session->group_name), "%s", names[i].name);
}

static bool read_peer(const struct tls_server *server, SSL *ssl, struct tls_session *session)
{
    session->trust = LOG_TLS_ANONYMOUS;
    if (!SSL_get0_peer_certificate(ssl))
        return true;
    session->certificate = calloc(1, sizeof(*session->certificate));
    if (!session->certificate || !tls_certificate_read(ssl, server->digest, session->certificate))
        return false;
    session->trust = session->certificate->is_trusted ? LOG_TLS_TRUSTED : LOG_TLS_UNTRUSTED;
    return true;
}

void tls_session_forget_certificate(struct tls_session *session)
{
    free(session->certificate);
    session->certificate = NULL;
    session->trust = LOG_TLS_ANONYMOUS;
}

void tls_session_destroy(struct tls_session **session)
{
    if (!*session)
        return;
    free((*session)->certificate);
    free(*session);
    *session = NULL;
}

/* ---- both together ---- */

/* NULL when memory is out. */
static struct tls_session *make_session(const struct tls_server *server, SSL *ssl,
                                        bool has_own_name)
{
    struct tls_session *session = calloc(1, sizeof(*session));
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!session)
        return NULL;
    tls_facts_read(ssl, &session->facts);
    const char *cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
    (void)snprintf(session->cipher_name, sizeof(session->cipher_name), "%s", cipher ? cipher : "");
    if (has_own_name && name)
        (void)snprintf(session->server_name, sizeof(session->server_name), "%s", name);
    read_group(ssl, session);
    if (!read_peer(server, ssl, session))
        tls_session_destroy(&session);
    ERR_clear_error();
    return session;
}

static enum stream_result fail_for_memory(struct stream *stream, char reason[TLS_REASON_MAX_BYTES])
{
    stream->error = ENOMEM;
    (void)snprintf(reason, TLS_REASON_MAX_BYTES, "out of memory");
    ERR_clear_error();
    return STREAM_FAILED;
}

enum stream_result tls_server_accept(struct tls_server *server, struct stream *stream,
                                     int64_t deadline_ms, struct tls_session **session,
                                     char reason[TLS_REASON_MAX_BYTES])
{
    struct tls_handshake handshake = {.ssl = SSL_new(server->context), .deadline_ms = deadline_ms};
    bool has_own_name;
    *session = NULL;
    if (!handshake.ssl)
        return fail_for_memory(stream, reason);
    SSL_set_accept_state(handshake.ssl);
    const enum stream_result result = shake_hands(server, stream, &handshake, &has_own_name);
    (void)snprintf(reason, TLS_REASON_MAX_BYTES, "%s", handshake.reason);
    if (result != STREAM_OK)
        return result;
    *session = make_session(server, tls_stream_ssl(stream), has_own_name);
    return *session ? STREAM_OK : fail_for_memory(stream, reason);
}
