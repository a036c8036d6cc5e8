/* tests/smtp/world - see world.h. */
#include "world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/number.h"
#include "certificates.h"
#include "conf/lmtp.h"
#include "conf/smtp.h"
#include "dnswire/answer.h"
#include "queuefile/digest.h"
#include "queuefile/preamble.h"
#include "system/file.h"
#include "system/stream.h"
#include "system/task.h"
#include "tls/scheme.h"
#include "tls/stream.h"

enum { PATIENCE_MS = 20000, ARENA_BYTES = 64 << 20, SERVER_PATIENCE_MS = 10000 };

/* ---- mail servers ---- */

static void complain(struct world *world, const char *format, ...) PRINTF_LIKE(2, 3);
static void complain(struct world *world, const char *format, ...)
{
    va_list arguments;
    if (world->complaint[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(world->complaint, sizeof(world->complaint), format, arguments);
    va_end(arguments);
}

static void check_over(struct world *world)
{
    if (world->is_over && world->open_scripts == 0)
        loop_stop(world->loop);
}

struct conversation {
    struct world_server *server;
    const char *script;
    struct stream stream;
    int descriptor;
};

static int64_t soon(void)
{
    return clock_deadline_after(SERVER_PATIENCE_MS);
}

/* One line without its CRLF into text; false at the end. */
static bool read_line(struct conversation *conversation, char *text, size_t size)
{
    for (;;) {
        const struct span input = stream_input(&conversation->stream);
        const size_t length = span_find(input, SPAN("\r\n"));
        if (length < input.length) {
            (void)snprintf(text, size, "%.*s", (int)length, (const char *)input.bytes);
            stream_consume(&conversation->stream, length + 2);
            return true;
        }
        if (stream_read(&conversation->stream, soon()) != STREAM_OK)
            return false;
    }
}

static bool read_content(struct conversation *conversation)
{
    struct buffer *content = &conversation->server->content;
    buffer_reset(content);
    for (;;) {
        const struct span input = stream_input(&conversation->stream);
        buffer_append_span(content, input);
        stream_consume(&conversation->stream, input.length);
        const struct span all = buffer_span(content);
        if (span_ends_with(all, SPAN("\r\n.\r\n")) || span_equals(all, SPAN(".\r\n"))) {
            content->length -= 3;
            return true;
        }
        if (stream_read(&conversation->stream, soon()) != STREAM_OK)
            return false;
    }
}

/* That many bytes, whatever they are. */
static bool read_bytes(struct conversation *conversation, size_t count)
{
    struct buffer *content = &conversation->server->content;
    buffer_reset(content);
    for (;;) {
        const struct span input =
            span_first(stream_input(&conversation->stream), count - content->length);
        buffer_append_span(content, input);
        stream_consume(&conversation->stream, input.length);
        if (content->length == count)
            return true;
        if (stream_read(&conversation->stream, soon()) != STREAM_OK)
            return false;
    }
}

/* Lines in one packet: "|" ends one, "^" is a NUL. */
static void send_lines(struct conversation *conversation, struct span text)
{
    struct buffer lines;
    buffer_init(&lines, NULL, 65536);
    for (size_t i = 0; i < text.length; i++)
        if (text.bytes[i] == '|')
            buffer_append_string(&lines, "\r\n");
        else
            buffer_append_byte(&lines, text.bytes[i] == '^' ? '\0' : text.bytes[i]);
    buffer_append_string(&lines, "\r\n");
    stream_write(&conversation->stream, buffer_span(&lines));
    (void)!stream_flush(&conversation->stream, soon()); /* the client's right, as below */
    buffer_release(&lines);
}

static void send_line(struct conversation *conversation, struct span text, bool is_slow)
{
    struct stream *stream = &conversation->stream;
    struct buffer line;
    buffer_init(&line, NULL, 65536);
    buffer_append_span(&line, text);
    buffer_append_string(&line, "\r\n");
    const size_t step = is_slow ? 1 : line.length;
    for (size_t i = 0; i < line.length; i += step) {
        stream_write(stream, span_of(line.bytes + i, step));
        if (stream_flush(stream, soon()) != STREAM_OK)
            break; /* the client's right, where the script says so */
        if (is_slow)
            (void)task_sleep(1);
    }
    buffer_release(&line);
}

static void send_many(struct conversation *conversation, size_t count)
{
    static const struct span line = SPAN_LITERAL(
        "250-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n");
    for (size_t i = 0; i < count; i++) {
        stream_write(&conversation->stream, line);
        if (stream_flush(&conversation->stream, soon()) != STREAM_OK)
            return;
    }
}

/* Reads until the client closes; QUIT may come before when may_quit. */
static void expect_end(struct conversation *conversation, bool may_quit)
{
    char line[256];
    while (read_line(conversation, line, sizeof(line)))
        if (!may_quit || strcmp(line, "QUIT") != 0)
            complain(conversation->server->world, "after the end of the script: %s", line);
}

/* False when the connection is over: it must not go on in clear. */
static bool shake_hands(struct conversation *conversation, struct span word)
{
    char text[64];
    const bool must_fail = span_starts_with(word, SPAN("- "));
    (void)snprintf(text, sizeof(text), "%.*s", SPAN_PRINTF(span_after(word, must_fail ? 2 : 0)));
    struct tls_handshake handshake = {.ssl = certificates_server(text), .deadline_ms = soon()};
    if ((tls_stream_handshake(&conversation->stream, &handshake) == STREAM_OK) == must_fail)
        complain(conversation->server->world, "handshake: %s", handshake.reason);
    return tls_stream_ssl(&conversation->stream) != NULL;
}

/* False when the connection is over. */
static bool run_line(struct conversation *conversation, struct span line)
{
    struct world *world = conversation->server->world;
    const struct span rest = span_after(line, 2);
    char text[2048];
    const struct linger reset = {1, 0};
    uint64_t number = 0;
    switch (line.bytes[0]) {
    case 'S':
    case 's':
        send_line(conversation, rest, line.bytes[0] == 's');
        return true;
    case 'C':
        if (!read_line(conversation, text, sizeof(text)))
            complain(world, "closed instead of: %.*s", SPAN_PRINTF(rest));
        else if (!span_starts_with(span_from_string(text), rest))
            complain(world, "said \"%s\" instead of \"%.*s\"", text, SPAN_PRINTF(rest));
        return world->complaint[0] == '\0';
    case 'D':
        if (!read_content(conversation))
            complain(world, "closed within the content");
        return world->complaint[0] == '\0';
    case 'B':
        if (!number_parse_uint64(rest, WORLD_CONTENT_MAX_BYTES, &number) ||
            !read_bytes(conversation, (size_t)number))
            complain(world, "closed within the chunk");
        return world->complaint[0] == '\0';
    case 'H':
        (void)shutdown(conversation->descriptor, SHUT_WR);
        expect_end(conversation, true);
        return false;
    case 'W':
        if (number_parse_uint64(rest, 100000, &number))
            (void)task_sleep((int64_t)number);
        return true;
    case 'T':
        return shake_hands(conversation, rest);
    case 'G':
        send_many(conversation, 10000);
        return true;
    case 'M':
        send_many(conversation, 1000);
        return true;
    case 'L':
        send_lines(conversation, rest);
        return true;
    case 'R':
        (void)setsockopt(conversation->descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        return false;
    case 'E':
        expect_end(conversation, false);
        return false;
    default: /* X */
        return false;
    }
}

static void conversation_body(void *argument)
{
    struct conversation *conversation = argument;
    struct world *world = conversation->server->world;
    struct span rest = span_from_string(conversation->script), line;
    bool is_open = stream_open(&conversation->stream, world->loop, conversation->descriptor) == 0;
    while (is_open && !span_is_empty(rest) && rest.bytes[0] != '=') {
        (void)span_split_once(rest, '\n', &line, &rest);
        if (!span_is_empty(line))
            is_open = run_line(conversation, line);
    }
    if (is_open)
        expect_end(conversation, true);
    stream_close(&conversation->stream);
    free(conversation);
    world->open_scripts--;
    check_over(world);
}

static void on_connection(evutil_socket_t listener, short events, void *context)
{
    struct world_server *server = context;
    (void)events;
    const int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0)
        return;
    server->connection_count++;
    if (!server->script) {
        complain(server->world, "an unexpected connection");
        file_close(descriptor);
        return;
    }
    struct conversation *conversation = calloc(1, sizeof(*conversation));
    ASSERT(conversation);
    conversation->server = server;
    conversation->descriptor = descriptor;
    conversation->script = server->script;
    const char *next = strstr(server->script, "\n=\n");
    if (next)
        server->script = next + 3;
    server->world->open_scripts++;
    ASSERT(task_start(server->world->loop, "server", conversation_body, conversation));
}

static int listen_at(size_t number, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(0x7f000100 + (uint32_t)number)};
    const int yes = 1;
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(descriptor, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(descriptor, 64) != 0) {
        file_close(descriptor);
        return -1;
    }
    return descriptor;
}

/* One port that is free at every address. The last address stays without a server. */
static bool open_servers(struct world *world)
{
    for (size_t i = 0; i < WORLD_SERVERS; i++)
        world->servers[i].listener = -1;
    for (int attempts = 0; attempts < 50; attempts++) {
        struct sockaddr_in address;
        socklen_t length = sizeof(address);
        bool is_open = true;
        world->servers[0].listener = listen_at(0, 0);
        if (getsockname(world->servers[0].listener, (struct sockaddr *)&address, &length) != 0)
            return false;
        world->port = ntohs(address.sin_port);
        for (size_t i = 1; i + 1 < WORLD_SERVERS; i++) {
            world->servers[i].listener = listen_at(i, world->port);
            is_open = is_open && world->servers[i].listener >= 0;
        }
        if (is_open)
            return true;
        for (size_t i = 0; i < WORLD_SERVERS; i++) {
            file_close(world->servers[i].listener);
            world->servers[i].listener = -1;
        }
    }
    return false;
}

/* ---- dnsd ---- */

static void add_mx(struct world *world, struct buffer *records)
{
    struct span rest = span_from_string(world->mx), preference, host;
    while (span_next_word(&rest, " ", &preference) && span_next_word(&rest, " ", &host)) {
        uint64_t number;
        ASSERT(number_parse_uint64(preference, 65535, &number));
        const struct ipc_dns_record record = {
            .type = DNS_TYPE_MX, .preference = (uint32_t)number, .name = host};
        ipc_records_append(IPC_DNS_RECORD, &record, records);
    }
}

static enum dns_status find_tlsa(const struct world *world, const struct ipc_dns_query *query,
                                 struct buffer *records)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "_%u._tcp.h0.test", (unsigned)world->port);
    if (world->is_tlsa_lost)
        return DNS_TEMPORARY;
    if (!span_equals(query->name, span_from_string(name)))
        return DNS_NO_SUCH_NAME;
    for (size_t i = 0; i < ARRAY_LENGTH(world->tlsa); i++) {
        const struct ipc_dns_record record = {
            .type = DNS_TYPE_TLSA, .data = span_of(world->tlsa[i], world->tlsa_length[i])};
        if (world->tlsa_length[i] > 0)
            ipc_records_append(IPC_DNS_RECORD, &record, records);
    }
    return world->tlsa_length[0] ? DNS_FOUND : DNS_NO_DATA;
}

