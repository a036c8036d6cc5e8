/* keyd/serve - see serve.h. */
#include "serve.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "maillog/event.h"
#include "signable.h"
#include "system/clock.h"

enum { COMPLAINT_EVERY_MS = 1000, WAITING_MAX_BYTES = 4 << 20 };

struct key_peer {
    struct list_link link;
    struct key_server *server;
    struct ipc_channel *channel;
    struct vault_service *service; /* NULL: it has no keys */
    uint32_t process_id;
    int64_t complain_after_ms;
    bool is_waiting;
    struct list requests; /* that wait for their turn */
    size_t requests_bytes;
    uint64_t served_turn; /* of the loop: the last in which one was served */
    struct span name;     /* of the service, behind the structure */
};

/* A question that waits; its bytes stand behind the structure. */
struct request {
    struct list_link link;
    enum ipc_type type;
    uint32_t id;
    size_t size;
    union {
        struct ipc_key_certificates certificates;
        struct ipc_key_sign sign;
    } question;
};

/* ---- certificates ---- */

static void on_certificates(struct key_peer *peer, uint32_t id,
                            const struct ipc_key_certificates *question)
{
    enum tls_key_status status = TLS_KEY_STATUS_ABSENT;
    const struct key_set *set =
        peer->service ? vault_certificates(peer->service, question->name, &status) : NULL;
    if (status == TLS_KEY_STATUS_BROKEN && peer->server->holds_answers &&
        span_is_empty(question->name)) {
        peer->is_waiting = true; /* it asks again, when it is told that there is news */
        return;
    }
    const struct ipc_key_certificates_reply reply = {
        .status = status,
        .chains = set ? buffer_span(&set->records) : span_empty(),
        .has_names = peer->service && peer->service->tables};
    (void)ipc_channel_reply(peer->channel, id, IPC_KEY_CERTIFICATES_REPLY, &reply);
}

/* ---- signatures ---- */

/* A peer that is in order asks for nothing that is refused; one that has been taken over shall not
 * fill the log. */
static void refuse(struct key_peer *peer, const char *reason)
{
    const struct log_context context = {.log = peer->server->log, .queue_id = span_empty()};
    const int64_t now_ms = clock_monotonic_ms();
    if (now_ms < peer->complain_after_ms)
        return;
    peer->complain_after_ms = now_ms + COMPLAINT_EVERY_MS;
    log_event(&context, LOG_LEVEL_WARNING, "keyd.refused",
              log_string("role", ipc_role_name(ipc_channel_peer(peer->channel))),
              log_text("service", peer->name), log_number("pid", peer->process_id),
              log_string("reason", reason));
}

static bool is_of_scheme(const EVP_PKEY *key, const struct tls_scheme *scheme, enum signable what)
{
    char group[64];
    const bool is_tls13 = (what & (SIGNABLE_TLS13_SERVER | SIGNABLE_TLS13_CLIENT)) != 0;
    if (!EVP_PKEY_is_a(key, tls_scheme_key_type(scheme->kind)))
        return false;
    if (!is_tls13)
        return true;
    /* RFC 8446 section 4.2.3: no PKCS #1, and a curve goes with its hash. */
    return scheme->is_for_tls13 &&
           (!scheme->group || (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
                               strcmp(group, scheme->group) == 0));
}

