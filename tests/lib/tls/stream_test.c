/* tests/lib/tls - a TLS connection under a stream: two tasks and a socket pair. */
#include "../../test.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/stream.h"

enum { BULK_BYTES = 1000000, FLOOD_TICKETS = 2000 };

static struct loop *loop;
static SSL_CTX *server_context, *client_context;
static X509 *certificate;
static EVP_PKEY *key;
static int ends[2];
static int running_tasks;

static void make_key(void)
{
    key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    certificate = X509_new();
    assert_non_null(key);
    assert_non_null(certificate);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), 0));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
}

static int set_up(void **state)
{
    (void)state;
    loop = loop_create();
    server_context = SSL_CTX_new(TLS_server_method());
    client_context = SSL_CTX_new(TLS_client_method());
    make_key();
    assert_int_equal(SSL_CTX_use_certificate(server_context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server_context, key), 1);
    running_tasks = 0;
    return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static int tear_down(void **state)
{
    (void)state;
    loop_destroy(&loop);
    SSL_CTX_free(server_context);
    SSL_CTX_free(client_context);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static void run(void (*server)(void *), void (*client)(void *), void *server_argument)
{
    running_tasks = 2;
    assert_non_null(task_start(loop, "server", server, server_argument));
    assert_non_null(task_start(loop, "client", client, NULL));
    loop_run(loop);
}

static void end_task(struct stream *stream)
{
    stream_close(stream);
    if (--running_tasks == 0)
        loop_stop(loop);
}

static enum stream_result shake_hands(struct stream *stream, bool is_server,
                                      const struct tls_waiter *waiter,
                                      struct tls_handshake *handshake)
{
    SSL *ssl = SSL_new(is_server ? server_context : client_context);
    assert_non_null(ssl);
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    *handshake = (struct tls_handshake){
        .ssl = ssl, .waiter = waiter, .deadline_ms = clock_deadline_after(2000)};
    return tls_stream_handshake(stream, handshake);
}

/* ---- both ways, much of it, and the end ---- */

static void bulk_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    size_t count = 0;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    assert_int_equal(shake_hands(&stream, true, NULL, &handshake), STREAM_OK);
    assert_non_null(tls_stream_ssl(&stream));
    enum stream_result result;
    while ((result = stream_read(&stream, clock_deadline_after(2000))) == STREAM_OK) {
        const struct span input = stream_input(&stream);
        for (size_t i = 0; i < input.length; i++)
            assert_int_equal(input.bytes[i], (uint8_t)((count + i) % 251));
        count += input.length;
        stream_consume(&stream, input.length);
        if (count == BULK_BYTES) {
            stream_write(&stream, SPAN("all of it"));
            assert_int_equal(stream_flush(&stream, clock_deadline_after(2000)), STREAM_OK);
        }
    }
    assert_int_equal(result, STREAM_END);
    assert_int_equal(count, BULK_BYTES);
    end_task(&stream);
}

static void bulk_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    static uint8_t bytes[BULK_BYTES];
    (void)argument;
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i % 251);
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_OK);
    stream_write(&stream, span_of(bytes, sizeof(bytes)));
    assert_int_equal(stream_flush(&stream, clock_deadline_after(5000)), STREAM_OK);
    while (stream_input(&stream).length < 9)
        assert_int_equal(stream_read(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_true(span_equals(stream_input(&stream), SPAN("all of it")));
    end_task(&stream);
}

static void test_bulk(void **state)
{
    (void)state;
    run(bulk_server, bulk_client, NULL);
}

/* ---- what came before the handshake is gone ---- */

static void injected_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    assert_int_equal(stream_read(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_true(span_equals(stream_input(&stream), SPAN("MAIL FROM:<evil>\r\n")));
    stream_write(&stream, SPAN("220\r\n"));
    assert_int_equal(stream_flush(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_int_equal(shake_hands(&stream, true, NULL, &handshake), STREAM_OK);
    assert_int_equal(stream_input(&stream).length, 0);
    assert_int_equal(stream_read(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_true(span_equals(stream_input(&stream), SPAN("QUIT\r\n")));
    end_task(&stream);
}

static void injecting_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    stream_write(&stream, SPAN("MAIL FROM:<evil>\r\n"));
    assert_int_equal(stream_flush(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_int_equal(stream_read(&stream, clock_deadline_after(2000)), STREAM_OK);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_OK);
    stream_write(&stream, SPAN("QUIT\r\n"));
    assert_int_equal(stream_flush(&stream, clock_deadline_after(2000)), STREAM_OK);
    end_task(&stream);
}

static void test_nothing_injected_survives(void **state)
{
    (void)state;
    run(injected_server, injecting_client, NULL);
}

/* ---- who does not speak TLS, and who says nothing ---- */

static void failing_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    assert_int_equal(shake_hands(&stream, true, NULL, &handshake), STREAM_FAILED);
    assert_true(handshake.reason[0] != '\0');
    assert_null(handshake.ssl);
    assert_null(tls_stream_ssl(&stream));
    end_task(&stream);
}

static void babbling_client(void *argument)
{
    struct stream stream;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    stream_write(&stream, SPAN("EHLO this.is.no.client.hello\r\nMAIL FROM:<>\r\n"));
    assert_int_equal(stream_flush(&stream, clock_deadline_after(2000)), STREAM_OK);
    while (stream_read(&stream, clock_deadline_after(2000)) == STREAM_OK)
        stream_consume(&stream, stream_input(&stream).length);
    end_task(&stream);
}

static void leaving_client(void *argument)
{
    struct stream stream;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    end_task(&stream);
}

static void test_no_tls(void **state)
{
    (void)state;
    run(failing_server, babbling_client, NULL);
}

static void test_lost(void **state)
{
    (void)state;
    run(failing_server, leaving_client, NULL);
}

static void timing_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake = {.ssl = SSL_new(server_context),
                                      .deadline_ms = clock_deadline_after(20)};
    (void)argument;
    SSL_set_accept_state(handshake.ssl);
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    assert_int_equal(tls_stream_handshake(&stream, &handshake), STREAM_TIMED_OUT);
    end_task(&stream);
}

static void silent_client(void *argument)
{
    struct stream stream;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(stream_read(&stream, clock_deadline_after(2000)), STREAM_END);
    end_task(&stream);
}

static void test_silence(void **state)
{
    (void)state;
    run(timing_server, silent_client, NULL);
}

/* ---- messages of TLS without end ---- */

static void flooding_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(SSL_CTX_set_num_tickets(server_context, FLOOD_TICKETS), 1);
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    if (shake_hands(&stream, true, NULL, &handshake) == STREAM_OK) {
        stream_write(&stream, SPAN("250 it was nothing\r\n"));
        (void)!stream_flush(&stream, clock_deadline_after(2000));
    }
    end_task(&stream);
}

static bool is_gone(enum stream_result result)
{
    return result == STREAM_END || result == STREAM_FAILED;
}

static void flooded_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_OK);
    assert_true(is_gone(stream_read(&stream, clock_deadline_after(5000))));
    assert_true(is_gone(stream_read(&stream, clock_deadline_after(5000))));
    end_task(&stream);
}

static void test_tickets_without_end(void **state)
{
    (void)state;
    run(flooding_server, flooded_client, NULL);
}

static void turned_server(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    assert_int_equal(shake_hands(&stream, true, NULL, &handshake), STREAM_OK);
    enum stream_result result;
    while ((result = stream_read(&stream, clock_deadline_after(5000))) == STREAM_OK)
        stream_consume(&stream, stream_input(&stream).length);
    assert_true(is_gone(result));
    end_task(&stream);
}

/* New keys before each word: a thousand times is odd and no more, after that it is an attack. */
static void turning_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    size_t count = 0;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_OK);
    SSL *ssl = tls_stream_ssl(&stream);
    do {
        assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        stream_write(&stream, SPAN("NOOP\r\n"));
    } while (stream_flush(&stream, clock_deadline_after(5000)) == STREAM_OK && ++count < 100000);
    assert_true(count > 1000 && count < 100000);
    end_task(&stream);
}