static bool is_secure(const struct world *world, uint32_t type)
{
    return type == DNS_TYPE_MX     ? world->is_mx_secure
           : type == DNS_TYPE_TLSA ? world->is_tlsa_secure
                                   : world->is_host_secure;
}

/* An address without end at which nobody is, and server 0's. */
static enum dns_status look_up_crowd(uint32_t type, struct buffer *records)
{
    const uint8_t loopback[16] = {[15] = 1}, real[4] = {127, 0, 1, 0};
    const bool is_ipv4 = type == DNS_TYPE_A;
    const struct ipc_dns_record record = {
        .type = type, .data = is_ipv4 ? span_of(real, 4) : span_of(loopback, 16)};
    if (!is_ipv4 && type != DNS_TYPE_AAAA)
        return DNS_NO_DATA;
    for (int i = 0; i < (is_ipv4 ? 1 : 100); i++)
        ipc_records_append(IPC_DNS_RECORD, &record, records);
    return DNS_FOUND;
}

/* hN.test is server N, at 127.0.1.N; "lost.test" cannot be looked up now. */
static enum dns_status look_up(struct world *world, const struct ipc_dns_query *query,
                               struct buffer *records)
{
    const uint8_t first = query->name.length > 1 ? query->name.bytes[1] : 0;
    const bool is_host = query->name.length == strlen("hN.test") && query->name.bytes[0] == 'h';
    if (span_starts_with(query->name, SPAN("lost.")))
        return DNS_TEMPORARY;
    if (query->type == DNS_TYPE_TLSA)
        return find_tlsa(world, query, records);
    if (span_equals(query->name, SPAN("crowd.test")))
        return look_up_crowd(query->type, records);
    if (is_host && query->type == DNS_TYPE_A) {
        const uint8_t address[4] = {127, 0, 1, (uint8_t)(first - '0')};
        const struct ipc_dns_record record = {.type = DNS_TYPE_A, .data = span_of(address, 4)};
        ipc_records_append(IPC_DNS_RECORD, &record, records);
        return DNS_FOUND;
    }
    if (is_host)
        return DNS_NO_DATA;
    if (query->type != DNS_TYPE_MX || strcmp(world->mx, "nxdomain") == 0)
        return DNS_NO_SUCH_NAME;
    if (strcmp(world->mx, "temporary") == 0)
        return DNS_TEMPORARY;
    if (strcmp(world->mx, "none") == 0)
        return DNS_NO_DATA;
    add_mx(world, records);
    return DNS_FOUND;
}

