/* tls/keys - see keys.h. */
#include "tls/keys.h"

#include <openssl/async.h>
#include <stdlib.h>

#include "base/map.h"
#include "ipc/channel.h"
#include "sandbox/sandbox.h"
#include "system/random.h"
#include "system/task.h"
#include "tls/identity.h"
#include "tls/tickets.h"

enum {
    KEYD_POLL_MS = 20,
    JOB_POLL_MS = 10,
    /* Handshakes that wait for a signature at a time; each holds a stack of 32 KiB. */
    JOBS_MAX = 256,
    NAMES_MAX = 512,
    KEYDS_ASKED_MAX = 64,
    REFUSED_MS = 1000, /* how long a signature is asked for that all refuse */
    REPLY_MAX_BYTES = 128 * 1024
};

struct keyd_peer {
    struct list_link link;
    struct tls_keys *keys;
    struct ipc_channel *channel;
    uint32_t process_number;
};

struct served_context {
    struct list_link link;
    SSL_CTX *context;
};

/* A name that was asked for; without identities where it has none of its own. */
struct named {
    struct map_node node;
    struct list_link link; /* the one used last comes last */
    struct tls_identities *identities;
    uint8_t name[TLS_KEYS_NAME_MAX_BYTES];
};

struct tls_keys {
    struct loop *loop;
    struct list peers; /* struct keyd_peer */
    struct list contexts;
    struct map names;
    struct list names_by_use;
    int status; /* enum tls_key_status, or 0 */
    bool has_names;
    struct tls_identities *own; /* the service's */
    bool has_replaced_own;      /* contexts may have others beside them */
    struct tls_tickets tickets;
};

static int context_index = -1;

bool tls_keys_prepare(void)
{
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
    return sandbox_warm_up_crypto() && OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1 &&
           context_index >= 0 && tls_provider_load() && ASYNC_init_thread(JOBS_MAX, 0) == 1;
}

struct tls_keys *tls_keys_create(struct loop *loop)
{
    uint8_t seed[16];
    struct tls_keys *keys = calloc(1, sizeof(*keys));
    if (!keys)
        return NULL;
    keys->loop = loop;
    list_init(&keys->peers);
    list_init(&keys->contexts);
    list_init(&keys->names_by_use);
    random_bytes(seed, sizeof(seed));
    map_init(&keys->names, seed);
    if (!tls_tickets_init(&keys->tickets))
        tls_keys_destroy(&keys);
    return keys;
}

/* ---- names ---- */

static void forget(struct tls_keys *keys, struct named *named)
{
    map_remove(&keys->names, &named->node);
    list_remove(&keys->names_by_use, &named->link);
    tls_identities_release(&named->identities);
    free(named);
}

static void forget_names(struct tls_keys *keys)
{
    while (!list_is_empty(&keys->names_by_use))
        forget(keys, LIST_ITEM(keys->names_by_use.head.next, struct named, link));
}

static struct named *find_name(struct tls_keys *keys, struct span name)
{
    struct map_node *node = map_find(&keys->names, name);
    if (!node)
        return NULL;
    struct named *named = CONTAINER_OF(node, struct named, node);
    list_remove(&keys->names_by_use, &named->link);
    list_append(&keys->names_by_use, &named->link);
    return named;
}

/* Whether it is remembered matters only for the speed of the next handshake. */
static void remember(struct tls_keys *keys, struct span name, struct tls_identities *identities)
{
    if (map_find(&keys->names, name)) /* two sessions asked at a time */
        return;
    if (keys->names.count >= NAMES_MAX)
        forget(keys, LIST_ITEM(keys->names_by_use.head.next, struct named, link));
    struct named *named = calloc(1, sizeof(*named));
    if (!named)
        return;
    memcpy(named->name, name.bytes, name.length);
    named->node.key = span_of(named->name, name.length);
    if (!map_insert(&keys->names, &named->node)) {
        free(named);
        return;
    }
    named->identities = tls_identities_share(identities);
    list_append(&keys->names_by_use, &named->link);
}

/* ---- the service's own certificates ---- */

static void ask_for_own(struct keyd_peer *peer);

static void install(const struct tls_keys *keys, SSL_CTX *context)
{
    if (keys->own)
        (void)!tls_identities_use_in_context(keys->own, context); /* then handshakes say why */
}