static void test_keys_without_end(void **state)
{
    (void)state;
    run(turned_server, turning_client, NULL);
}

/* Records of TLS 1.2 by hand, since libssl sends no two ClientHellos in a row (RFC 5288 section 3).
 */
struct sealer {
    EVP_CIPHER_CTX *cipher;
    uint8_t keys[40]; /* key and salt of the client begin at 0 and 32 */
    uint64_t sequence;
};

enum { HELLO_RECORD_BYTES = 5 + 8 + 4 + 16 };

static void prepare(struct sealer *sealer, SSL *ssl)
{
    uint8_t secret[48], client[32], server[32];
    size_t length = sizeof(sealer->keys);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_id(EVP_PKEY_TLS1_PRF, NULL);
    (void)SSL_SESSION_get_master_key(SSL_get_session(ssl), secret, sizeof(secret));
    (void)SSL_get_client_random(ssl, client, sizeof(client));
    (void)SSL_get_server_random(ssl, server, sizeof(server));
    assert_int_equal(EVP_PKEY_derive_init(context), 1);
    assert_int_equal(EVP_PKEY_CTX_set_tls1_prf_md(context, EVP_sha256()), 1);
    assert_int_equal(EVP_PKEY_CTX_set1_tls1_prf_secret(context, secret, sizeof(secret)), 1);
    assert_int_equal(EVP_PKEY_CTX_add1_tls1_prf_seed(context, (const uint8_t *)"key expansion", 13),
                     1);
    assert_int_equal(EVP_PKEY_CTX_add1_tls1_prf_seed(context, server, sizeof(server)), 1);
    assert_int_equal(EVP_PKEY_CTX_add1_tls1_prf_seed(context, client, sizeof(client)), 1);
    assert_int_equal(EVP_PKEY_derive(context, sealer->keys, &length), 1);
    EVP_PKEY_CTX_free(context);
    sealer->cipher = EVP_CIPHER_CTX_new();
    sealer->sequence = 1; /* 0 was the Finished message */
}

