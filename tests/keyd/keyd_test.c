/* tests/keyd/keyd - keyd and its client in one process, around real handshakes. */
#include "../test.h"

#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "certificates.h"
#include "fixture.h"
#include "system/task.h"
#include "table/build.h"
#include "tls/keys.h"

enum { WAIT_MS = 15000 };

/* As a process of smtpd, or of smtp. */
struct speaker {
    struct tls_keys *keys;
    SSL_CTX *context;
};

static struct speaker smtpd, smtp;
static uint32_t next_process;

static const char *path_of(const char *name)
{
    static char paths[8][128];
    static size_t turn;
    char *path = paths[turn++ % ARRAY_LENGTH(paths)];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static bool is_logged(const char *text)
{
    const struct span lines = buffer_span(&logged.batch);
    return span_find(lines, span_from_string(text)) < lines.length;
}

static void join(struct speaker *speaker, enum ipc_role role, const char *service)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    const struct service_peer who = {
        .role = role, .service = span_from_string(service), .process_number = 1, .is_server = true};
    key_server_add_peer(&server, &who, ends[0]);
    tls_keys_add_peer(speaker->keys, ++next_process, ends[1]);
}

static void make_speaker(struct speaker *speaker, bool is_server)
{
    speaker->keys = tls_keys_create(loop);
    speaker->context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    assert_non_null(speaker->keys);
    assert_non_null(speaker->context);
    SSL_CTX_set_session_id_context(speaker->context, (const unsigned char *)"test", 4);
    assert_true(tls_keys_serve(speaker->keys, speaker->context, is_server));
}

static void end_speaker(struct speaker *speaker)
{
    tls_keys_destroy(&speaker->keys);
    SSL_CTX_free(speaker->context);
}

static void start(const char *smtpd_chains, const char *smtp_chains, const char *tables)
{
    fixture_start(smtpd_chains, smtp_chains, tables);
    make_speaker(&smtpd, true);
    make_speaker(&smtp, false);
    join(&smtpd, IPC_ROLE_SMTPD, "smtp");
    join(&smtp, IPC_ROLE_SMTP, "relay");
}

static int set_up(void **state)
{
    next_process = 0;
    return fixture_set_up(state);
}

static int tear_down(void **state)
{
    end_speaker(&smtpd);
    end_speaker(&smtp);
    return fixture_tear_down(state);
}

/* ---- a handshake in two tasks ---- */

struct shaking {
    struct speaker *server;
    struct speaker *client;
    const char *name;     /* that the client asks for */
    SSL_SESSION *session; /* that it resumes */
    int version;
    const char *algorithms; /* that the client has signed with */
    /* What became of it. */
    enum stream_result server_result, client_result;
    char server_reason[TLS_REASON_MAX_BYTES];
    char subject[100]; /* of the certificate that the client saw */
    char client_subject[100];
    bool is_resumed;
    int ends[2];
    int running;
};

static void note_subject(X509 *certificate, char subject[100])
{
    if (certificate)
        (void)X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, subject,
                                        100);
    X509_free(certificate);
}

static size_t shaking_count; /* at once */

static void end_task(struct shaking *shaking, struct stream *stream)
{
    stream_close(stream);
    if (--shaking->running == 0 && --shaking_count == 0)
        loop_stop(loop);
}

static enum stream_result shake(struct speaker *speaker, struct stream *stream, SSL *ssl,
                                char reason[TLS_REASON_MAX_BYTES])
{
    struct tls_keys_handshake signer;
    tls_keys_handshake_begin(&signer, speaker->keys, ssl);
    struct tls_handshake handshake = {
        .ssl = ssl, .waiter = &signer.waiter, .deadline_ms = clock_deadline_after(WAIT_MS)};
    const enum stream_result result = tls_stream_handshake(stream, &handshake);
    if (reason)
        memcpy(reason, handshake.reason, TLS_REASON_MAX_BYTES);
    tls_keys_handshake_end(&signer);
    return result;
}

static void serve_one(void *argument)
{
    struct shaking *shaking = argument;
    struct stream stream;
    assert_int_equal(stream_open(&stream, loop, shaking->ends[0]), 0);
    (void)!tls_keys_await_status(shaking->server->keys, clock_deadline_after(WAIT_MS));
    SSL *ssl = SSL_new(shaking->server->context);
    assert_non_null(ssl);
    SSL_set_accept_state(ssl);
    if (shaking->client_subject[0])
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    shaking->server_result = shake(shaking->server, &stream, ssl, shaking->server_reason);
    if (shaking->server_result == STREAM_OK) {
        ssl = tls_stream_ssl(&stream);
        shaking->is_resumed = SSL_session_reused(ssl) == 1;
        note_subject(SSL_get1_peer_certificate(ssl), shaking->client_subject);
        stream_write(&stream, SPAN("220 ready\r\n"));
        assert_int_equal(stream_flush(&stream, clock_deadline_after(WAIT_MS)), STREAM_OK);
        (void)!stream_read(&stream, clock_deadline_after(WAIT_MS));
    }
    end_task(shaking, &stream);
}