static void on_query(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                     void *context)
{
    struct world *world = context;
    struct buffer records;
    buffer_init(&records, NULL, 65536);
    const struct ipc_dns_query *query = delivery->message;
    const enum dns_status status = look_up(world, query, &records);
    const struct ipc_dns_reply reply = {.status = status,
                                        .is_authentic = is_secure(world, query->type),
                                        .ttl_s = 60,
                                        .records = buffer_span(&records),
                                        .reason = status == DNS_TEMPORARY ? SPAN("timeout")
                                                                          : span_empty()};
    (void)ipc_channel_reply(channel, delivery->id, IPC_DNS_REPLY, &reply);
    buffer_release(&records);
}

static void on_dnsd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct world *world = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&world->dnsd);
}

/* ---- addrd ---- */

static struct span find_policy(const struct world *world, struct span key)
{
    struct span rest = span_from_string(world->policies), line, name, value;
    while (span_split_once(rest, '\n', &line, &rest) || !span_is_empty(line)) {
        (void)span_split_once(line, ' ', &name, &value);
        if (span_equals(name, key))
            return value;
        if (span_is_empty(rest))
            break;
    }
    return span_empty();
}

static void on_find(struct ipc_channel *channel, const struct ipc_delivery *delivery, void *context)
{
    const struct ipc_addr_find *find = delivery->message;
    struct ipc_addr_find_reply reply = {.outcome = outcome_ok(), .value = span_empty()};
    struct span rest = find->keys;
    struct ipc_addr_recipient key;
    while (span_is_empty(reply.value) && !span_is_empty(rest) &&
           ipc_records_next(&rest, IPC_ADDR_RECIPIENT, &key) == PARSE_OK)
        reply.value = find_policy(context, key.address);
    if (span_equals(reply.value, SPAN("later")))
        reply.outcome = outcome_temporary(451, 3, 0, "Temporary lookup failure");
    (void)ipc_channel_reply(channel, delivery->id, IPC_ADDR_FIND_REPLY, &reply);
}