/* An empty ClientHello. */
static void seal_hello(struct sealer *sealer, uint8_t record[HELLO_RECORD_BYTES])
{
    static const uint8_t hello[4] = {SSL3_MT_CLIENT_HELLO};
    uint8_t nonce[12], additional[13];
    int count;
    for (int i = 0; i < 8; i++)
        additional[i] = nonce[4 + i] = (uint8_t)(sealer->sequence >> (56 - 8 * i));
    sealer->sequence++;
    memcpy(nonce, sealer->keys + 32, 4);
    memcpy(additional + 8, (const uint8_t[]){SSL3_RT_HANDSHAKE, 3, 3, 0, sizeof(hello)}, 5);
    memcpy(record, (const uint8_t[]){SSL3_RT_HANDSHAKE, 3, 3, 0, HELLO_RECORD_BYTES - 5}, 5);
    memcpy(record + 5, nonce + 4, 8);
    (void)EVP_EncryptInit_ex(sealer->cipher, EVP_aes_128_gcm(), NULL, sealer->keys, nonce);
    (void)EVP_EncryptUpdate(sealer->cipher, NULL, &count, additional, sizeof(additional));
    (void)EVP_EncryptUpdate(sealer->cipher, record + 13, &count, hello, sizeof(hello));
    (void)EVP_EncryptFinal_ex(sealer->cipher, NULL, &count);
    (void)EVP_CIPHER_CTX_ctrl(sealer->cipher, EVP_CTRL_GCM_GET_TAG, 16, record + 17);
}

static void calling_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    struct sealer sealer;
    uint8_t record[HELLO_RECORD_BYTES], answers[512];
    size_t count = 0;
    bool is_open = true;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_OK);
    prepare(&sealer, tls_stream_ssl(&stream));
    for (; is_open && count < 100000; count++) {
        seal_hello(&sealer, record);
        ssize_t sent;
        while ((sent = send(ends[1], record, sizeof(record), MSG_DONTWAIT)) < 0 && errno == EAGAIN)
            task_yield();
        while (recv(ends[1], answers, sizeof(answers), MSG_DONTWAIT) > 0)
            continue;
        is_open = sent == (ssize_t)sizeof(record);
    }
    assert_true(count > 1000 && count < 100000);
    EVP_CIPHER_CTX_free(sealer.cipher);
    end_task(&stream);
}