static int accept_any(X509_STORE_CTX *store, void *context)
{
    (void)store;
    (void)context;
    return 1;
}

static void call_one(void *argument)
{
    struct shaking *shaking = argument;
    struct stream stream;
    assert_int_equal(stream_open(&stream, loop, shaking->ends[1]), 0);
    (void)!tls_keys_await_status(shaking->client->keys, clock_deadline_after(WAIT_MS));
    SSL *ssl = SSL_new(shaking->client->context);
    assert_non_null(ssl);
    SSL_set_connect_state(ssl);
    char text[256]; /* libssl's macros cast constness away */
    if (shaking->name) {
        (void)snprintf(text, sizeof(text), "%s", shaking->name);
        assert_int_equal(SSL_set_tlsext_host_name(ssl, text), 1);
    }
    if (shaking->session)
        assert_int_equal(SSL_set_session(ssl, shaking->session), 1);
    if (shaking->version) {
        assert_int_equal(SSL_set_max_proto_version(ssl, shaking->version), 1);
        assert_int_equal(SSL_set_min_proto_version(ssl, shaking->version), 1);
    }
    if (shaking->algorithms) {
        (void)snprintf(text, sizeof(text), "%s", shaking->algorithms);
        assert_int_equal(SSL_set1_sigalgs_list(ssl, text), 1);
    }
    SSL_SESSION_free(shaking->session);
    shaking->session = NULL;
    shaking->client_result = shake(shaking->client, &stream, ssl, NULL);
    if (shaking->client_result == STREAM_OK &&
        stream_read(&stream, clock_deadline_after(WAIT_MS)) == STREAM_OK) {
        ssl = tls_stream_ssl(&stream);
        note_subject(SSL_get1_peer_certificate(ssl), shaking->subject);
        shaking->session = SSL_get1_session(ssl);
    }
    end_task(shaking, &stream);
}

static void begin_to_shake(struct shaking *shaking)
{
    shaking_count++;
    shaking->running = 2;
    if (!shaking->server)
        shaking->server = &smtpd;
    if (!shaking->client)
        shaking->client = &smtp;
    SSL_CTX_set_cert_verify_callback(shaking->client->context, accept_any, NULL);
    SSL_CTX_set_cert_verify_callback(shaking->server->context, accept_any, NULL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, shaking->ends), 0);
    assert_non_null(task_start(loop, "server", serve_one, shaking));
    assert_non_null(task_start(loop, "client", call_one, shaking));
}

static void shake_hands(struct shaking *shaking)
{
    begin_to_shake(shaking);
    loop_run(loop);
}

static void assert_shaken(const char *row, struct shaking *shaking, const char *subject)
{
    shake_hands(shaking);
    if (shaking->server_result != STREAM_OK || shaking->client_result != STREAM_OK)
        fail_msg("%s: server %d (%s), client %d", row, shaking->server_result,
                 shaking->server_reason, shaking->client_result);
    assert_string_equal(shaking->subject, subject);
    SSL_SESSION_free(shaking->session);
    shaking->session = NULL;
}

/* ---- every kind of key, both ends, both versions ---- */

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        int version;
        const char *algorithms;
    } rows[] = {
        {"RSA", TLS1_3_VERSION, NULL},         {"RSA", TLS1_2_VERSION, NULL},
        {"RSA", TLS1_2_VERSION, "RSA+SHA256"}, {"RSA", TLS1_2_VERSION, "RSA-PSS+SHA384"},
        {"P-256", TLS1_3_VERSION, NULL},       {"P-256", TLS1_2_VERSION, NULL},
        {"P-384", TLS1_3_VERSION, NULL},       {"P-521", TLS1_2_VERSION, NULL},
        {"ED25519", TLS1_3_VERSION, NULL},     {"ED25519", TLS1_2_VERSION, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char row[100], name[32];
        (void)snprintf(row, sizeof(row), "%s %x %s", rows[i].kind, (unsigned)rows[i].version,
                       rows[i].algorithms ? rows[i].algorithms : "");
        (void)snprintf(name, sizeof(name), "chain%zu", i);
        write_chain(path_of(name), rows[i].kind, "server.example.org");
        (void)snprintf(name, sizeof(name), "client%zu", i);
        write_chain(path_of(name), rows[i].kind, "client.example.org");
        char chains[2][128];
        (void)snprintf(chains[0], sizeof(chains[0]), "%s/chain%zu", directory, i);
        (void)snprintf(chains[1], sizeof(chains[1]), "%s/client%zu", directory, i);
        start(chains[0], chains[1], "");
        struct shaking shaking = {.version = rows[i].version,
                                  .algorithms = rows[i].algorithms,
                                  .client_subject = "wanted"};
        assert_shaken(row, &shaking, "server.example.org");
        assert_string_equal(shaking.client_subject, "client.example.org");
        assert_int_equal(logged.batch.length, 0);
        if (i + 1 < ARRAY_LENGTH(rows)) {
            (void)tear_down(NULL);
            (void)set_up(NULL);
        }
    }
}

