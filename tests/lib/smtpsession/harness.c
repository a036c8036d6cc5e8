/* tests/lib/smtpsession/harness - see harness.h. */
#include "harness.h"

#include <netinet/in.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf/instance.h"
#include "queuefile/id.h"
#include "queuefile/preamble.h"
#include "smtpserver/settings.h"
#include "smtpserver/tls.h"
#include "tls/server.h"

enum {
    HARNESS_ARENA_BYTES = 256 << 20,
    HARNESS_LOG_BYTES = 1 << 20,
    HARNESS_POLL_MS = 5,
    HARNESS_SPARE_GRANTS = 4
};

bool harness_withholds_keys;

/* ---- a queue manager that takes everything ---- */

struct stored_file {
    char queue_id[QUEUE_ID_MAX_BYTES + 1];
    int descriptor; /* a duplicate of what was granted */
};
static struct stored_file stored_files[4096];
static size_t stored_file_count;

static void grant_one(struct harness *harness)
{
    assert_true(stored_file_count < ARRAY_LENGTH(stored_files));
    struct stored_file *file = &stored_files[stored_file_count++];
    uint8_t random[QUEUE_ID_RANDOM_BYTES] = {0};
    random[0] = (uint8_t)(stored_file_count >> 8);
    random[1] = (uint8_t)stored_file_count;
    (void)queue_id_make(UINT64_C(1795312111000000), random, file->queue_id);
    const int granted = memfd_create("message", MFD_CLOEXEC);
    file->descriptor = dup(granted);
    assert_true(granted >= 0 && file->descriptor >= 0);
    const struct ipc_queue_grant grant = {.queue_id = span_from_string(file->queue_id),
                                          .content = granted};
    assert_true(ipc_channel_send(harness->qmgr, IPC_QUEUE_GRANT, &grant));
    harness->granted_count++;
}

static int stored_descriptor(struct span queue_id)
{
    for (size_t i = 0; i < stored_file_count; i++)
        if (span_equals(queue_id, span_from_string(stored_files[i].queue_id)))
            return stored_files[i].descriptor;
    fail_msg("no id %.*s was granted", SPAN_PRINTF(queue_id));
    return -1;
}

static void store_message(struct harness *harness, const struct ipc_queue_commit *commit)
{
    struct queue_extent extents[QUEUE_EXTENT_MAX];
    size_t count;
    struct buffer content;
    const int descriptor = stored_descriptor(commit->queue_id);
    assert_true(harness->message_count < HARNESS_MESSAGES_MAX);
    struct harness_message *message = &harness->messages[harness->message_count++];
    assert_int_equal(queue_extents_decode(commit->extents, extents, &count), PARSE_OK);
    buffer_init(&content, &harness->arena, 64 << 20);
    for (size_t i = 0; i < count; i++) {
        uint8_t *room = buffer_reserve(&content, extents[i].length);
        assert_non_null(room);
        assert_int_equal(pread(descriptor, room, extents[i].length, (off_t)extents[i].offset),
                         extents[i].length);
        buffer_extend(&content, extents[i].length);
    }
    message->content = buffer_span(&content);
    const struct span envelope = arena_copy(&harness->arena, commit->envelope);
    assert_int_equal(queue_envelope_decode(envelope, 10000, &harness->arena, &message->envelope),
                     PARSE_OK);
    assert_int_equal(message->envelope.facts.size_bytes, message->content.length);
}

static void serve_queue(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                        void *context)
{
    struct harness *harness = context;
    if (delivery->type == IPC_QUEUE_WANT) {
        const struct ipc_queue_want *want = delivery->message;
        for (uint32_t i = 0; i < want->count && harness->granted_count < 2 * want->count; i++)
            grant_one(harness);
    } else if (delivery->type == IPC_QUEUE_FLUSH) {
        const struct ipc_queue_flush *flush = delivery->message;
        const struct ipc_queue_flush_reply reply = {
            span_equals(flush->site, SPAN("busy.flush.test")) ? outcome_temporary(458, 3, 0, "busy")
                                                              : outcome_ok()};
        assert_true(ipc_channel_reply(channel, delivery->id, IPC_QUEUE_FLUSH_REPLY, &reply));
    } else if (delivery->type == IPC_QUEUE_ABANDON) {
        harness->abandoned_count++;
        grant_one(harness);
    } else if (delivery->type == IPC_QUEUE_COMMIT && !harness->is_qmgr_silent) {
        const struct ipc_queue_commit_reply reply = {harness->commit_outcome};
        if (outcome_is_ok(&reply.outcome))
            store_message(harness, delivery->message);
        assert_true(ipc_channel_reply(channel, delivery->id, IPC_QUEUE_COMMIT_REPLY, &reply));
        grant_one(harness);
    }
}