/* The hash and the padding are made here: no peer hands over a block to be signed as it is. */
static bool sign(EVP_PKEY *key, const struct tls_scheme *scheme, struct span input,
                 uint8_t signature[TLS_SIGNATURE_MAX_BYTES], size_t *length)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *operation = NULL; /* the context's own */
    *length = TLS_SIGNATURE_MAX_BYTES;
    bool is_ok = context && EVP_DigestSignInit_ex(context, &operation, scheme->hash, NULL, NULL,
                                                  key, NULL) == 1;
    if (is_ok && scheme->kind == TLS_SCHEME_RSA_PSS)
        is_ok = EVP_PKEY_CTX_set_rsa_padding(operation, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(operation, RSA_PSS_SALTLEN_DIGEST) == 1;
    is_ok = is_ok && EVP_DigestSign(context, signature, length, input.bytes, input.length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return is_ok;
}

static unsigned permitted_to(const struct key_peer *peer)
{
    return peer->service->is_server ? SIGNABLE_AS_SERVER : SIGNABLE_AS_CLIENT;
}

static const char no_such_key[] = "the service has no such key";

static const char *try_to_sign(struct key_peer *peer, const struct ipc_key_sign *question,
                               uint8_t signature[TLS_SIGNATURE_MAX_BYTES], size_t *length)
{
    const struct tls_scheme *scheme = tls_scheme_find(question->scheme);
    if (!peer->service)
        return "the service has no keys";
    if (!scheme)
        return "unknown signature scheme";
    const enum signable what = signable_recognize(question->input, permitted_to(peer));
    if (what == SIGNABLE_NOTHING)
        return "what is to be signed is not of a TLS handshake";
    EVP_PKEY *key = vault_find_key(peer->service, question->key, question->name);
    if (!key)
        return no_such_key;
    if (!is_of_scheme(key, scheme, what))
        return "the signature scheme is not one for this key";
    return sign(key, scheme, question->input, signature, length) ? NULL : "signing failed";
}

static void on_sign(struct key_peer *peer, uint32_t id, const struct ipc_key_sign *question)
{
    uint8_t signature[TLS_SIGNATURE_MAX_BYTES];
    size_t length = 0;
    const char *reason = try_to_sign(peer, question, signature, &length);
    const struct ipc_key_sign_reply reply = {.signature = reason ? span_empty()
                                                                 : span_of(signature, length)};
    if (reason && (reason != no_such_key || !peer->server->has_relatives))
        refuse(peer, reason);
    (void)ipc_channel_reply(peer->channel, id, IPC_KEY_SIGN_REPLY, &reply);
}

/* ---- news ---- */

void key_server_tell_changed(struct key_server *server, bool also_names)
{
    const struct ipc_key_changed message = {.also_names = also_names};
    LIST_FOR_EACH (&server->peers, link)
        (void)ipc_channel_send(LIST_ITEM(link, struct key_peer, link)->channel, IPC_KEY_CHANGED,
                               &message); /* or it has closed */
}

void key_server_hold(struct key_server *server)
{
    server->holds_answers = true;
}

void key_server_stop_holding(struct key_server *server)
{
    const struct ipc_key_changed message = {0};
    server->holds_answers = false;
    LIST_FOR_EACH (&server->peers, link) {
        struct key_peer *peer = LIST_ITEM(link, struct key_peer, link);
        if (peer->is_waiting)
            (void)ipc_channel_send(peer->channel, IPC_KEY_CHANGED, &message); /* as above */
        peer->is_waiting = false;
    }
}

/* ---- tickets ---- */

static void send_tickets(struct key_peer *peer)
{
    const struct key_server *server = peer->server;
    const enum ipc_role role = ipc_channel_peer(peer->channel);
    const struct ipc_key_tickets message = {
        .current = ticket_keys_current(&server->tickets, role),
        .previous = ticket_keys_previous(&server->tickets, role),
        .lifetime_s = (uint32_t)(server->ticket_lifetime_ms / 1000)};
    if (server->ticket_lifetime_ms > 0)
        (void)ipc_channel_send(peer->channel, IPC_KEY_TICKETS, &message); /* or it has closed */
}

void key_server_change_tickets(struct key_server *server)
{
    ticket_keys_change(&server->tickets);
    LIST_FOR_EACH (&server->peers, link)
        send_tickets(LIST_ITEM(link, struct key_peer, link));
    loop_timer_set(&server->ticket_timer, clock_deadline_after(server->ticket_lifetime_ms));
}

static void on_ticket_timer(void *context)
{
    key_server_change_tickets(context);
}

/* ---- turns ---- */

/* A signature takes up to some milliseconds, and a peer that was taken over asks for as many as it
 * can: of each peer one question is answered in a turn of the loop, and the others have theirs. */

static void answer(struct key_peer *peer, enum ipc_type type, uint32_t id, const void *question)
{
    peer->served_turn = *loop_turn(peer->server->loop);
    if (type == IPC_KEY_CERTIFICATES)
        on_certificates(peer, id, question);
    else if (type == IPC_KEY_SIGN)
        on_sign(peer, id, question);
}

static void forget_request(struct key_peer *peer, struct request *request)
{
    list_remove(&peer->requests, &request->link);
    peer->requests_bytes -= request->size;
    free(request);
}

static void on_turn(void *context)
{
    struct key_server *server = context;
    LIST_FOR_EACH (&server->peers, link) {
        struct key_peer *peer = LIST_ITEM(link, struct key_peer, link);
        struct request *request = LIST_ITEM(list_first(&peer->requests), struct request, link);
        if (!request)
            continue;
        answer(peer, request->type, request->id, &request->question);
        forget_request(peer, request);
        if (!list_is_empty(&peer->requests))
            loop_timer_set(&server->turn_timer, clock_deadline_after(0));
    }
}

static void keep(uint8_t **place, struct span *span)
{
    if (span->length == 0)
        return;
    memcpy(*place, span->bytes, span->length);
    *span = span_of(*place, span->length);
    *place += span->length;
}

/* False when memory is out, or the peer has had its share of it. */
static bool put_in_line(struct key_peer *peer, const struct ipc_delivery *delivery)
{
    const bool is_sign = delivery->type == IPC_KEY_SIGN;
    const struct ipc_key_certificates *certificates = delivery->message;
    const struct ipc_key_sign *sign = delivery->message;
    const size_t size = sizeof(struct request) +
                        (is_sign ? sign->key.length + sign->input.length + sign->name.length
                                 : certificates->name.length);
    struct request *request =
        peer->requests_bytes + size <= WAITING_MAX_BYTES ? calloc(1, size) : NULL;
    if (!request)
        return false;
    uint8_t *place = (uint8_t *)(request + 1);
    request->type = delivery->type;
    request->id = delivery->id;
    request->size = size;
    if (is_sign) {
        request->question.sign = *sign;
        keep(&place, &request->question.sign.key);
        keep(&place, &request->question.sign.input);
        keep(&place, &request->question.sign.name);
    } else {
        request->question.certificates = *certificates;
        keep(&place, &request->question.certificates.name);
    }
    list_append(&peer->requests, &request->link);
    peer->requests_bytes += size;
    loop_timer_set(&peer->server->turn_timer, clock_deadline_after(0));
    return true;
}

static void drop_peer(struct key_peer *peer)
{
    while (!list_is_empty(&peer->requests))
        forget_request(peer, LIST_ITEM(list_first(&peer->requests), struct request, link));
    list_remove(&peer->server->peers, &peer->link);
    ipc_channel_destroy(&peer->channel);
    free(peer);
}

/* There is no room for the question. A signature can be refused; that there are no certificates
 * would be a lie, and silence would have the peer wait for ever: it has to begin anew. */
static void turn_away(struct key_peer *peer, const struct ipc_delivery *delivery)
{
    const struct ipc_key_sign_reply refusal = {.signature = span_empty()};
    if (delivery->type == IPC_KEY_SIGN) {
        (void)ipc_channel_reply(peer->channel, delivery->id, IPC_KEY_SIGN_REPLY, &refusal);
        return;
    }
    refuse(peer, "it asks more than is kept");
    drop_peer(peer);
}

static void on_message(struct ipc_channel *channel UNUSED, const struct ipc_delivery *delivery,
                       void *context)
{
    struct key_peer *peer = context;
    if (delivery->id == 0)
        return;
    if (list_is_empty(&peer->requests) && peer->served_turn != *loop_turn(peer->server->loop))
        answer(peer, delivery->type, delivery->id, delivery->message);
    else if (!put_in_line(peer, delivery))
        turn_away(peer, delivery);
}

/* ---- peers ---- */

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    drop_peer(context);
}