static void on_addrd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct world *world = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&world->addrd);
}

/* ---- stsd ---- */

static void on_sts_query(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                         void *context)
{
    const struct world *world = context;
    const struct ipc_sts_reply reply = {.policy = world->sts ? span_from_string(world->sts)
                                                             : span_empty(),
                                        .policy_id = span_empty(),
                                        .reason = span_empty()};
    (void)ipc_channel_reply(channel, delivery->id, IPC_STS_REPLY, &reply);
}

static void on_stsd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct world *world = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&world->stsd);
}

/* ---- keyd ---- */

/* The client has no certificate. */
static void on_key_question(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                            void *context)
{
    const struct ipc_key_certificates_reply reply = {.status = TLS_KEY_STATUS_ABSENT,
                                                     .chains = span_empty()};
    (void)context;
    (void)ipc_channel_reply(channel, delivery->id, IPC_KEY_CERTIFICATES_REPLY, &reply);
}

static void on_keyd_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct world *world = context;
    (void)channel;
    (void)reason;
    ipc_channel_destroy(&world->keyd);
}

/* ---- qmgr ---- */

static struct span keep(struct world *world, struct span text)
{
    const struct span copy = arena_copy(&world->arena, text);
    ASSERT(copy.bytes);
    return copy;
}