static void test_handshakes_without_end(void **state)
{
    (void)state;
    SSL_CTX_set_options(server_context, SSL_OP_NO_RENEGOTIATION);
    assert_int_equal(SSL_CTX_set_max_proto_version(client_context, TLS1_2_VERSION), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(client_context, "ECDHE-ECDSA-AES128-GCM-SHA256"), 1);
    run(turned_server, calling_client, NULL);
}

/* Calls for a handshake, in the one that goes on (RFC 5246 section 7.4.1.1: they are ignored). */
static void babbling_server(void *argument)
{
    static const uint8_t record[5 + 16384] = {SSL3_RT_HANDSHAKE, 3, 3, 0x40, 0};
    size_t sent_bytes = 0;
    ssize_t sent;
    (void)argument;
    while (sent_bytes < 100 << 20) {
        while ((sent = send(ends[0], record, sizeof(record), MSG_DONTWAIT)) < 0 && errno == EAGAIN)
            task_yield();
        if (sent < 0)
            break;
        sent_bytes += (size_t)sent;
    }
    assert_true(sent_bytes < 100 << 20);
    (void)close(ends[0]);
    if (--running_tasks == 0)
        loop_stop(loop);
}

static void deafened_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    assert_int_equal(shake_hands(&stream, false, NULL, &handshake), STREAM_FAILED);
    end_task(&stream);
}

static void test_calls_in_a_handshake_without_end(void **state)
{
    (void)state;
    run(babbling_server, deafened_client, NULL);
}

/* ---- somebody else is waited for ---- */

struct helper {
    enum stream_result answer;
    int asked, waited;
    bool was_running;
};

static int ask_for_certificate(SSL *ssl, void *argument)
{
    struct helper *helper = argument;
    (void)ssl;
    helper->was_running = tls_stream_running() == helper;
    return ++helper->asked < 3 ? -1 : 1; /* later, please */
}

static enum stream_result help(void *context, SSL *ssl, int why, int64_t deadline_ms)
{
    struct helper *helper = context;
    (void)ssl;
    (void)deadline_ms;
    assert_int_equal(why, SSL_ERROR_WANT_X509_LOOKUP);
    assert_null(tls_stream_running());
    task_yield();
    helper->waited++;
    return helper->answer;
}

static void helped_server(void *argument)
{
    struct helper *helper = argument;
    const struct tls_waiter waiter = {help, helper};
    struct stream stream;
    struct tls_handshake handshake;
    assert_int_equal(stream_open(&stream, loop, ends[0]), 0);
    SSL_CTX_set_cert_cb(server_context, ask_for_certificate, helper);
    assert_int_equal(shake_hands(&stream, true, &waiter, &handshake), helper->answer);
    end_task(&stream);
}

static void plain_client(void *argument)
{
    struct stream stream;
    struct tls_handshake handshake;
    (void)argument;
    assert_int_equal(stream_open(&stream, loop, ends[1]), 0);
    (void)shake_hands(&stream, false, NULL, &handshake);
    end_task(&stream);
}

static void test_waits_for_others(void **state)
{
    (void)state;
    struct helper helper = {.answer = STREAM_OK};
    run(helped_server, plain_client, &helper);
    assert_int_equal(helper.waited, 2);
    assert_true(helper.was_running);
}

static void test_others_do_not_come(void **state)
{
    (void)state;
    struct helper helper = {.answer = STREAM_TIMED_OUT};
    run(helped_server, plain_client, &helper);
    assert_int_equal(helper.waited, 1);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* as every daemon does */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bulk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_injected_survives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_tls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tickets_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_handshakes_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_calls_in_a_handshake_without_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waits_for_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_others_do_not_come, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