static void note_queue_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct harness *harness = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&harness->qmgr);
}

static const struct ipc_permission queue_permissions[] = {
    {IPC_QUEUE_WANT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_RECIPIENTS, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_COMMIT, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_ABANDON, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {IPC_QUEUE_FLUSH, IPC_ROLE_BIT(IPC_ROLE_SMTPD)},
    {0, 0},
};
static const struct ipc_channel_handlers queue_handlers = {serve_queue, note_queue_closed,
                                                           queue_permissions};

static void begin_queue(struct harness *harness)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    harness->qmgr =
        ipc_channel_create(harness->loop, ends[0], IPC_ROLE_SMTPD, &queue_handlers, harness);
    assert_non_null(harness->qmgr);
    harness->commit_outcome = outcome_ok();
    intake_init(&harness->intake, harness->loop, HARNESS_SPARE_GRANTS);
    intake_attach(&harness->intake, ends[1]);
    const struct ipc_queue_state state = {outcome_ok(), 1 << 30};
    assert_true(ipc_channel_send(harness->qmgr, IPC_QUEUE_STATE, &state));
}

/* ---- a word on recipients: you@ and friend@here.test exist; elsewhere anybody ---- */

static struct span name_client(void *context, const struct ip_address *address, struct arena *arena)
{
    (void)context;
    (void)arena;
    return address->bytes[0] == 127 ? SPAN("localhost") : span_empty();
}

static void check_recipient(void *context, struct addr_ahead *ahead UNUSED, struct span sender,
                            const struct mailbox *recipient, bool is_first, struct arena *arena,
                            struct smtpsession_verdict *verdict)
{
    (void)is_first;
    (void)context;
    (void)sender;
    const struct span local_part = recipient->local_part;
    *verdict = (struct smtpsession_verdict){
        .outcome = outcome_ok(), .listed = outcome_ok(), .recipient = recipient->text};
    if (recipient->domain.length == 0) {
        verdict->recipient = arena_format(arena, "%.*s@here.test", SPAN_PRINTF(recipient->text));
        verdict->is_ours = true;
        return;
    }
    verdict->is_ours = address_domain_equals(recipient->domain, SPAN("here.test"));
    if (!verdict->is_ours || span_equals(local_part, SPAN("you")) ||
        span_equals(local_part, SPAN("friend")) || span_starts_with(local_part, SPAN("user")))
        return;
    if (span_equals(local_part, SPAN("away")))
        verdict->outcome = outcome_temporary(451, 3, 0, "Temporary lookup failure");
    else
        verdict->outcome = outcome_permanent(
            550, 1, 1, "Recipient address rejected: User unknown in virtual mailbox table");
    verdict->listed = verdict->outcome;
}

/* Whoever is called "unverified" takes no mail, and of "unsure" nobody can say. */
static void verify_address(void *context, struct span address, struct arena *arena,
                           struct outcome *outcome)
{
    (void)context;
    (void)arena;
    *outcome = span_starts_with(address, SPAN("unverified@"))
                   ? outcome_permanent(550, 1, 1, "no such user")
               : span_starts_with(address, SPAN("unsure@"))
                   ? outcome_temporary(450, 1, 1, "Address verification in progress")
                   : outcome_ok();
}

/* ---- the life of a harness ---- */