static void take_result(struct world *world, const struct ipc_deliver_result *message)
{
    struct span rest = message->results;
    struct ipc_recipient_result record;
    world->report_count++;
    while (!span_is_empty(rest) && world->result_count < WORLD_RESULTS_MAX) {
        ASSERT(ipc_records_next(&rest, IPC_RECIPIENT_RESULT, &record) == PARSE_OK);
        struct world_result *result = &world->results[world->result_count++];
        *result = (struct world_result){record.index, record.outcome, keep(world, record.remote),
                                        keep(world, record.diagnostic)};
        result->outcome.reason = keep(world, record.outcome.reason);
    }
    world->is_corrupt |= message->is_corrupt;
    if (message->is_last) {
        world->is_over = true;
        world->has_connection = message->has_connection;
        world->site = message->site;
        world->site.reason = keep(world, message->site.reason);
        world->has_site_failure = message->site.kind != OUTCOME_OK;
    }
}

static void on_agent_message(struct ipc_channel *channel, const struct ipc_delivery *delivery,
                             void *context)
{
    struct world *world = context;
    if (delivery->type == IPC_DELIVER_CAPACITY) {
        const struct ipc_deliver_capacity *capacity = delivery->message;
        world->capacity = capacity->count;
    } else if (delivery->type == IPC_DELIVER_RESULT) {
        const struct ipc_deliver_result *message = delivery->message;
        const struct ipc_deliver_acknowledge acknowledge = {.queue_id = message->queue_id,
                                                            .delivery = message->delivery,
                                                            .serial = message->serial};
        take_result(world, message);
        if (world->is_acknowledging)
            (void)ipc_channel_send(channel, IPC_DELIVER_ACKNOWLEDGE, &acknowledge);
        check_over(world);
    }
}

static void on_agent_closed(struct ipc_channel *channel, const char *reason, void *context)
{
    struct world *world = context;
    (void)channel;
    complain(world, "smtp closed its channel to qmgr: %s", reason);
    ipc_channel_destroy(&world->qmgr);
}

#define ANY_ROLE UINT32_MAX
static const struct ipc_permission dnsd_permissions[] = {{IPC_DNS_QUERY, ANY_ROLE}, {0, 0}};
static const struct ipc_permission qmgr_permissions[] = {
    {IPC_DELIVER_CAPACITY, ANY_ROLE}, {IPC_DELIVER_RESULT, ANY_ROLE}, {0, 0}};
static const struct ipc_channel_handlers dnsd_handlers = {on_query, on_dnsd_closed,
                                                          dnsd_permissions};
static const struct ipc_permission addrd_permissions[] = {{IPC_ADDR_FIND, ANY_ROLE}, {0, 0}};
static const struct ipc_channel_handlers addrd_handlers = {on_find, on_addrd_closed,
                                                           addrd_permissions};
static const struct ipc_permission stsd_permissions[] = {{IPC_STS_QUERY, ANY_ROLE}, {0, 0}};
static const struct ipc_channel_handlers stsd_handlers = {on_sts_query, on_stsd_closed,
                                                          stsd_permissions};
static const struct ipc_permission keyd_permissions[] = {{IPC_KEY_CERTIFICATES, ANY_ROLE}, {0, 0}};
static const struct ipc_channel_handlers keyd_handlers = {on_key_question, on_keyd_closed,
                                                          keyd_permissions};
static const struct ipc_channel_handlers qmgr_handlers = {on_agent_message, on_agent_closed,
                                                          qmgr_permissions};

static void connect_qmgr(struct world *world)
{
    const int end = daemon_give_peer(&world->smtp, IPC_ROLE_QMGR, "qmgr", false);
    world->qmgr = ipc_channel_create(world->loop, end, IPC_ROLE_SMTP, &qmgr_handlers, world);
    ASSERT(world->qmgr);
}