static void test_several(void **state)
{
    (void)state;
    write_chain(path_of("both"), "RSA", "rsa.example.org");
    write_chain(path_of("both"), "P-256", "ec.example.org");
    start(path_of("both"), "none", "");
    struct shaking any = {.version = 0},
                   old = {.version = TLS1_2_VERSION, .algorithms = "RSA+SHA256"};
    assert_shaken("prefers", &any, "ec.example.org");
    assert_shaken("cannot ECDSA", &old, "rsa.example.org");
    assert_int_equal(tls_keys_status(smtp.keys), TLS_KEY_STATUS_REFUSED);
    assert_int_equal(logged.batch.length, 0);
}

/* ---- names ---- */

static void build_table(const char *path, const char *key, const char *file)
{
    struct buffer error, value;
    struct arena arena;
    struct span content;
    static uint8_t bytes[16384];
    FILE *stream = fopen(file, "r");
    assert_non_null(stream);
    content = span_of(bytes, fread(bytes, 1, sizeof(bytes), stream));
    assert_int_equal(fclose(stream), 0);
    arena_init(&arena, 1 << 20, 0);
    buffer_init(&value, &arena, 65536);
    buffer_init(&error, &arena, 1000);
    base64_encode(content, &value);
    struct table_build *build = table_build_begin(TABLE_BUILD_HASH, path, 0, 0600, &error);
    assert_non_null(build);
    assert_int_equal(table_build_add(build, span_from_string(key), buffer_span(&value)),
                     TABLE_BUILD_ADDED);
    assert_int_equal(table_build_add(build, SPAN("broken.example"), SPAN("no base64")),
                     TABLE_BUILD_ADDED);
    assert_true(table_build_commit(&build, &error));
    arena_destroy(&arena);
}