static void on_own(enum ipc_call_result result, void *reply, void *context)
{
    struct keyd_peer *peer = context;
    struct tls_keys *keys = peer->keys;
    if (result == IPC_CALL_TIMED_OUT)
        ask_for_own(peer);
    if (result != IPC_CALL_OK)
        return;
    const struct ipc_key_certificates_reply *answer = reply;
    struct tls_identities *identities = NULL;
    int status = (int)answer->status;
    if (status == TLS_KEY_STATUS_FOUND) {
        identities = tls_identities_create(answer->chains);
        if (!identities)
            status = TLS_KEY_STATUS_BROKEN;
    }
    if (status != TLS_KEY_STATUS_FOUND && keys->own && keys->peers.count > 1)
        return; /* what this one cannot do another can */
    keys->status = status;
    keys->has_names = answer->has_names;
    keys->has_replaced_own = keys->has_replaced_own || keys->own;
    tls_identities_release(&keys->own);
    keys->own = identities;
    LIST_FOR_EACH (&keys->contexts, link)
        install(keys, LIST_ITEM(link, struct served_context, link)->context);
}

static void ask_for_own(struct keyd_peer *peer)
{
    const struct ipc_key_certificates question = {.name = span_empty()};
    /* Where it is not sent the channel is about to close, and another one follows. */
    (void)!ipc_channel_call_async(peer->channel, IPC_KEY_CERTIFICATES, &question,
                                  IPC_KEY_CERTIFICATES_REPLY,
                                  clock_deadline_after(TLS_KEYS_ANSWER_MS), on_own, peer);
}

int tls_keys_status(const struct tls_keys *keys)
{
    return keys->status;
}

int tls_keys_await_status(struct tls_keys *keys, int64_t deadline_ms)
{
    const int64_t limit_ms = clock_deadline_after(TLS_KEYS_ANSWER_MS);
    const int64_t end_ms = deadline_ms < limit_ms ? deadline_ms : limit_ms;
    while (keys->status == 0 && clock_monotonic_ms() < end_ms &&
           task_sleep(KEYD_POLL_MS) != TASK_CANCELLED)
        continue;
    return keys->status;
}

/* ---- channels ---- */

static void on_message(struct ipc_channel *channel UNUSED, const struct ipc_delivery *delivery,
                       void *context)
{
    struct keyd_peer *peer = context;
    const struct ipc_key_tickets *message = delivery->message;
    if (delivery->type == IPC_KEY_CHANGED) {
        const struct ipc_key_changed *changed = delivery->message;
        if (changed->also_names)
            forget_names(peer->keys);
        ask_for_own(peer);
    } else if (delivery->type == IPC_KEY_TICKETS)
        tls_tickets_take(&peer->keys->tickets, peer->process_number, message->current,
                         message->previous, (int64_t)message->lifetime_s * 1000,
                         clock_monotonic_ms());
}

static void drop_peer(struct keyd_peer *peer)
{
    list_remove(&peer->keys->peers, &peer->link);
    tls_tickets_part(&peer->keys->tickets, peer->process_number);
    ipc_channel_destroy(&peer->channel);
    free(peer);
}

static void on_closed(struct ipc_channel *channel UNUSED, const char *reason UNUSED, void *context)
{
    drop_peer(context);
}

static const struct ipc_permission permissions[] = {
    {IPC_KEY_TICKETS, IPC_ROLE_BIT(IPC_ROLE_KEYD)},
    {IPC_KEY_CHANGED, IPC_ROLE_BIT(IPC_ROLE_KEYD)},
    {0, 0},
};
static const struct ipc_channel_handlers handlers = {on_message, on_closed, permissions};

void tls_keys_add_peer(struct tls_keys *keys, uint32_t process_number, int descriptor)
{
    struct keyd_peer *peer = calloc(1, sizeof(*peer));
    ASSERT(peer);
    *peer = (struct keyd_peer){.keys = keys, .process_number = process_number};
    peer->channel = ipc_channel_create(keys->loop, descriptor, IPC_ROLE_KEYD, &handlers, peer);
    if (!peer->channel) {
        free(peer); /* it sees its end closed */
        return;
    }
    list_append(&keys->peers, &peer->link);
    forget_names(keys); /* this one may have read other files */
    ask_for_own(peer);
}

void tls_keys_destroy(struct tls_keys **pointer)
{
    struct tls_keys *keys = *pointer;
    if (!keys)
        return;
    while (!list_is_empty(&keys->peers))
        drop_peer(LIST_ITEM(keys->peers.head.next, struct keyd_peer, link));
    while (!list_is_empty(&keys->contexts))
        free(LIST_ITEM(list_pop(&keys->contexts), struct served_context, link));
    forget_names(keys);
    map_destroy(&keys->names);
    tls_identities_release(&keys->own);
    tls_tickets_wipe(&keys->tickets);
    free(keys);
    *pointer = NULL;
}

/* ---- handshakes: waiting ---- */

/* Who was asked in vain, and is not asked again. */
struct keyds_asked {
    uint32_t numbers[KEYDS_ASKED_MAX];
    size_t count;
};