void world_replace_qmgr(struct world *world)
{
    ipc_channel_destroy(&world->qmgr);
    world->result_count = world->report_count = 0;
    world->is_over = false;
    connect_qmgr(world);
}

/* ---- all of it ---- */

static bool start(struct world *world, const char *program, enum ipc_role role,
                  const struct conf_part *part, const char *settings)
{
    char main_text[2048];
    *world = (struct world){.loop = loop_create(), .is_acknowledging = true, .mx = "nxdomain"};
    ASSERT(world->loop);
    arena_init(&world->arena, ARENA_BYTES, 0);
    if (!open_servers(world))
        return false;
    for (size_t i = 0; i < WORLD_SERVERS; i++) {
        struct world_server *server = &world->servers[i];
        server->world = world;
        buffer_init(&server->content, NULL, WORLD_CONTENT_MAX_BYTES);
        if (server->listener < 0)
            continue;
        ASSERT(event_assign(&server->event, loop_event_base(world->loop), server->listener,
                            EV_READ | EV_PERSIST, on_connection, server) == 0);
        ASSERT(event_add(&server->event, NULL) == 0);
    }
    (void)snprintf(main_text, sizeof(main_text),
                   "%s_tcp_port = %u\nmyhostname = client.test\nsmtp_tls_mta_sts = no\n%s\n",
                   part->name, (unsigned)world->port, settings);
    if (!daemon_start(&world->smtp, world->loop, program, role, part, main_text))
        return false;
    connect_qmgr(world);
    const int dnsd_end = daemon_give_peer(&world->smtp, IPC_ROLE_DNSD, "dnsd", false);
    world->dnsd = ipc_channel_create(world->loop, dnsd_end, IPC_ROLE_SMTP, &dnsd_handlers, world);
    const int addrd_end = daemon_give_peer(&world->smtp, IPC_ROLE_ADDRD, "addrd", false);
    world->addrd =
        ipc_channel_create(world->loop, addrd_end, IPC_ROLE_SMTP, &addrd_handlers, world);
    const int stsd_end = daemon_give_peer(&world->smtp, IPC_ROLE_STSD, "stsd", false);
    world->stsd = ipc_channel_create(world->loop, stsd_end, IPC_ROLE_SMTP, &stsd_handlers, world);
    const int keyd_end = daemon_give_peer(&world->smtp, IPC_ROLE_KEYD, "keyd", false);
    world->keyd = ipc_channel_create(world->loop, keyd_end, IPC_ROLE_SMTP, &keyd_handlers, world);
    return world->dnsd && world->addrd && world->stsd && world->keyd;
}

bool world_start(struct world *world, const char *settings)
{
    return start(world, "smtp/smtp", IPC_ROLE_SMTP, &conf_part_smtp, settings);
}

bool world_start_lmtp(struct world *world, const char *settings)
{
    return start(world, "smtp/lmtp", IPC_ROLE_LMTP, &conf_part_lmtp, settings);
}

void world_stop(struct world *world)
{
    if (world->qmgr)
        ipc_channel_destroy(&world->qmgr);
    if (world->dnsd)
        ipc_channel_destroy(&world->dnsd);
    if (world->addrd)
        ipc_channel_destroy(&world->addrd);
    if (world->stsd)
        ipc_channel_destroy(&world->stsd);
    if (world->keyd)
        ipc_channel_destroy(&world->keyd);
    if (!daemon_stop(&world->smtp))
        (void)fprintf(stderr, "smtp did not end well\n");
    for (size_t i = 0; i < WORLD_SERVERS; i++) {
        struct world_server *server = &world->servers[i];
        buffer_release(&server->content);
        if (server->listener < 0)
            continue;
        (void)event_del(&server->event);
        file_close(server->listener);
    }
    arena_destroy(&world->arena);
    loop_destroy(&world->loop);
}