static void test_names(void **state)
{
    (void)state;
    char tables[400];
    write_chain(path_of("own"), "P-256", "own");
    write_chain(path_of("one"), "P-256", "one");
    write_chain(path_of("two"), "RSA", "two");
    write_chain(path_of("two"), "P-256", "two");
    build_table(path_of("table"), ".two.example", path_of("two"));
    (void)snprintf(tables, sizeof(tables), "inline:{{one.example=%s}}, hash:%s/table",
                   path_of("one"), directory);
    start(path_of("own"), "", tables);
    /* The table stays what it is, whatever becomes of its file. */
    assert_int_equal(unlink(path_of("table.db")), 0);
    static const struct {
        const char *name;
        const char *subject;
    } rows[] = {
        {NULL, "own"},
        {"one.example", "one"},
        {"ONE.Example", "one"},
        {"a.two.example", "two"},
        {"b.a.two.example", "two"},
        {"two.example", "own"},
        {"unknown.example", "own"},
        {"a.two.example", "two"},
        {"unknown.example", "own"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct shaking shaking = {.name = rows[i].name};
        assert_shaken(rows[i].name ? rows[i].name : "no name", &shaking, rows[i].subject);
    }
    assert_int_equal(logged.batch.length, 0);
    struct shaking broken = {.name = "broken.example"};
    shake_hands(&broken);
    assert_int_equal(broken.server_result, STREAM_FAILED);
    assert_true(is_logged("malformed BASE64"));
    assert_int_equal(tls_keys_status(smtp.keys), TLS_KEY_STATUS_ABSENT);
}

/* ---- tickets ---- */

static void test_tickets(void **state)
{
    (void)state;
    struct speaker other;
    write_chain(path_of("own"), "P-256", "own");
    start(path_of("own"), "", "");
    make_speaker(&other, true);
    join(&other, IPC_ROLE_SMTPD, "smtp");
    struct shaking shaking = {.server = &smtpd};
    shake_hands(&shaking);
    assert_false(shaking.is_resumed);
    assert_non_null(shaking.session);
    shaking.server = &other; /* another process */
    shake_hands(&shaking);
    assert_true(shaking.is_resumed);
    key_server_change_tickets(&server);
    shake_hands(&shaking);
    assert_true(shaking.is_resumed); /* the previous key opens it */
    SSL_SESSION_free(shaking.session);
    end_speaker(&other);
}

/* ---- no keyd ---- */

static void come_back(void *argument)
{
    (void)argument;
    (void)task_sleep(50);
    join(&smtpd, IPC_ROLE_SMTPD, "smtp");
}

static void test_keyd_restarts(void **state)
{
    (void)state;
    write_chain(path_of("own"), "P-256", "own");
    start(path_of("own"), "", "");
    struct shaking first = {.name = NULL}, second = {.name = NULL};
    assert_shaken("with keyd", &first, "own");
    key_server_end(&server);
    key_server_init(&server, loop, &logged, &vault, 3600000);
    assert_non_null(task_start(loop, "keyd", come_back, NULL));
    assert_shaken("keyd is back", &second, "own");
}

/* More handshakes wait for a signature than there are stacks for. */
static void test_many(void **state)
{
    enum { MANY = 400 };
    (void)state;
    static struct shaking all[MANY];
    const struct rlimit limit = {4096, 4096};
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* or it is enough already */
    write_chain(path_of("own"), "P-256", "own");
    start(path_of("own"), "", "");
    struct shaking first = {.name = NULL};
    assert_shaken("with keyd", &first, "own");
    key_server_end(&server);
    key_server_init(&server, loop, &logged, &vault, 3600000);
    for (size_t i = 0; i < MANY; i++) {
        all[i] = (struct shaking){.name = NULL};
        begin_to_shake(&all[i]);
    }
    assert_non_null(task_start(loop, "keyd", come_back, NULL));
    loop_run(loop);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(all[i].server_result, STREAM_OK);
        assert_string_equal(all[i].subject, "own");
        SSL_SESSION_free(all[i].session);
    }
}

/* One of two keyds has read files that are broken by now. */
static void test_one_of_two(void **state)
{
    (void)state;
    struct vault empty;
    struct conf_keyd conf;
    static struct key_server other;
    int ends[2];
    write_chain(path_of("own"), "P-256", "own");
    start(path_of("own"), "", "");
    memset(&conf, 0, sizeof(conf));
    conf.smtpd_tls_chain_files = fixture_setting("smtp", path_of("absent"));
    assert_true(vault_load(&empty, &conf, &logged, NULL));
    key_server_init(&other, loop, &logged, &empty, 3600000);
    struct shaking first = {.name = NULL};
    assert_shaken("one", &first, "own");
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    const struct service_peer who = {.role = IPC_ROLE_SMTPD, .service = SPAN("smtp")};
    key_server_add_peer(&other, &who, ends[0]);
    tls_keys_add_peer(smtpd.keys, ++next_process, ends[1]);
    for (size_t i = 0; i < 4; i++) {
        struct shaking shaking = {.name = NULL};
        assert_shaken("two", &shaking, "own");
    }
    assert_int_equal(tls_keys_status(smtpd.keys), TLS_KEY_STATUS_FOUND);
    key_server_end(&other);
    vault_destroy(&empty);
}

static void test_reminder(void **state)
{
    (void)state;
    enum { DAY_S = 86400 };
    const time_t now = time(NULL);
    write_chain(path_of("own"), "P-256", "own"); /* for thirty days */
    start(path_of("own"), "", "");
    vault_remind(&vault, now + 22 * DAY_S);
    assert_int_equal(logged.batch.length, 0);
    vault_remind(&vault, now + 24 * DAY_S);
    assert_true(is_logged("service smtp: the certificate \"own\", good until 20"));
}

static void test_no_key(void **state)
{
    (void)state;
    start(path_of("absent"), "", "");
    struct shaking shaking = {.name = NULL};
    shake_hands(&shaking);
    assert_int_equal(shaking.server_result, STREAM_FAILED);
    assert_int_equal(tls_keys_status(smtpd.keys), TLS_KEY_STATUS_BROKEN);
    assert_true(is_logged("smtpd_tls_chain_files: open "));
    assert_true(is_logged("No such file or directory"));
}

/* ---- what keyd refuses ---- */

struct asking {
    struct ipc_channel *channel;
    struct ipc_key_sign question;
    bool is_signed;
};