static bool was_asked(const struct keyds_asked *asked, const struct keyd_peer *peer)
{
    for (size_t i = 0; i < asked->count; i++)
        if (asked->numbers[i] == peer->process_number)
            return true;
    return asked->count == KEYDS_ASKED_MAX;
}

/* The keyds take turns. NULL while there is none. */
static struct keyd_peer *next_peer(struct tls_keys *keys, const struct keyds_asked *asked)
{
    LIST_FOR_EACH (&keys->peers, link) {
        struct keyd_peer *peer = LIST_ITEM(link, struct keyd_peer, link);
        if (was_asked(asked, peer))
            continue;
        list_remove(&keys->peers, link);
        list_append(&keys->peers, link);
        return peer;
    }
    return NULL;
}

/* One question of a handshake. A keyd that dies over it is replaced by master; while none is there
 * the question waits. */
static enum ipc_call_result ask(struct tls_keys *keys, enum ipc_type type, const void *question,
                                enum ipc_type reply_type, void *reply, struct arena *arena,
                                int64_t deadline_ms, struct keyds_asked *asked)
{
    const int64_t limit_ms = clock_deadline_after(TLS_KEYS_ANSWER_MS);
    const int64_t end_ms = deadline_ms < limit_ms ? deadline_ms : limit_ms;
    for (;;) {
        struct keyd_peer *peer = next_peer(keys, asked);
        if (peer) {
            const uint32_t number = peer->process_number;
            const enum ipc_call_result result =
                ipc_channel_call(peer->channel, type, question, reply_type, reply, arena, end_ms);
            if (result == IPC_CALL_OK)
                asked->numbers[asked->count++] = number;
            if (result != IPC_CALL_CLOSED)
                return result;
        }
        asked->count = 0; /* whoever refused before may know by now */
        if (clock_monotonic_ms() >= end_ms)
            return IPC_CALL_TIMED_OUT;
        if (task_sleep(KEYD_POLL_MS) == TASK_CANCELLED)
            return IPC_CALL_CANCELLED;
    }
}

static enum stream_result get_signature(struct tls_keys_handshake *handshake, int64_t deadline_ms)
{
    struct tls_signing *signing = &handshake->signing;
    struct ipc_key_sign_reply reply;
    struct arena arena;
    const struct ipc_key_sign question = {
        .key = span_of(signing->key, sizeof(signing->key)),
        .scheme = signing->scheme->number,
        .input = signing->input,
        .name = handshake->chosen ? span_from_string(handshake->name) : span_empty()};
    arena_init(&arena, REPLY_MAX_BYTES, 0);
    /* One keyd may have read other files than the next: whoever came later, or earlier. */
    struct keyds_asked asked = {.count = 0};
    const int64_t patience_ms = clock_deadline_after(REFUSED_MS);
    const int64_t end_ms = patience_ms < deadline_ms ? patience_ms : deadline_ms;
    enum ipc_call_result result;
    for (;;) {
        result = ask(handshake->keys, IPC_KEY_SIGN, &question, IPC_KEY_SIGN_REPLY, &reply, &arena,
                     deadline_ms, &asked);
        if (result != IPC_CALL_OK || !span_is_empty(reply.signature))
            break;
        if (next_peer(handshake->keys, &asked))
            continue;
        /* One that has just begun may get it from the one before, which has gone meanwhile. */
        if (clock_monotonic_ms() >= end_ms)
            break;
        if (task_sleep(KEYD_POLL_MS) == TASK_CANCELLED) {
            result = IPC_CALL_CANCELLED;
            break;
        }
        asked.count = 0;
    }
    if (result == IPC_CALL_OK && !span_is_empty(reply.signature) &&
        reply.signature.length <= sizeof(signing->signature)) {
        memcpy(signing->signature, reply.signature.bytes, reply.signature.length);
        signing->signature_length = reply.signature.length;
        signing->is_answered = true;
    }
    arena_destroy(&arena);
    /* Without an answer libssl goes on too, and fails, and tells the peer so. */
    return result == IPC_CALL_CANCELLED ? STREAM_CANCELLED : STREAM_OK;
}

static enum stream_result look_up(struct tls_keys_handshake *handshake, int64_t deadline_ms)
{
    struct ipc_key_certificates_reply reply;
    struct arena arena;
    const struct span name = span_from_string(handshake->name);
    const struct ipc_key_certificates question = {.name = name};
    arena_init(&arena, REPLY_MAX_BYTES, 0);
    struct keyds_asked asked = {.count = 0};
    const enum ipc_call_result result =
        ask(handshake->keys, IPC_KEY_CERTIFICATES, &question, IPC_KEY_CERTIFICATES_REPLY, &reply,
            &arena, deadline_ms, &asked);
    if (result == IPC_CALL_OK && reply.status == TLS_KEY_STATUS_FOUND)
        handshake->chosen = tls_identities_create(reply.chains);
    if (result == IPC_CALL_OK && (handshake->chosen || reply.status == TLS_KEY_STATUS_ABSENT)) {
        handshake->is_known = true;
        remember(handshake->keys, name, handshake->chosen);
    }
    handshake->is_wanted = false;
    arena_destroy(&arena);
    return result == IPC_CALL_CANCELLED ? STREAM_CANCELLED : STREAM_OK;
}