#define SPEAKERS                                                                                   \
    (IPC_ROLE_BIT(IPC_ROLE_SMTPD) | IPC_ROLE_BIT(IPC_ROLE_SUBMITD) | IPC_ROLE_BIT(IPC_ROLE_SMTP) | \
     IPC_ROLE_BIT(IPC_ROLE_LMTP))
static const struct ipc_permission permissions[] = {
    {IPC_KEY_CERTIFICATES, SPEAKERS},
    {IPC_KEY_SIGN, SPEAKERS},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void key_server_add_peer(struct key_server *server, const struct service_peer *who, int descriptor)
{
    struct key_peer *peer = calloc(1, sizeof(*peer) + who->service.length);
    ASSERT(peer);
    memcpy(peer + 1, who->service.bytes, who->service.length);
    peer->server = server;
    list_init(&peer->requests);
    peer->name = span_of(peer + 1, who->service.length);
    peer->process_id = who->process_id;
    peer->service = vault_find_service(server->vault, who->role, peer->name);
    peer->channel = ipc_channel_create(server->loop, descriptor, who->role, &handlers, peer);
    if (!peer->channel) {
        free(peer); /* it sees its end closed */
        return;
    }
    list_append(&server->peers, &peer->link);
    if (!peer->service || peer->service->is_server)
        send_tickets(peer);
}

void key_server_init(struct key_server *server, struct loop *loop, struct maillog *log,
                     struct vault *vault, int64_t ticket_lifetime_ms)
{
    *server = (struct key_server){
        .loop = loop, .log = log, .vault = vault, .ticket_lifetime_ms = ticket_lifetime_ms};
    list_init(&server->peers);
    ticket_keys_init(&server->tickets);
    loop_timer_init(&server->ticket_timer, loop, on_ticket_timer, server);
    loop_timer_init(&server->turn_timer, loop, on_turn, server);
    if (ticket_lifetime_ms > 0)
        loop_timer_set(&server->ticket_timer, clock_deadline_after(ticket_lifetime_ms));
}

void key_server_end(struct key_server *server)
{
    while (!list_is_empty(&server->peers))
        drop_peer(LIST_ITEM(server->peers.head.next, struct key_peer, link));
    loop_timer_release(&server->ticket_timer);
    loop_timer_release(&server->turn_timer);
}