static void ask_to_sign(void *argument)
{
    struct asking *asking = argument;
    struct ipc_key_sign_reply reply;
    struct arena arena;
    arena_init(&arena, 4096, 0);
    assert_int_equal(ipc_channel_call(asking->channel, IPC_KEY_SIGN, &asking->question,
                                      IPC_KEY_SIGN_REPLY, &reply, &arena,
                                      clock_deadline_after(WAIT_MS)),
                     IPC_CALL_OK);
    asking->is_signed = !span_is_empty(reply.signature);
    arena_destroy(&arena);
    loop_stop(loop);
}

static void on_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                       void *context)
{
    (void)channel;
    (void)delivery;
    (void)context;
}

static void on_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    (void)channel;
    (void)reason;
    (void)context;
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct ipc_permission permissions[] = {
        {IPC_KEY_TICKETS, IPC_ROLE_BIT(IPC_ROLE_KEYD)}, {0, 0}};
    static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};
    static const struct {
        const char *name;
        bool is_for_client;
        uint16_t scheme;
        size_t hash_length;
        bool has_other_key;
        const char *service;
        bool is_signed;
    } rows[] = {
        {"a server's", false, 0x0403, 32, false, "smtp", true},
        {"a client's", true, 0x0403, 32, false, "smtp", false},
        {"too short", false, 0x0403, 31, false, "smtp", false},
        {"hash of another curve", false, 0x0503, 32, false, "smtp", false},
        {"PKCS #1 in TLS 1.3", false, 0x0401, 32, false, "smtp", false},
        {"PSS with an EC key", false, 0x0804, 32, false, "smtp", false},
        {"no such scheme", false, 0x0203, 32, false, "smtp", false},
        {"another service's key", false, 0x0403, 32, true, "smtp", false},
        {"a service without keys", false, 0x0403, 32, false, "submission", false},
    };
    write_chain(path_of("own"), "P-256", "own");
    write_chain(path_of("client"), "P-256", "client");
    start(path_of("own"), path_of("client"), "");
    const struct vault_service *own = vault_find_service(&vault, IPC_ROLE_SMTPD, SPAN("smtp"));
    const struct vault_service *other = vault_find_service(&vault, IPC_ROLE_SMTP, SPAN("relay"));
    assert_non_null(own);
    assert_non_null(other);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int ends[2];
        uint8_t input[64 + 33 + 1 + 32];
        memset(input, ' ', 64);
        memcpy(input + 64,
               rows[i].is_for_client ? "TLS 1.3, client CertificateVerify"
                                     : "TLS 1.3, server CertificateVerify",
               34);
        memset(input + 98, 'h', 32);
        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        const struct service_peer who = {.role = IPC_ROLE_SMTPD,
                                         .service = span_from_string(rows[i].service)};
        key_server_add_peer(&server, &who, ends[0]);
        const struct vault_service *owner = rows[i].has_other_key ? other : own;
        struct asking asking = {
            .channel = ipc_channel_create(loop, ends[1], IPC_ROLE_KEYD, &handlers, NULL),
            .question = {.key = span_of(owner->own->chains.items[0].digest, 32),
                         .scheme = rows[i].scheme,
                         .input = span_of(input, 98 + rows[i].hash_length)}};
        assert_non_null(asking.channel);
        assert_non_null(task_start(loop, "asking", ask_to_sign, &asking));
        loop_run(loop);
        if (asking.is_signed != rows[i].is_signed)
            fail_msg("%s: signed: %d", rows[i].name, asking.is_signed);
        assert_int_equal(is_logged("keyd.refused"), !rows[i].is_signed || i > 0);
        ipc_channel_destroy(&asking.channel);
    }
}

/* ---- everything else stays with libcrypto's own provider ---- */

static void test_other_keys(void **state)
{
    (void)state;
    start("", "", "");
    static const char *const kinds[] = {"RSA", "P-256", "ED25519"};
    for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
        EVP_PKEY *key = make_key(kinds[i]);
        X509 *certificate = make_certificate(key, "x", 100);
        assert_int_equal(X509_verify(certificate, key), 1);
        EVP_PKEY *kept = tls_provider_key(key);
        assert_non_null(kept);
        assert_int_equal(X509_check_private_key(certificate, kept), 1);
        assert_int_equal(EVP_PKEY_eq(key, kept), 1);
        assert_int_equal(EVP_PKEY_get_bits(key), EVP_PKEY_get_bits(kept));
        EVP_PKEY *another = make_key(kinds[i]);
        assert_int_equal(EVP_PKEY_eq(another, kept), 0);
        EVP_PKEY_free(another);
        EVP_PKEY_free(kept);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_several, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tickets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keyd_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_of_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reminder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_keys, set_up, tear_down),
    };
    if (!tls_keys_prepare())
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