static enum stream_result wait_for_keyd(void *context, SSL *ssl, int why, int64_t deadline_ms)
{
    struct tls_keys_handshake *handshake = context;
    if (why == SSL_ERROR_WANT_ASYNC && handshake->signing.is_asked)
        return get_signature(handshake, deadline_ms);
    if (why == SSL_ERROR_WANT_X509_LOOKUP && handshake->is_wanted)
        return look_up(handshake, deadline_ms);
    if (why == SSL_ERROR_WANT_ASYNC_JOB) /* all stacks are in use: so many wait for keyd */
        return clock_monotonic_ms() >= deadline_ms         ? STREAM_TIMED_OUT
               : task_sleep(JOB_POLL_MS) == TASK_CANCELLED ? STREAM_CANCELLED
                                                           : STREAM_OK;
    return handshake->next ? handshake->next->wait(handshake->next->context, ssl, why, deadline_ms)
                           : STREAM_FAILED;
}

void tls_keys_handshake_begin(struct tls_keys_handshake *handshake, struct tls_keys *keys, SSL *ssl)
{
    *handshake = (struct tls_keys_handshake){.keys = keys};
    handshake->waiter = (struct tls_waiter){wait_for_keyd, handshake};
    (void)SSL_set_mode(ssl, SSL_MODE_ASYNC); /* returns what is set then */
}

void tls_keys_handshake_end(struct tls_keys_handshake *handshake)
{
    tls_identities_release(&handshake->chosen);
}

/* ---- handshakes: what libssl calls ---- */

/* RFC 6066 section 3: letters, digits, hyphens and dots; compared without case. False for what can
 * be in no table. */
static bool take_name(struct tls_keys_handshake *handshake, const char *text)
{
    const size_t length = strlen(text);
    if (length == 0 || length > TLS_KEYS_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < length; i++) {
        const char byte = text[i];
        const bool is_upper = byte >= 'A' && byte <= 'Z';
        if (!is_upper && !(byte >= 'a' && byte <= 'z') && !(byte >= '0' && byte <= '9') &&
            byte != '-' && byte != '.' && byte != '_')
            return false;
        handshake->name[i] = (char)(is_upper ? byte - 'A' + 'a' : byte);
    }
    handshake->name[length] = '\0';
    return handshake->name[0] != '.';
}

/* What the context has. A key of another kind that it had before cannot be taken out of it, and
 * nobody signs with that any more. */
static int use_own(const struct tls_keys *keys, SSL *ssl)
{
    return !keys->has_replaced_own || !keys->own || tls_identities_use(keys->own, ssl);
}

/* 1: go on; 0: give up; -1: wait (SSL_CTX_set_cert_cb(3)). */
static int choose_certificates(SSL *ssl, void *context)
{
    struct tls_keys *keys = context;
    struct tls_keys_handshake *handshake = tls_stream_running();
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!keys->has_names || !name || !handshake)
        return use_own(keys, ssl);
    if (!handshake->is_known && handshake->name[0] != '\0')
        return 0; /* it was looked up, and keyd cannot tell */
    if (!handshake->is_known) {
        if (!take_name(handshake, name)) {
            handshake->name[0] = '\0';
            return use_own(keys, ssl);
        }
        const struct named *named = find_name(keys, span_from_string(handshake->name));
        if (!named) {
            handshake->is_wanted = true;
            return -1;
        }
        handshake->is_known = true;
        handshake->chosen = tls_identities_share(named->identities);
    }
    return handshake->chosen ? tls_identities_use(handshake->chosen, ssl) : use_own(keys, ssl);
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int is_sealing)
{
    const struct tls_keys *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index);
    if (is_sealing)
        return tls_tickets_seal(&keys->tickets, name, iv, cipher, mac);
    return tls_tickets_open(&keys->tickets, name, iv, cipher, mac, clock_monotonic_ms());
}

bool tls_keys_serve(struct tls_keys *keys, SSL_CTX *context, bool is_server)
{
    struct served_context *served = calloc(1, sizeof(*served));
    if (!served || SSL_CTX_set_ex_data(context, context_index, keys) != 1) {
        free(served);
        return false;
    }
    served->context = context;
    list_append(&keys->contexts, &served->link);
    if (is_server) {
        SSL_CTX_set_cert_cb(context, choose_certificates, keys);
        (void)SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket); /* cannot fail */
    }
    install(keys, context);
    return true;
}