/* The second half of the content comes first in the file. */
static int write_file(struct world *world, const struct world_order *order, struct buffer *extents)
{
    const size_t half = order->content.length / 2;
    const struct span parts[] = {span_first(order->content, half),
                                 span_after(order->content, half)};
    struct queue_extent list[2];
    struct digest digest;
    ASSERT(digest_init(&digest));
    const int descriptor = memfd_create("content", MFD_CLOEXEC);
    ASSERT(descriptor >= 0);
    for (size_t i = 0; i < 2; i++) {
        list[i].offset = QUEUE_FILE_CONTENT_OFFSET + (i == 0 ? parts[1].length : 0);
        list[i].length = parts[i].length;
        ASSERT(file_pwrite_all(descriptor, parts[i].bytes, parts[i].length, list[i].offset) == 0);
        digest_start(&digest);
        digest_update(&digest, parts[i]);
        ASSERT(digest_finish(&digest, list[i].digest));
    }
    if (order->is_damaged)
        list[1].digest[0] ^= 1;
    digest_destroy(&digest);
    queue_extents_encode(list, 2, extents);
    (void)world;
    return descriptor;
}

void world_deliver(struct world *world, const struct world_order *order)
{
    struct buffer extents, envelope, recipients;
    const uint64_t now_us = clock_realtime_us();
    struct queue_envelope header = {.arrival_us = now_us - 2000000,
                                    .origin = QUEUE_ORIGIN_SMTP,
                                    .reverse_path = span_from_string(order->sender),
                                    .client_name = SPAN("mail.sender.test"),
                                    .client_address = SPAN("192.0.2.7"),
                                    .client_port = 4711,
                                    .helo = SPAN("sender+1.test"),
                                    .protocol = SPAN("ESMTP"),
                                    .facts = {.size_bytes = order->content.length,
                                              .longest_line_bytes = order->longest_line,
                                              .flags = order->facts},
                                    .flags = order->flags,
                                    .ret = order->notify ? QUEUE_RETURN_HEADERS
                                                         : QUEUE_RETURN_UNSPECIFIED,
                                    .envid = order->notify ? SPAN("QQ314159") : span_empty()};
    struct span rest = span_from_string(order->recipients), address;
    uint32_t index = 0;

    world->result_count = world->report_count = 0;
    world->is_over = world->is_corrupt = world->has_site_failure = world->has_connection = false;
    buffer_init(&extents, NULL, 1024);
    buffer_init(&envelope, NULL, 16384);
    buffer_init(&recipients, NULL, 32768);
    const int descriptor = write_file(world, order, &extents);
    queue_envelope_encode_header(&header, &envelope);
    while (span_next_word(&rest, " ", &address)) {
        const struct ipc_deliver_recipient record = {
            .index = index++, .recipient = address, .notify = order->notify};
        ipc_records_append(IPC_DELIVER_RECIPIENT, &record, &recipients);
    }
    const struct ipc_deliver message = {.queue_id = span_from_string(order->queue_id),
                                        .content = descriptor,
                                        .extents = buffer_span(&extents),
                                        .envelope = buffer_span(&envelope),
                                        .transport = SPAN("smtp"),
                                        .nexthop = span_from_string(order->nexthop),
                                        .recipients = buffer_span(&recipients),
                                        .active_us = now_us - 1000000,
                                        .delivery = ++world->delivery_number};
    ASSERT(buffer_ok(&extents) && buffer_ok(&envelope) && buffer_ok(&recipients));
    ASSERT(ipc_channel_send(world->qmgr, IPC_DELIVER, &message));
    buffer_release(&extents);
    buffer_release(&envelope);
    buffer_release(&recipients);
}

static void on_timeout(void *context)
{
    struct world *world = context;
    loop_stop(world->loop);
}

void world_run(struct world *world, int64_t timeout_ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, world->loop, on_timeout, world);
    loop_timer_set(&timer, clock_deadline_after(timeout_ms));
    loop_run(world->loop);
    loop_timer_release(&timer);
}

bool world_has_logged(struct world *world, const char *text)
{
    const int64_t deadline_ms = clock_deadline_after(PATIENCE_MS);
    while (!daemon_has_logged(&world->smtp, text)) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        world_run(world, 20);
    }
    return true;
}

bool world_wait(struct world *world)
{
    const int64_t deadline_ms = clock_deadline_after(PATIENCE_MS);
    while (!world->is_over || world->open_scripts > 0) {
        if (clock_monotonic_ms() >= deadline_ms)
            return false;
        world_run(world, 1000);
    }
    world_run(world, 80); /* acknowledgements, and log lines, which leave in batches */
    return true;
}