X509 *harness_certificate(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *certificate = X509_new();
    X509_NAME *subject = X509_NAME_new();
    assert_non_null(key);
    assert_non_null(certificate);
    assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
    assert_int_equal(X509_set_subject_name(certificate, subject), 1);
    assert_int_equal(
        X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    if (!issuer) {
        X509_EXTENSION *extension =
            X509V3_EXT_conf_nid(NULL, NULL, NID_basic_constraints, "critical,CA:TRUE");
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
    }
    assert_true(X509_sign(certificate, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
    X509_NAME_free(subject);
    return certificate;
}

/* A certificate for mx.here.test, and its key. */
static void give_keys(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509 *certificate = harness_certificate("mx.here.test", key, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate(context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void run_body(void *argument)
{
    struct harness *harness = argument;
    harness->body(harness, harness->argument);
    harness_wait_for_end(harness);
    loop_stop(harness->loop);
}

void harness_run(const char *main_text, void (*body)(struct harness *harness, void *argument),
                 void *argument)
{
    struct harness *harness = calloc(1, sizeof(*harness));
    struct smtpsession_settings settings;
    struct conf_error error;
    assert_non_null(harness);
    harness->body = body;
    harness->argument = argument;
    arena_init(&harness->arena, HARNESS_ARENA_BYTES, 0);
    const struct span text = arena_format(&harness->arena,
                                          "myhostname = mx.here.test\nmynetworks = 127.0.0.0/8\n"
                                          "smtpd_peername_lookup = no\n"
                                          /* Clients here are on the loopback network. */
                                          "smtpd_forbid_bare_newline_exclusions =\n"
                                          "local_header_rewrite_clients =\n"
                                          "smtpd_relay_restrictions = permit_mynetworks, "
                                          "reject_unauth_destination\n%s",
                                          main_text);
    const char *string = arena_string(&harness->arena, text);
    assert_non_null(string);
    if (!conf_test_settings(&conf_part_smtpd, string, &harness->arena, &harness->conf, &error))
        fail_msg("%s", error.text);
    if (!smtpserver_settings_make(&harness->conf, &harness->arena, &settings, &error))
        fail_msg("%s", error.text);
    struct buffer reason;
    buffer_init(&reason, &harness->arena, 4096);
    harness->flush_domains = client_list_open(harness->conf.fast_flush_domains, &reason);
    assert_non_null(harness->flush_domains);
    settings.flush_domains = harness->flush_domains;
    if (!smtpserver_tables_open(&harness->conf, &harness->arena, &harness->tables, &error))
        fail_msg("%s", error.text);
    smtpserver_tables_use(&harness->tables, &settings);
    if (!smtpserver_tls_create(&harness->conf, SPAN("smtp"), &harness->tls, &error))
        fail_msg("%s", error.text);
    if (harness->tls && !harness_withholds_keys)
        give_keys(tls_server_context(harness->tls));
    smtpserver_tls_use(&harness->conf, harness->tls, &settings);
    maillog_init(&harness->log, HARNESS_LOG_BYTES, NULL, NULL);
    harness->loop = loop_create();
    assert_non_null(harness->loop);
    begin_queue(harness);
    const struct smtpsession_backend backend = {
        .context = harness,
        .find_client_name = name_client,
        .check_recipient = check_recipient,
        .verify_address = verify_address,
    };
    smtpsession_service_init(&harness->service, harness->loop, &harness->log, &harness->intake,
                             &settings, &backend);
    assert_non_null(task_start(harness->loop, "test", run_body, harness));
    loop_run(harness->loop);
    intake_destroy(&harness->intake);
    if (harness->qmgr)
        ipc_channel_destroy(&harness->qmgr);
    loop_destroy(&harness->loop);
    maillog_release(&harness->log);
    for (size_t i = 0; i < stored_file_count; i++)
        (void)close(stored_files[i].descriptor);
    stored_file_count = 0;
    client_list_close(&harness->flush_domains);
    smtpserver_tables_close(&harness->tables);
    tls_server_destroy(&harness->tls);
    arena_destroy(&harness->arena);
    free(harness);
}

void harness_wait_for_end(struct harness *harness)
{
    const int64_t deadline = clock_deadline_after(HARNESS_PATIENCE_MS);
    while (!list_is_empty(&harness->service.sessions)) {
        if (clock_monotonic_ms() > deadline)
            fail_msg("%zu sessions do not end", harness->service.sessions.count);
        (void)task_sleep(HARNESS_POLL_MS);
    }
}

/* ---- clients ---- */

void harness_connect(struct harness *harness, struct harness_client *client, const char *address)
{
    int ends[2];
    struct ip_address parsed;
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    assert_true(ip_address_parse(span_from_string(address), &parsed));
    if (parsed.family == IP_FAMILY_4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(4711)};
        memcpy(&in.sin_addr, parsed.bytes, 4);
        memcpy(&peer, &in, sizeof(in));
    } else {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(4711)};
        memcpy(&in.sin6_addr, parsed.bytes, 16);
        memcpy(&peer, &in, sizeof(in));
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    client->harness = harness;
    assert_int_equal(stream_open(&client->stream, harness->loop, ends[0]), 0);
    assert_true(smtpsession_start(&harness->service, ends[1], &peer));
}

void harness_send(struct harness_client *client, struct span bytes)
{
    stream_write(&client->stream, bytes);
    /* The session may have ended meanwhile: what it said last is still to be read. */
    if (stream_flush(&client->stream, clock_deadline_after(HARNESS_PATIENCE_MS)) != STREAM_OK)
        buffer_reset(&client->stream.output);
}

struct span harness_read_line(struct harness_client *client)
{
    for (;;) {
        const struct span input = stream_input(&client->stream);
        const size_t end = span_find_byte(input, '\n');
        if (end < input.length) {
            assert_true(end > 0 && input.bytes[end - 1] == '\r');
            const struct span line =
                arena_copy(&client->harness->arena, span_first(input, end - 1));
            assert_non_null(line.bytes);
            stream_consume(&client->stream, end + 1);
            return line;
        }
        const enum stream_result result =
            stream_read(&client->stream, clock_deadline_after(HARNESS_PATIENCE_MS));
        if (result == STREAM_TIMED_OUT)
            fail_msg("no answer");
        if (result != STREAM_OK)
            return span_of(NULL, 0);
    }
}

void harness_expect(struct harness_client *client, const char *where, const char *reply_start)
{
    struct span line;
    bool is_first = true;
    do {
        line = harness_read_line(client);
        if (!line.bytes)
            fail_msg("%s: the connection ended, expected %s", where, reply_start);
        if (is_first && !span_starts_with(line, span_from_string(reply_start)))
            fail_msg("%s: got \"%.*s\", expected \"%s\"", where, SPAN_PRINTF(line), reply_start);
        is_first = false;
    } while (line.length > 3 && line.bytes[3] == '-');
}

void harness_expect_close(struct harness_client *client, const char *where)
{
    const struct span line = harness_read_line(client);
    if (line.bytes)
        fail_msg("%s: got \"%.*s\", expected the end", where, SPAN_PRINTF(line));
    stream_close(&client->stream);
}

void harness_disconnect(struct harness_client *client)
{
    stream_close(&client->stream);
}

void harness_greet(struct harness *harness, struct harness_client *client, const char *address)
{
    harness_connect(harness, client, address);
    harness_expect(client, "greeting", "220 mx.here.test");
    harness_send(client, SPAN("EHLO client.example\r\n"));
    harness_expect(client, "EHLO", "250-mx.here.test");
}

void harness_open_data(struct harness_client *client)
{
    harness_send(client,
                 SPAN("MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n"));
    harness_expect(client, "MAIL", "250 2.1.0");
    harness_expect(client, "RCPT", "250 2.1.5");
    harness_expect(client, "DATA", "354 ");
}

bool harness_shake_hands(struct harness_client *client, SSL_CTX *context)
{
    SSL_CTX *own_context = context ? NULL : SSL_CTX_new(TLS_client_method());
    struct tls_handshake handshake = {.ssl = SSL_new(context ? context : own_context),
                                      .deadline_ms = clock_deadline_after(HARNESS_PATIENCE_MS)};
    assert_non_null(handshake.ssl);
    SSL_set_connect_state(handshake.ssl);
    const bool is_done = tls_stream_handshake(&client->stream, &handshake) == STREAM_OK;
    SSL_CTX_free(own_context);
    return is_done;
}

void harness_start_tls(struct harness_client *client, SSL_CTX *context)
{
    harness_send(client, SPAN("STARTTLS\r\n"));
    harness_expect(client, "STARTTLS", "220 2.0.0 Ready to start TLS");
    assert_true(harness_shake_hands(client, context));
}

void harness_quit(struct harness_client *client)
{
    harness_send(client, SPAN("QUIT\r\n"));
    harness_expect(client, "QUIT", "221 2.0.0");
    harness_expect_close(client, "QUIT");
}

/* ---- the log ---- */

bool harness_has_logged(struct harness *harness, const char *text)
{
    struct span rest = buffer_span(&harness->log.batch);
    struct log_record record;
    while (log_record_next(&rest, &record) == PARSE_OK)
        if (span_find(record.text, span_from_string(text)) < record.text.length)
            return true;
    return false;
}

void harness_expect_log(struct harness *harness, const char *text)
{
    struct span rest = buffer_span(&harness->log.batch);
    struct log_record record;
    if (harness_has_logged(harness, text))
        return;
    while (log_record_next(&rest, &record) == PARSE_OK)
        print_message("log: %.*s\n", SPAN_PRINTF(record.text));
    fail_msg("not in the log: %s", text);
}
